"""What may be done to the text of documents before they are cut."""

import itertools
import unicodedata
from typing import Literal

import numpy as np
import numpy.typing as npt

from transforms.double_array import code_points

Normalization = Literal["none", "nfkc"]


def normalize(
    points: npt.NDArray[np.uint32], offsets: npt.NDArray[np.int64], form: Normalization
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Normalizes documents given as code points (Unicode Standard Annex 15): full-width letters become ASCII.

    >>> points, offsets = normalize(*code_points(["ＡＢＣ１２３", "①"]), "nfkc")
    >>> bytes(points.astype("u1")).decode(), offsets.tolist()
    ('ABC1231', [0, 6, 7])
    """
    if form == "none":
        return points, offsets
    text = points.tobytes().decode("utf-32-le", "surrogatepass")
    if unicodedata.is_normalized("NFKC", text):
        return points, offsets
    bounds = offsets.tolist()
    documents = [text[begin:end] for begin, end in itertools.pairwise(bounds)]
    return code_points([unicodedata.normalize("NFKC", document) for document in documents])

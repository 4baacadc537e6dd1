"""Precision, recall and F1 of what was found."""


def rates(right: float, said: int, found: float, true: int) -> dict[str, float]:
    """`precision`: what is right of all that was said; `recall`: what was found of all that is true; 0 where none is.

    >>> rates(1, 2, 1, 4)
    {'precision': 0.5, 'recall': 0.25, 'f1': 0.3333333333333333}
    """
    precision, recall = right / said if said else 0.0, found / true if true else 0.0
    both = precision + recall
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / both if both else 0.0}

"""The assignment problem: partners such that the sum of what pairs score is largest."""

import math
from collections.abc import Sequence


def best_total(scores: Sequence[Sequence[float]]) -> float:
    """The largest sum of entries of which no two stand in one row or in one column; none is below 0.

    The Hungarian method (Kuhn 1955), a shortest path for each row: rows**2 * columns steps for the fewer rows.

    >>> best_total([[0.75, 0.5], [0.5, 0.0], [0.0, 0.0]])
    1.0
    """
    table = scores if len(scores) <= len(scores[0]) else list(zip(*scores, strict=True))
    size = len(table[0])
    partner: list[int | None] = [None] * (size + 1)  # the row of each column; the last stands for no column
    of_row, of_column = [0.0] * len(table), [0.0] * (size + 1)  # prices, at which no pair is worth more
    for row in range(len(table)):
        partner[size], column = row, size
        slack, before, path = [math.inf] * size, [size] * size, set[int]()
        while (at := partner[column]) is not None:
            path.add(column)
            free = [other for other in range(size) if other not in path]
            for other in free:
                if (left := of_row[at] + of_column[other] - table[at][other]) < slack[other]:
                    slack[other], before[other] = left, column
            nearest = min(free, key=slack.__getitem__)
            step = slack[nearest]
            for other in path:
                of_column[other] += step
                taken = partner[other]
                assert taken is not None
                of_row[taken] -= step
            for other in free:
                slack[other] -= step
            column = nearest
        while column != size:
            partner[column], column = partner[before[column]], before[column]
    return math.fsum(table[row][column] for column, row in enumerate(partner[:size]) if row is not None)

"""The part of a window that has data: a network need not run over what is empty."""

from __future__ import annotations

import numpy as np

__all__ = ["filled_part"]


def filled_part(Y: np.ndarray, cell: int) -> tuple[slice, slice] | None:
    """Find the rows and columns of windows that have data, and a margin; the same for the same windows.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(..., y, x)``; NaN where there is nothing.
    cell : int
        Side of the cells of a network's coarsest level, pixels: the part is made of whole ones, and has one more at
        either side.

    Returns
    -------
    tuple of slice or None
        Rows and columns; None if there are no data.
    """
    some = ~np.isnan(Y).all(axis=tuple(range(Y.ndim - 2)))
    if not some.any():
        return None
    return _reaching(some.any(axis=1), cell), _reaching(some.any(axis=0), cell)


def _reaching(some: np.ndarray, cell: int) -> slice:
    at = np.flatnonzero(some)
    first, last = at[0] // cell - 1, at[-1] // cell + 2
    return slice(max(first, 0) * cell, min(last * cell, some.size))

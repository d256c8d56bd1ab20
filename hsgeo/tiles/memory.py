"""The memory budget: how much one tile in work may take."""

from __future__ import annotations

import os

__all__ = ["tile_budget"]

SHARE = 0.25  # of the free memory: the rest belongs to the user, the page cache and dask
CEILING = 192 * 2**20  # bytes a tile; larger tiles are not faster, and 2 workers must stay within 1.5 GB in all


def tile_budget(workers: int) -> int:
    """Return the bytes that one tile in work may take.

    Parameters
    ----------
    workers : int
        Tiles in work at a time on this machine.

    Returns
    -------
    int
        Bytes.
    """
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not every platform tells
        free = 2 * 2**30
    return int(min(CEILING, SHARE * free / max(workers, 1)))

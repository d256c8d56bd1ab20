"""Regions of a raster that is written piece by piece: do they fit the chunks, are all of them there."""

from __future__ import annotations

from collections.abc import Iterable

from hsgeo.plugin import ProductError, Region

__all__ = ["bounds", "check_covered", "checked_region", "count_tiles"]

Bounds = tuple[int, int, int, int]
"""First row, end row, first column, end column."""


def bounds(region: Region) -> Bounds:
    """Return the four integers of a region."""
    rows, cols = region
    return int(rows.start), int(rows.stop), int(cols.start), int(cols.stop)


def count_tiles(shape: tuple[int, int], tile: tuple[int, int]) -> int:
    """Count the tiles of a raster."""
    return -(-shape[0] // tile[0]) * -(-shape[1] // tile[1])


def checked_region(region: Region, shape: tuple[int, int], chunk: tuple[int, int]) -> Bounds:
    """Refuse a region that lies outside, is empty, or covers part of a chunk only.

    Two threads that write parts of one chunk lose pixels without any error, so this is not left to chance.

    Parameters
    ----------
    region : Region
        Rows and columns.
    shape, chunk : tuple of int
        Of the raster, rows and columns.

    Returns
    -------
    tuple of int
        The region's bounds.

    Raises
    ------
    ProductError
        When the region does not fit.
    """
    for name, part, size, step in zip(("rows", "columns"), region, shape, chunk, strict=True):
        inside = part.start is not None and part.stop is not None and 0 <= part.start < part.stop <= size
        if not inside or part.step not in (None, 1):
            raise ProductError(f"a region has {name} {part}", f"a slice without step inside 0..{size}")
        if part.start % step or (part.stop % step and part.stop != size):
            raise ProductError(
                f"a region has {name} {part.start}..{part.stop}, which covers part of a chunk only",
                f"bounds that are multiples of {step}, or the raster's end at {size}",
                "Write the tiles that create() was told of",
            )
    return bounds(region)


def check_covered(done: Iterable[Bounds], shape: tuple[int, int], tile: tuple[int, int], path: object) -> None:
    """Refuse to finish while a part of the raster was never written.

    Parameters
    ----------
    done : iterable of tuple
        Bounds of every region written, without overlap.
    shape, tile : tuple of int
        Of the raster, and of its tiles.
    path : object
        For the message.

    Raises
    ------
    ProductError
        When a pixel is missing.
    """
    regions = set(done)
    area = sum((r1 - r0) * (c1 - c0) for r0, r1, c0, c1 in regions)
    if area != shape[0] * shape[1]:
        raise ProductError(
            f"{path} has {len(regions)} of {count_tiles(shape, tile)} tiles written ({area} of "
            f"{shape[0] * shape[1]} pixels)",
            "finish() after every tile",
            "Write the missing tiles, or go on later with --resume",
        )

"""Tiles: the regions that a scene is worked on in, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hsgeo.errors import ConfigError
from hsgeo.plugin.protocols import Region

__all__ = ["Box", "TileGrid", "auto_tile"]

CHUNK = 64  # automatic tiles are multiples of this: divides the usual Zarr and COG block sizes
WIDEST = 512  # a larger tile saves nothing more and makes progress jumpy


@dataclass(frozen=True, order=True)
class Box:
    """A rectangle of absolute pixels, ``[y0, y1) x [x0, x1)``; may reach beyond the scene."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    def clip(self, height: int, width: int) -> Box:
        """Cut the box to a scene of ``height`` x ``width``."""
        return Box(max(self.y0, 0), min(self.y1, height), max(self.x0, 0), min(self.x1, width))

    def within(self, outer: Box) -> tuple[slice, slice]:
        """Return the slices that take this box out of an array that covers ``outer``."""
        return (
            slice(self.y0 - outer.y0, self.y1 - outer.y0),
            slice(self.x0 - outer.x0, self.x1 - outer.x0),
        )

    @property
    def region(self) -> Region:
        """The box as absolute slices."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True)
class TileGrid:
    """The tiles of a scene, row by row.

    Parameters
    ----------
    height, width : int
        Scene size in pixels.
    size : int
        Side of a tile in pixels; tiles at the far edges are smaller.
    """

    height: int
    width: int
    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"tile is {self.size}", "a positive number of pixels, or 'auto'", "Leave --tile out")

    @property
    def chunks(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Sizes of the tiles along rows and columns, as dask writes chunks."""
        return self._sizes(self.height), self._sizes(self.width)

    def _sizes(self, extent: int) -> tuple[int, ...]:
        return tuple(min(self.size, extent - start) for start in range(0, extent, self.size))

    def __len__(self) -> int:
        rows, cols = self.chunks
        return len(rows) * len(cols)

    def __iter__(self) -> Iterator[Box]:
        for y in range(0, self.height, self.size):
            for x in range(0, self.width, self.size):
                yield Box(y, min(y + self.size, self.height), x, min(x + self.size, self.width))


def auto_tile(height: int, width: int, bytes_per_pixel: int, budget: int) -> int:
    """Choose a tile size so that one tile in work stays within a memory budget.

    Parameters
    ----------
    height, width : int
        Scene size in pixels.
    bytes_per_pixel : int
        Everything held for one pixel while its tile is worked on.
    budget : int
        Bytes for one tile in work.

    Returns
    -------
    int
        Multiple of 64 between 64 and 512, or the scene's longer side when that is smaller.
    """
    side = int((budget / max(bytes_per_pixel, 1)) ** 0.5) // CHUNK * CHUNK
    return max(1, min(max(side, CHUNK), WIDEST, max(height, width)))

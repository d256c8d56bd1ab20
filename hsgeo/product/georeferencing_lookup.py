"""Which pixel belongs into each cell of a map, tile by tile: by lookup table, geolocation arrays or a transform."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo.product.georeferencing_fitting import positions, projected, typical_diagonal
from hsgeo.product.georeferencing_grid import lookup_grid
from hsgeo.product.georeferencing_nearest import (
    REACH,
    diagonals,
    earth_centred,
    geographic_latitude,
    nearest_pixels,
    offsets,
    sampled,
)
from hsgeo.product.placement import Placement, find_placement
from hsgeo.tiles.grid import Box

__all__ = ["Found", "Lookup", "make_lookup", "table_indices"]

_SLACK = 1.5  # of the reach, when a tile's pixels are gathered: the scale of a projection changes over a scene


@dataclass(frozen=True)
class Found:
    """The pixels of the cells of a tile.

    Parameters
    ----------
    row, col : numpy.ndarray of int32, shape (rows, columns)
        Absolute pixel of each cell, -1 for none.
    down, right : numpy.ndarray of float64 or None, shape (rows, columns)
        Where in its pixel the cell's centre lies, pixels from the pixel's centre.
    """

    row: np.ndarray
    col: np.ndarray
    down: np.ndarray | None = None
    right: np.ndarray | None = None


class Lookup(Protocol):
    """Answers which pixels the cells of a tile hold; picklable."""

    def boxes(self, tiles: Iterable[Box]) -> list[Box | None]:
        """Bound the pixels that each tile can need; None: none."""

    def find(self, tile: Box, box: Box, *, within: bool) -> Found:
        """Find the pixels of a tile, all of them in ``box``; ``within``: and where in them its cells' centres lie."""


def make_lookup(ds: xr.Dataset, grid: Placement, by: str) -> Lookup:
    """Make the lookup from a scene or product to a map grid.

    Parameters
    ----------
    ds : xarray.Dataset
        What is to be georeferenced.
    grid : Placement
        The map grid.
    by : {"lookup table", "geolocation", "transform"}
        What says where the pixels lie.

    Returns
    -------
    Lookup
        Holds the table (8 bytes a cell), or the places (24 bytes a pixel).

    Raises
    ------
    SceneError
        If the table or the places cannot be used.
    """
    shape = ds.sizes["y"], ds.sizes["x"]
    if by == "lookup table":
        return _Table(*table_indices(ds), lookup_grid(ds).shape)
    if by == "transform":
        return _Affine(find_placement(ds), grid)
    lon, lat = positions(ds)
    points = earth_centred(lon, lat)
    assert points.shape[:2] == shape
    return _Swath(points, typical_diagonal(points), grid)


def _cells(grid: Placement, tile: Box) -> tuple[np.ndarray, np.ndarray]:
    """Return the map coordinates of the centres of a tile's cells."""
    assert grid.transform is not None
    a, b, c, d, e, f = grid.transform
    row, col = np.mgrid[tile.y0 : tile.y1, tile.x0 : tile.x1] + 0.5
    return a * col + b * row + c, d * col + e * row + f


def _middle(grid: Placement) -> float:
    """Return the longitude of a grid's middle: others are counted within 180 degrees of it. 0 for a grid in metres."""
    if not grid.crs.is_geographic:
        return 0.0
    assert grid.transform is not None
    a, b, c, *_ = grid.transform
    rows, cols = grid.shape
    return a * cols / 2 + b * rows / 2 + c


def _inverse(grid: Placement, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of map coordinates, corners of pixels being whole numbers."""
    assert grid.transform is not None
    a, b, c, d, e, f = grid.transform
    area = a * e - b * d
    return (a * (y - f) - d * (x - c)) / area, (e * (x - c) - b * (y - f)) / area


def _bound(row: np.ndarray, col: np.ndarray, margin: int, shape: tuple[int, int]) -> Box | None:
    if not row.size:
        return None
    box = Box(
        int(row.min()) - margin, int(row.max()) + margin + 1, int(col.min()) - margin, int(col.max()) + margin + 1
    )
    box = box.clip(*shape)
    return box if box.height > 0 and box.width > 0 else None


# --------------------------------------------------------------------------------------------- the file's own table


@dataclass(frozen=True)
class _Table:
    row: np.ndarray
    col: np.ndarray
    shape: tuple[int, int]

    def boxes(self, tiles: Iterable[Box]) -> list[Box | None]:
        out = []
        for tile in tiles:
            row, col = self.row[tile.region], self.col[tile.region]
            there = row >= 0
            out.append(_bound(row[there], col[there], 0, (1 << 31, 1 << 31)))
        return out

    def find(self, tile: Box, box: Box, *, within: bool) -> Found:
        assert not within
        return Found(self.row[tile.region], self.col[tile.region])


def table_indices(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Turn a lookup table into positions from 0.

    A swath that was cut has kept the numbers of its rows and columns in ``y`` and ``x`` (0.5 is the centre of
    the first one), and the table still names pixels that are gone.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``glt_x`` and ``glt_y``: counted from 1, 0 for none, negative for a neighbour's pixel that was filled in.

    Returns
    -------
    row, col : numpy.ndarray of int32, shape (cells down, cells across)
        -1 where there is no pixel.

    Raises
    ------
    SceneError
        If it names no pixel at all.
    """
    out = []
    for name, dim in (("glt_y", "y"), ("glt_x", "x")):
        stored = np.asarray(ds[name].values)
        number = np.abs(np.nan_to_num(stored).astype(np.int64))
        first, step = _numbering(ds, dim)
        at, rest = np.divmod(number - 1 - first, step)
        inside = (number > 0) & (rest == 0) & (at >= 0) & (at < ds.sizes[dim])
        out.append(np.where(inside, at, -1).astype(np.int32))
    none = (out[0] < 0) | (out[1] < 0)
    if none.all():
        raise SceneError(
            f"the lookup table names none of the {ds.sizes['y']} x {ds.sizes['x']} pixels",
            "a lookup table of this very swath",
            "Say grid='utm', which needs lat and lon only",
        )
    for index in out:
        index[none] = -1
    return out[0], out[1]


def _numbering(ds: xr.Dataset, dim: str) -> tuple[int, int]:
    """Return the number from 0 of the first row or column in the delivered swath, and their step."""
    if dim not in ds.coords:
        return 0, 1
    axis = np.asarray(ds[dim].values, np.float64)  # centres of unit pixels, 0.5, 1.5, ...; or numbers from 0
    return int(np.floor(axis[0])), round(float(axis[1] - axis[0])) if axis.size > 1 else 1


# --------------------------------------------------------------------------------------------- latitudes and longitudes


@dataclass(frozen=True)
class _Swath:
    points: np.ndarray
    typical: float
    grid: Placement

    def boxes(self, tiles: Iterable[Box]) -> list[Box | None]:
        lon = np.degrees(np.arctan2(self.points[..., 1], self.points[..., 0]))
        lat = geographic_latitude(self.points)
        row, col = _inverse(self.grid, *projected(self.grid.crs, lon, lat, _middle(self.grid)))
        spread = np.concatenate([diagonals(slab).ravel() for slab in sampled(np.stack([row, col], axis=-1))])
        spread = spread[np.isfinite(spread)]
        # a projection's scale, times the plausible spread of the diagonals themselves
        reach = _SLACK * 2 * REACH * float(np.median(spread)) + 1
        out: list[Box | None] = []
        band: tuple[int, int] | None = None
        rows = cols = np.empty(0, np.intp)
        right = np.empty(0)
        for tile in tiles:  # row by row: what lies in a row of tiles is looked up once
            if band != (tile.y0, tile.y1):
                band = (tile.y0, tile.y1)
                with np.errstate(invalid="ignore"):
                    rows, cols = np.nonzero((row > tile.y0 - reach) & (row < tile.y1 + reach))
                right = col[rows, cols]
            there = (right > tile.x0 - reach) & (right < tile.x1 + reach)
            out.append(_bound(rows[there], cols[there], 2, self.points.shape[:2]))  # 1 for steps, 1 for neighbours
        return out

    def find(self, tile: Box, box: Box, *, within: bool) -> Found:
        from pyproj import Transformer

        change = Transformer.from_crs(self.grid.crs.to_wkt(), "EPSG:4326", always_xy=True)
        lon, lat = change.transform(*_cells(self.grid, tile))
        targets = earth_centred(lon, lat).reshape(-1, 3)
        points = self.points[box.region]
        row, col = nearest_pixels(points, targets, typical=self.typical)
        shape = (tile.height, tile.width)
        here = row >= 0
        absolute = [np.where(here, index + start, -1).astype(np.int32).reshape(shape)
                    for index, start in ((row, box.y0), (col, box.x0))]  # fmt: skip
        if not within:
            return Found(absolute[0], absolute[1])
        down, right = np.zeros(row.size), np.zeros(row.size)
        down[here], right[here] = offsets(points, targets[here], row[here], col[here])
        return Found(absolute[0], absolute[1], down.reshape(shape), right.reshape(shape))


# --------------------------------------------------------------------------------------------- another map grid


@dataclass(frozen=True)
class _Affine:
    source: Placement
    grid: Placement

    def _fractions(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from pyproj import Transformer

        change = Transformer.from_crs(self.grid.crs.to_wkt(), self.source.crs.to_wkt(), always_xy=True)
        x, y = change.transform(x, y)
        if self.source.crs.is_geographic:  # its columns may run on beyond 180, or from 0 to 360
            middle = _middle(self.source)
            x = middle + (x - middle + 180) % 360 - 180
        row, col = _inverse(self.source, x, y)
        known = np.isfinite(row) & np.isfinite(col)
        return np.where(known, row, -9e9), np.where(known, col, -9e9)

    def boxes(self, tiles: Iterable[Box]) -> list[Box | None]:
        out = []
        for tile in tiles:
            x, y = _cells(self.grid, tile)
            edge = np.ones(x.shape, bool)
            # the edge of a tile bounds what is inside it, but not a pole in degrees
            edge[1:-1, 1:-1] = self.source.crs.is_geographic
            row, col = self._fractions(x[edge], y[edge])
            known = row > -9e8
            out.append(_bound(np.floor(row[known]), np.floor(col[known]), 2, self.source.shape))
        return out

    def find(self, tile: Box, box: Box, *, within: bool) -> Found:
        row, col = self._fractions(*_cells(self.grid, tile))
        down, right = np.floor(row), np.floor(col)
        rows, cols = self.source.shape
        inside = (down >= 0) & (down < rows) & (right >= 0) & (right < cols)
        found = [np.where(inside, index, -1).astype(np.int32) for index in (down, right)]
        if not within:
            return Found(found[0], found[1])
        return Found(found[0], found[1], np.where(inside, row - down - 0.5, 0), np.where(inside, col - right - 0.5, 0))

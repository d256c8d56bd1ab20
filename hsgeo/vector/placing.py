"""Bring features to a grid of pixels: reference system, the part of the grid they touch, sub-pixels, points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.vector.features import Features

__all__ = ["SUB", "point_pixels", "project", "strips", "touched"]

SUB = 10  # sub-pixels a side: areas to 1 %, and edges that are straight within a pixel much better
_CELLS = 2**22  # sub-pixels rasterised at a time: 16 MB, and as float64 fractions 32 MB


def project(features: Features, crs: Any, *, what: str, whose: str) -> tuple[list[Any], np.ndarray, list[str]]:
    """Bring features to a reference system, and leave out what does not survive it.

    Parameters
    ----------
    features : Features
        Polygons or points.
    crs : rasterio.crs.CRS
        Of the pixels.
    what : str
        What the file is called in messages, such as ``"the truth"``.
    whose : str
        What the pixels belong to, such as ``"the product"``.

    Returns
    -------
    geometries : list of dict
        Sound ones, in ``crs``.
    kept : numpy.ndarray
        ``(geometries,)`` int, their places among the features.
    notes : list of str
        What the user should know.

    Raises
    ------
    ConfigError
        The reference system of the file is not understood, or nothing in it is sound.
    """
    from rasterio.crs import CRS
    from rasterio.errors import CRSError
    from rasterio.warp import transform_geom

    notes = []
    geometries: list[Any] = list(features.geometries)
    if features.crs is None:
        notes.append(f"{what} names no CRS: it is taken to be that of {whose}")
    else:
        try:
            source = CRS.from_user_input(features.crs)
        except CRSError as error:
            raise ConfigError(
                f"the CRS of {what} is not understood: {features.crs[:80]}", "EPSG code or WKT", "Export it again"
            ) from error
        if source != crs:
            geometries = transform_geom(source, crs, geometries)
    sound = np.array([k for k, geometry in enumerate(geometries) if _sound(geometry)], dtype=int)
    if sound.size < len(geometries):
        notes.append(f"{len(geometries) - sound.size} damaged features of {what} were left out")
    if not sound.size:
        raise ConfigError(f"no feature of {what} has sound coordinates", "polygons or points", "Export it again")
    return [geometries[k] for k in sound], sound, notes


def touched(geometries: Sequence[Any], affine: Any, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Find the part of a grid on which features lie.

    Parameters
    ----------
    geometries : sequence of dict
        In the reference system of the grid.
    affine : affine.Affine
        From columns and rows to coordinates.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    rows, cols : slice
        At least one pixel, even where the features lie outside.
    """
    from rasterio.features import bounds

    boxes = np.array([bounds(geometry) for geometry in geometries])
    (left, low), (right, high) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    corners = np.array([~affine * (x, y) for x in (left, right) for y in (low, high)])
    first = np.floor(corners.min(axis=0)).astype(int).tolist()
    last = (np.floor(corners.max(axis=0)).astype(int) + 1).tolist()
    cols, rows = (
        slice(min(max(0, a), size - 1), max(1, min(size, b)))
        for a, b, size in zip(first, last, (shape[1], shape[0]), strict=True)
    )
    none = slice(0, 1)
    return (rows if rows.start < rows.stop else none), (cols if cols.start < cols.stop else none)


def strips(
    shapes: Sequence[tuple[Any, int]], affine: Any, shape: tuple[int, int]
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Cut polygons at sub-pixels, a strip of rows at a time; later ones lie over earlier ones.

    Parameters
    ----------
    shapes : sequence of (dict, int)
        Polygons, and the number above 0 that each leaves.
    affine : affine.Affine
        From columns and rows to coordinates.
    shape : tuple of int
        Rows and columns of the grid.

    Yields
    ------
    top, stop : int
        Rows of the strip.
    cells : numpy.ndarray
        ``(stop - top, SUB, columns, SUB)`` int32; 0 where no polygon is.
    """
    from affine import Affine
    from rasterio.features import rasterize

    rows, cols = shape
    step = max(1, _CELLS // (cols * SUB**2))
    for top in range(0, rows if shapes else 0, step):
        high = min(step, rows - top)
        fine = affine * Affine.translation(0, top) * Affine.scale(1 / SUB)
        index = rasterize(shapes, out_shape=(high * SUB, cols * SUB), transform=fine, fill=0, dtype="int32")
        yield top, top + high, index.reshape(high, SUB, cols, SUB)


def point_pixels(geometry: Any, inverse: Any, shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Find the pixels that hold the points of a feature.

    Parameters
    ----------
    geometry : dict
        Point or MultiPoint, in the reference system of the grid.
    inverse : affine.Affine
        From coordinates to columns and rows.
    shape : tuple of int
        Rows and columns of the grid.

    Yields
    ------
    row, col : int
        Inside the grid; points outside it give nothing.
    """
    points = geometry["coordinates"] if geometry["type"] == "MultiPoint" else [geometry["coordinates"]]
    for point in points:
        x, y = inverse * (point[0], point[1])
        if 0 <= y < shape[0] and 0 <= x < shape[1]:
            yield int(y), int(x)


def _sound(geometry: Any) -> bool:
    """Tell whether a geometry is whole, and its coordinates finite; reprojection makes infinities far away."""
    from rasterio.features import bounds, is_valid_geom

    return bool(is_valid_geom(geometry)) and bool(np.isfinite(bounds(geometry)).all())

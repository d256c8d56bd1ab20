"""Masks of a level 1 granule on the map grid of its level 2D, by latitude and longitude.

Level 1 has no map grid, level 2D is another geometry of the same measurement: only the places of the pixels join them.
Every pixel of the map takes what the nearest pixel of level 1 says. The two geolocations of one acquisition differ by
a few pixels, so edges of clouds are as uncertain as that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from hsgeo_sensors.prisma.cube import Granular
from hsgeo_sensors.prisma.levels import LEVELS, Contents

__all__ = ["FAR", "apart", "matched_bits"]

FAR = 150.0
"""Metres, five pixels: the two geolocations differ by less. What has no neighbour that near lies outside the swath."""
ROWS = 64  # of the map searched at once
LOOKS = 32  # pixels of level 1 along each axis that tell its extent: a few kB, at opening
KEPT = 2  # grids held in memory, 2 bytes for each pixel of the map: 3 MB for a full granule

_held: dict[tuple[Any, ...], np.ndarray] = {}
_lock = threading.Lock()


def apart(mapped: Contents, masks: Contents) -> bool:
    """Say whether a level 1 granule lies beside a map, by the extents of both in the map's coordinates.

    Parameters
    ----------
    mapped : Contents
        The level 2D granule.
    masks : Contents
        The level 1 granule; some of its latitudes and longitudes are read, those of its edges included.

    Returns
    -------
    bool
        False where level 1 does not say where it lies.
    """
    from pyproj import Transformer

    level = LEVELS["1"]
    pick = tuple(np.unique(np.linspace(0, n - 1, LOOKS).astype(int)) for n in masks.stored)
    with Granular(masks, masks.shape, np.uint16).opened() as file:
        # whole rows of it: HDF5 picks single points slowly
        rows = [file[f"{level.swath}/Geolocation Fields/{name}"][pick[0]] for name in level.places]
    lat, lon = (np.asarray(values[:, pick[1]], np.float64).ravel() for values in rows)
    east, north = Transformer.from_crs("EPSG:4326", mapped.crs.to_wkt(), always_xy=True).transform(lon, lat)
    known = np.isfinite(east) & np.isfinite(north) & ((lat != 0) | (lon != 0))
    if not known.any():
        return False
    (height, width), at = mapped.shape, mapped.transform
    beside = east[known].max() + FAR < at.c or east[known].min() - FAR > at.c + width * at.a
    return bool(beside or north[known].min() - FAR > at.f or north[known].max() + FAR < at.f + height * at.e)


def matched_bits(
    masks: Granular, crs: str, transform: Any, shape: tuple[int, ...], read: Callable[[Any, tuple[slice, slice]], Any]
) -> np.ndarray:
    """Return the quality bits of level 1 on a map grid. Made when first asked for, then held.

    Parameters
    ----------
    masks : Granular
        Of the level 1 granule.
    crs : str
        Of the map, WKT.
    transform : affine.Affine
        Of the map, from (column, row) of pixel corners.
    shape : tuple of int
        Rows and columns of the map.
    read : callable
        ``read(fields, box)`` returns the bits as stored, see `hsgeo_sensors.prisma.quality.mask_bits`.

    Returns
    -------
    numpy.ndarray, shape ``shape``, uint16
        0 where no pixel of level 1 is near. Not to be written to.
    """
    key = (str(masks.path), masks.stamp, crs, tuple(transform)[:6], tuple(shape))
    with _lock:  # eight threads that want the same grid wait for one that makes it
        if key not in _held:
            while len(_held) >= KEPT:
                del _held[next(iter(_held))]
            _held[key] = _match(masks, crs, transform, shape, read)
        return _held[key]


def _match(
    masks: Granular, crs: str, transform: Any, shape: tuple[int, ...], read: Callable[[Any, tuple[slice, slice]], Any]
) -> np.ndarray:
    from pyproj import Transformer
    from scipy.spatial import cKDTree

    level = LEVELS["1"]
    with masks.opened() as file:
        lat, lon = (file[f"{level.swath}/Geolocation Fields/{n}"][:].ravel() for n in level.places)
        bits = np.asarray(read(file[level.fields], (slice(None), slice(None)))).ravel()
    east, north = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)  # inf where it is no place
    known = np.isfinite(east) & np.isfinite(north) & ((lat != 0) | (lon != 0))
    out = np.zeros(shape, np.uint16)
    if not known.any() or not bits[known].any():
        return out
    places = np.column_stack([east[known], north[known]])
    bits = np.append(bits[known], np.uint16(0))  # the last is for pixels without a neighbour
    low, high = places.min(axis=0) - FAR, places.max(axis=0) + FAR
    tree = cKDTree(places, balanced_tree=False, compact_nodes=False)
    x = transform.c + transform.a * (np.arange(shape[1]) + 0.5)
    cols = np.flatnonzero((x >= low[0]) & (x <= high[0]))
    for row in range(0, shape[0], ROWS):
        rows = np.arange(row, min(row + ROWS, shape[0]))
        y = transform.f + transform.e * (rows + 0.5)
        rows, y = rows[(y >= low[1]) & (y <= high[1])], y[(y >= low[1]) & (y <= high[1])]
        if len(rows) and len(cols):
            grid = np.stack(np.meshgrid(x[cols], y), axis=-1)
            _, nearest = tree.query(grid, distance_upper_bound=FAR)
            out[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = bits[nearest]
    return out

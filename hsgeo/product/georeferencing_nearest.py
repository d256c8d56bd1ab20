"""Which pixel of a sensor grid lies at a place on the Earth: plain arrays, no files, no reference systems.

Places are earth-centred coordinates in metres. There, distances are those on the ground at any latitude, and neither
the antimeridian nor a pole is special.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "REACH",
    "diagonals",
    "earth_centred",
    "geographic_latitude",
    "nearest_pixels",
    "offsets",
    "sampled",
    "steps",
]

REACH = 0.6
"""A place belongs to a pixel up to this share of its height above or below the centre, and of its width beside it: a
half would just reach the edges, the rest bridges the small gaps that the jitter of a platform leaves."""

_SLABS, _SLAB = 8, 32  # rows to tell a swath's pixel size by: a quarter of a million pixels say it as well as all
_TIES = 4  # a place in the middle of a regular grid has four nearest pixels
_UNEVEN = 2.0  # times the median: a diagonal beyond that spans a gap in the geolocation, no pixel
_A, _F = 6_378_137.0, 1 / 298.257_223_563  # WGS 84: half axis in metres, flattening


def earth_centred(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Turn geographic into earth-centred coordinates, on the WGS 84 ellipsoid itself.

    Parameters
    ----------
    lon, lat : numpy.ndarray, any shape
        Degrees; what is not finite, or no latitude, is unknown.

    Returns
    -------
    numpy.ndarray, shape (..., 3), float64
        Metres; NaN where unknown.
    """
    lon, lat = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    known = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90) & (np.abs(lon) <= 540)
    phi, lam = np.radians(np.where(known, lat, np.nan)), np.radians(np.where(known, lon, np.nan))
    squared = _F * (2 - _F)
    normal = _A / np.sqrt(1 - squared * np.sin(phi) ** 2)
    flat = normal * np.cos(phi)
    return np.stack([flat * np.cos(lam), flat * np.sin(lam), normal * (1 - squared) * np.sin(phi)], axis=-1)


def geographic_latitude(points: np.ndarray) -> np.ndarray:
    """Turn earth-centred places on the ellipsoid, or near it like the centre of a scene, into latitudes.

    Parameters
    ----------
    points : numpy.ndarray, shape (..., 3)
        Metres.

    Returns
    -------
    numpy.ndarray, shape (...)
        Degrees; those from the centre of the Earth differ by up to 0.2.
    """
    flat = np.hypot(points[..., 0], points[..., 1])
    return np.degrees(np.arctan2(points[..., 2], flat * (1 - _F) ** 2))


def steps(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the way from each pixel to the next row and to the next column.

    Central differences; one-sided at the edges and beside unknown pixels.

    Parameters
    ----------
    points : numpy.ndarray, shape (rows, columns, d)
        Centres of pixels, NaN where unknown.

    Returns
    -------
    along, across : numpy.ndarray, shape (rows, columns, d)
        In the units of ``points``; NaN where a pixel has no known neighbour.
    """
    return _differences(points, 0), _differences(points, 1)


def _differences(points: np.ndarray, axis: int) -> np.ndarray:
    ahead = np.full_like(points, np.nan)
    forward = np.diff(points, axis=axis)
    first = (slice(None),) * axis
    ahead[(*first, slice(None, -1))] = forward
    behind = np.full_like(points, np.nan)
    behind[(*first, slice(1, None))] = forward
    both = (ahead + behind) / 2
    return np.where(np.isfinite(both), both, np.where(np.isfinite(ahead), ahead, behind))


def diagonals(points: np.ndarray) -> np.ndarray:
    """Measure the longer diagonal of each pixel.

    Parameters
    ----------
    points : numpy.ndarray, shape (rows, columns, d)
        Centres of pixels, NaN where unknown.

    Returns
    -------
    numpy.ndarray, shape (rows, columns)
        In the units of ``points``. Pixels of a single row or column are taken as square; NaN where nothing is known.
    """
    along, across = steps(points)
    missing = ~np.isfinite(along).all(-1), ~np.isfinite(across).all(-1)
    longer = np.sqrt(np.maximum(((along + across) ** 2).sum(-1), ((along - across) ** 2).sum(-1)))
    square_along, square_across = (np.sqrt(2 * (way**2).sum(-1)) for way in (along, across))
    return np.where(missing[0], square_across, np.where(missing[1], square_along, longer))


def sampled(points: np.ndarray) -> list[np.ndarray]:
    """Take some rows of a long swath, evenly spread, to measure its pixels by; a short one as a whole.

    Parameters
    ----------
    points : numpy.ndarray, shape (rows, columns, d)
        Centres of pixels.

    Returns
    -------
    list of numpy.ndarray
        Slabs of neighbouring rows, views.
    """
    rows = points.shape[0]
    if rows <= _SLABS * _SLAB:
        return [points]
    return [points[top : top + _SLAB] for top in np.linspace(0, rows - _SLAB, _SLABS).astype(int)]


def nearest_pixels(points: np.ndarray, targets: np.ndarray, *, typical: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixel at each place.

    The answer for a place depends on the pixels within reach of it alone, so that no tiling changes it; of pixels
    equally near, the first in row order is taken.

    Parameters
    ----------
    points : numpy.ndarray, shape (rows, columns, 3)
        Centres of pixels, earth-centred metres, NaN where unknown.
    targets : numpy.ndarray, shape (n, 3)
        Places; those that are not finite get no pixel.
    typical : float
        Median diagonal of the pixels of the whole swath, metres.

    Returns
    -------
    row, col : numpy.ndarray of int32, shape (n,)
        -1 where the nearest pixel does not cover the place, to `REACH` of its height and width.
    """
    from scipy.spatial import cKDTree

    row = np.full(len(targets), -1, np.int32)
    col = row.copy()
    held = np.flatnonzero(np.isfinite(points).all(-1))
    asked = np.flatnonzero(np.isfinite(targets).all(-1))
    if not held.size or not asked.size:
        return row, col
    reach = REACH * _plausible(diagonals(points), typical).ravel()[held]
    # a balanced tree costs more to build than it saves: the pixels are spread evenly
    tree = cKDTree(points.reshape(-1, 3)[held], balanced_tree=False, compact_nodes=False)
    count = min(_TIES, held.size)
    distance, found = tree.query(targets[asked], k=count, distance_upper_bound=float(reach.max()) * (1 + 1e-9))
    distance, found = distance.reshape(-1, count), found.reshape(-1, count)
    tied = np.where(distance == distance[:, :1], found, held.size)
    best = tied.min(axis=1)
    near = best < held.size
    near[near] = distance[near, 0] <= reach[best[near]]
    at, place = held[best[near]], asked[near]
    down, right = _offsets(points, targets[place], *np.divmod(at, points.shape[1]))
    covers = (np.abs(down) <= REACH) & (np.abs(right) <= REACH)
    row[place[covers]], col[place[covers]] = np.divmod(at[covers], points.shape[1])
    return row, col


def _plausible(diagonal: np.ndarray, typical: float) -> np.ndarray:
    return np.clip(np.where(np.isfinite(diagonal), diagonal, typical), typical / _UNEVEN, typical * _UNEVEN)


def offsets(points: np.ndarray, targets: np.ndarray, row: np.ndarray, col: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure where in its pixel each place lies.

    Parameters
    ----------
    points : numpy.ndarray, shape (rows, columns, 3)
        Centres of pixels, earth-centred metres.
    targets : numpy.ndarray, shape (n, 3)
        Places.
    row, col : numpy.ndarray of int, shape (n,)
        Their pixels, none of them -1.

    Returns
    -------
    down, right : numpy.ndarray, shape (n,)
        Distance from the centre in pixels along rows and columns, within -1..1; 0 where the neighbours of a pixel are
        unknown.
    """
    down, right = _offsets(points, targets, row, col)
    return np.clip(down, -1, 1), np.clip(right, -1, 1)


def _offsets(
    points: np.ndarray, targets: np.ndarray, row: np.ndarray, col: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    along, across = (way[row, col] for way in steps(points))
    away = targets - points[row, col]
    aa, ab, bb = (along**2).sum(-1), (along * across).sum(-1), (across**2).sum(-1)
    ad, bd = (along * away).sum(-1), (across * away).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = aa * bb - ab**2
        down, right = (ad * bb - bd * ab) / area, (bd * aa - ad * ab) / area
    known = np.isfinite(down) & np.isfinite(right)
    return np.where(known, down, 0), np.where(known, right, 0)

"""Maps of regions on a fine grid: Voronoi cells, fields of a cadastre, ragged classes; and their area averages."""

from __future__ import annotations

import numpy as np

from hsgeo.synthetic.grf import gaussian_fields

__all__ = ["area_mean", "area_mean_of_regions", "ragged_regions", "split_regions", "voronoi_regions", "warped"]

_REACH = 3.0  # spacings: without a centre nearer than this with probability exp(-9 pi) per place


def area_mean(mask: np.ndarray, *, oversample: int) -> np.ndarray:
    """Average a fine map over pixels.

    Parameters
    ----------
    mask : numpy.ndarray
        ``(oversample * y, oversample * x)`` bool or float.
    oversample : int
        Fine cells per pixel side.

    Returns
    -------
    numpy.ndarray
        ``(y, x)`` float32.
    """
    total = np.zeros((mask.shape[0] // oversample, mask.shape[1] // oversample), np.float32)
    for row in range(oversample):
        for column in range(oversample):
            total += mask[row::oversample, column::oversample]
    return total / np.float32(oversample**2)


def area_mean_of_regions(regions: np.ndarray, palette: np.ndarray, *, oversample: int) -> np.ndarray:
    """Give the abundances of pixels that see several regions.

    Parameters
    ----------
    regions : numpy.ndarray
        ``(oversample * y, oversample * x)`` integer, region of every fine cell.
    palette : numpy.ndarray
        ``(region, endmember)`` float32, composition of every region.
    oversample : int
        Fine cells per pixel side.

    Returns
    -------
    numpy.ndarray
        ``(endmember, y, x)`` float32.
    """
    return np.stack([area_mean(column[regions], oversample=oversample) for column in np.ascontiguousarray(palette.T)])


def voronoi_regions(rng: np.random.Generator, height: int, width: int, *, count: int) -> np.ndarray:
    """Divide a plane among random centres; weights make some cells larger (a power diagram).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    height, width : int
        Size in fine cells.
    count : int
        Number of centres, at least 1.

    Returns
    -------
    numpy.ndarray
        ``(height, width)`` int32, 0 ... count - 1.
    """
    spacing = np.sqrt(height * width / count)
    centres = rng.uniform(0, 1, (count, 2)) * (height, width)
    weight = rng.uniform(0, 0.5 * spacing**2, count)  # 0.5: no cell is swallowed by a neighbour one spacing away
    reach = (_REACH + 1) * spacing
    best = np.full((height, width), np.inf, np.float32)
    region = np.zeros((height, width), np.int32)
    y, x = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    for index, ((v, u), w) in enumerate(zip(centres, weight, strict=True)):
        rows = slice(max(int(v - reach), 0), int(v + reach) + 1)
        columns = slice(max(int(u - reach), 0), int(u + reach) + 1)
        far = np.square(y[rows] - np.float32(v))[:, None] + np.square(x[columns] - np.float32(u)) - np.float32(w)
        nearer = far < best[rows, columns]
        np.copyto(best[rows, columns], far, where=nearer)
        np.copyto(region[rows, columns], index, where=nearer)
    return region


def split_regions(rng: np.random.Generator, height: int, width: int, *, depth: int, skew: float) -> np.ndarray:
    """Split a plane again and again by straight lines, as land is divided among heirs.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    height, width : int
        Size in fine cells.
    depth : int
        Number of rounds; a region is left whole in a round with probability 0.15.
    skew : float
        Standard deviation, radians, of the lines' directions about two common ones at right angles.

    Returns
    -------
    numpy.ndarray
        ``(height, width)`` int32, 0 ... at most ``2^depth - 1``.
    """
    base = rng.uniform(0, np.pi)
    y = np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], (height, width)).ravel()
    x = np.broadcast_to(np.arange(width, dtype=np.float32)[None, :], (height, width)).ravel()
    region = np.zeros(height * width, np.int32)
    count, upright = 1, np.zeros(1, bool)
    for _ in range(depth):
        size = np.maximum(np.bincount(region, minlength=count), 1)
        middle_y = np.bincount(region, y, minlength=count) / size
        middle_x = np.bincount(region, x, minlength=count) / size
        along = base + upright * np.pi / 2 + rng.normal(0, skew, count)
        ny, nx = np.cos(along).astype(np.float32), np.sin(along).astype(np.float32)
        # the line passes off the middle by up to a fifth of the region's side
        offset = (ny * middle_y + nx * middle_x + rng.uniform(-0.2, 0.2, count) * np.sqrt(size)).astype(np.float32)
        offset[rng.random(count) < 0.15] = np.inf
        side = ny[region] * y + nx[region] * x > offset[region]
        region = region + np.int32(count) * side
        turn = rng.random(2 * count) < 0.8  # mostly crosswise, so that regions stay compact
        upright = np.concatenate([upright, upright]) ^ turn
        count *= 2
    return region.reshape(height, width)


def ragged_regions(rng: np.random.Generator, fields: np.ndarray, *, sizes: np.ndarray) -> np.ndarray:
    """Cut Gaussian fields at thresholds into classes of given sizes (plurigaussian simulation).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    fields : numpy.ndarray
        ``(field, height, width)`` float32, used in turn.
    sizes : numpy.ndarray
        ``(class,)`` positive, relative areas.

    Returns
    -------
    numpy.ndarray
        ``(height, width)`` int32.
    """
    flat = fields.reshape(len(fields), -1)
    region = np.zeros(flat.shape[1], np.int32)
    todo = [(np.arange(flat.shape[1]), rng.permutation(len(sizes)), int(rng.integers(len(fields))))]
    while todo:
        cells, classes, level = todo.pop()
        if len(classes) == 1 or not len(cells):
            region[cells] = classes[0]
            continue
        half = int(rng.integers(1, len(classes)))
        share = sizes[classes[:half]].sum() / sizes[classes].sum()
        values = flat[level % len(fields)][cells]
        some = values[:: max(len(values) // 4000, 1)]  # 4000 values tell a quantile to 1 %
        below = values <= np.quantile(some, share)
        todo.append((cells[below], classes[:half], level + 1))
        todo.append((cells[~below], classes[half:], level + 1))
    return region.reshape(fields.shape[1:])


def warped(rng: np.random.Generator, regions: np.ndarray, *, strength: float, slope: float = 3.0) -> np.ndarray:
    """Make straight borders ragged: every cell looks up its region a fractal step away.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    regions : numpy.ndarray
        ``(height, width)``.
    strength : float
        Standard deviation of the steps in cells.
    slope : float
        Slope of the steps' power spectrum; 3 gives coasts.

    Returns
    -------
    numpy.ndarray
        ``(height, width)``.
    """
    height, width = regions.shape
    step = gaussian_fields(rng, 2, height, width, slope=slope) * np.float32(strength)
    y = np.clip(np.rint(step[0]).astype(np.int32) + np.arange(height, dtype=np.int32)[:, None], 0, height - 1)
    x = np.clip(np.rint(step[1]).astype(np.int32) + np.arange(width, dtype=np.int32)[None, :], 0, width - 1)
    return np.asarray(regions[y, x])

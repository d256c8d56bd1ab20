"""What lies on top of a landscape: roads and rivers, small targets, squares and discs, fine texture."""

from __future__ import annotations

import numpy as np

from hsgeo.synthetic.grf import gaussian_fields
from hsgeo.synthetic.mosaics import area_mean

__all__ = ["lay", "line_cover", "shares_of_fields", "spot_cover", "textured"]


def lay(abundance: np.ndarray, cover: np.ndarray, composition: np.ndarray) -> np.ndarray:
    """Lay something over a landscape.

    Parameters
    ----------
    abundance : numpy.ndarray
        ``(endmember, y, x)`` float32.
    cover : numpy.ndarray
        ``(y, x)`` share of each pixel that is covered.
    composition : numpy.ndarray
        ``(endmember,)`` abundances of what covers.

    Returns
    -------
    numpy.ndarray
        ``(endmember, y, x)`` float32.
    """
    return np.asarray(abundance * (1 - cover) + composition.astype(np.float32)[:, None, None] * cover, np.float32)


def line_cover(rng: np.random.Generator, height: int, width: int, *, oversample: int, river: bool) -> np.ndarray:
    """Draw one road or river across the scene.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    height, width : int
        Size in pixels.
    oversample : int
        Fine cells per pixel side.
    river : bool
        A river winds and is 1.5 to 7 pixels wide; a road is almost straight and 0.3 to 2.5 pixels wide.

    Returns
    -------
    numpy.ndarray
        ``(y, x)`` float32, share of each pixel under the line.
    """
    upright = bool(rng.integers(2))
    if upright:
        height, width = width, height
    x = (np.arange(width * oversample, dtype=np.float32) + 0.5) / oversample
    y = (np.arange(height * oversample, dtype=np.float32) + 0.5) / oversample
    slope = rng.uniform(-1, 1) * height / width
    along = gaussian_fields(rng, 2, 1, len(x), slope=4.0 if river else 5.0)[:, 0]
    bend = along[0] * np.float32(height * (rng.uniform(0.03, 0.12) if river else rng.uniform(0, 0.02)))
    centre = height * rng.uniform(0.1, 0.9) + slope * (x - width / 2) + bend
    thick = np.exp(rng.uniform(np.log(1.5), np.log(7)) if river else rng.uniform(np.log(0.3), np.log(2.5)))
    steep = np.gradient(centre, x) if len(x) > 1 else np.zeros(1)
    half = 0.5 * thick * np.sqrt(1 + steep**2)  # thick is meant across the line
    if river:
        half = half * np.clip(1 + 0.2 * along[1], 0.4, 1.6)
    # the exact overlap of a cell with the line, not in-or-out: roads narrower than a fine cell keep their width
    cell = 1 / oversample
    edge = (half - np.abs(y[:, None] - centre)) / cell + 0.5
    cover = area_mean(np.clip(edge, 0, np.minimum(1, 2 * half / cell)).astype(np.float32), oversample=oversample)
    return np.ascontiguousarray(cover.T) if upright else cover


def spot_cover(
    height: int, width: int, *, y: float, x: float, radius: float, square: bool, oversample: int = 4
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Give the pixels under one disc or square.

    Parameters
    ----------
    height, width : int
        Size in pixels.
    y, x : float
        Centre in pixels; pixel 0 reaches from 0 to 1.
    radius : float
        Radius, or half the side, in pixels.
    square : bool
        A square with sides along the axes instead of a disc.
    oversample : int
        Fine cells per pixel side.

    Returns
    -------
    tuple of slice
        Rows and columns of the part of the scene that is touched.
    numpy.ndarray
        ``(rows, columns)`` float32, share of each pixel that is covered.
    """
    top, left = max(int(y - radius), 0), max(int(x - radius), 0)
    bottom, right = min(int(np.ceil(y + radius)), height), min(int(np.ceil(x + radius)), width)
    where = slice(top, max(bottom, top)), slice(left, max(right, left))
    v = (np.arange((bottom - top) * oversample) + 0.5) / oversample + top - y
    u = (np.arange((right - left) * oversample) + 0.5) / oversample + left - x
    if square:
        inside = (np.abs(v) <= radius)[:, None] & (np.abs(u) <= radius)
    else:
        inside = np.square(v)[:, None] + np.square(u) <= radius**2
    return where, area_mean(inside, oversample=oversample)


def shares_of_fields(fields: np.ndarray, *, temperature: float, cut: float) -> np.ndarray:
    """Turn fields into abundances with exact zeros: softmax, then shares below a part of the largest are dropped.

    Parameters
    ----------
    fields : numpy.ndarray
        ``(endmember, y, x)`` float32.
    temperature : float
        Small: nearly pure pixels; large: even mixtures.
    cut : float
        Shares below `cut` times the pixel's largest become 0, the others are lowered by as much.

    Returns
    -------
    numpy.ndarray
        ``(endmember, y, x)`` float32 on the simplex.
    """
    out = fields / np.float32(temperature)
    out -= out.max(axis=0)
    np.exp(out, out=out)  # the largest is 1
    out -= np.float32(cut)
    np.maximum(out, 0, out=out)
    out /= out.sum(axis=0)
    return np.asarray(out)


def textured(rng: np.random.Generator, abundance: np.ndarray, *, strength: float, slope: float) -> np.ndarray:
    """Mix a little of other materials into every place, more in some parts and nothing in others.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    abundance : numpy.ndarray
        ``(endmember, y, x)`` float32.
    strength : float
        Largest share of what is mixed in.
    slope : float
        Spectral slope of the texture: 0 changes from pixel to pixel, 2 in patches.

    Returns
    -------
    numpy.ndarray
        ``(endmember, y, x)`` float32.
    """
    count, height, width = abundance.shape
    fields = gaussian_fields(rng, count, height, width, slope=slope)
    grain = shares_of_fields(fields, temperature=rng.uniform(0.3, 1.0), cut=rng.uniform(0.05, 0.4))
    how_much = gaussian_fields(rng, 1, height, width, slope=rng.uniform(1.5, 3.0))[0]
    amount = np.clip(rng.uniform(-0.1, 0.6) + 0.6 * how_much, 0, 1) * np.float32(strength)
    return np.asarray(abundance + amount * (grain - abundance), np.float32)

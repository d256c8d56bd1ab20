"""Random abundance fields of many styles, for training and tests: from cadastres to clouds to cartoons."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.synthetic import mosaics, overlays
from hsgeo.synthetic.grf import gaussian_fields

__all__ = ["FIELD_KINDS", "MOST_ENDMEMBERS", "random_field"]

MOST_ENDMEMBERS = 16
"""Largest number of endmembers that `random_field` draws."""

_FINE = 3  # fine cells per pixel side: edges are right to a ninth of a pixel's area, at a ninth of the speed
_LEAST = 2e-3  # shares below this are set to 0: tails of the blur that no instrument sees
_PUREST = (0.5, 0.78)  # range of the largest abundance in scenes without pure pixels, safely below 0.8

_Drawer = Callable[[np.random.Generator, int, int, int], np.ndarray]


def _sizes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw Zipf class sizes in random order: exponent 0 (all alike) to 1.5 (one rules)."""
    sizes = np.arange(1, count + 1) ** -rng.uniform(0, 1.5)
    return np.asarray(rng.permutation(sizes / sizes.sum()))


def _palette(rng: np.random.Generator, regions: int, count: int, *, pure: float) -> np.ndarray:
    """Draw compositions ``(region, endmember)`` of one material, or of two or three."""
    weight = _sizes(rng, count)
    out = np.zeros((regions, count), np.float32)
    first = rng.choice(count, regions, p=weight)
    dealt = min(regions, count)
    first[rng.permutation(regions)[:dealt]] = rng.permutation(count)[:dealt]  # each material somewhere, if it fits
    rows = np.arange(regions)
    share = rng.dirichlet((2.0, 1.0, 0.5), regions)
    share[rng.random(regions) < pure] = (1.0, 0.0, 0.0)
    two = rng.random(regions) < 0.6
    share[two, 0] += share[two, 2]
    share[two, 2] = 0
    for part, material in zip(share.T, (first, *rng.integers(0, count, (2, regions))), strict=True):
        np.add.at(out, (rows, material), part.astype(np.float32))
    return out


def _mosaic(rng: np.random.Generator, regions: np.ndarray, count: int, *, pure: float) -> np.ndarray:
    """Fill regions with compositions, some with a gradient from one composition to another."""
    number = int(regions.max()) + 1
    first = _palette(rng, number, count, pure=pure)
    out = mosaics.area_mean_of_regions(regions, first, oversample=_FINE)
    graded = rng.uniform(-0.3, 0.6)  # a third of the scenes has no gradients
    if graded > 0:
        other = np.where((rng.random(number) < graded)[:, None], _palette(rng, number, count, pure=pure), first)
        ramp = gaussian_fields(rng, 1, *out.shape[1:], slope=rng.uniform(2.5, 4.5))[0]
        share = np.clip(0.4 + 0.5 * ramp, 0, 1)  # reaches 0 and 1: places without the second composition
        out += share * (mosaics.area_mean_of_regions(regions, other, oversample=_FINE) - out)
    return out


def _cells(rng: np.random.Generator, height: int, width: int, low: float, high: float) -> int:
    """Draw a number of regions with sides of ``low ... high`` pixels."""
    side = np.exp(rng.uniform(np.log(low), np.log(high)))
    return max(int(height * width / side**2), 2)


def _voronoi(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    regions = mosaics.voronoi_regions(rng, height * _FINE, width * _FINE, count=_cells(rng, height, width, 7, 35))
    if rng.random() < 0.7:
        regions = mosaics.warped(rng, regions, strength=_FINE * rng.uniform(0.5, 6), slope=rng.uniform(2.3, 3.5))
    return _mosaic(rng, regions, count, pure=rng.uniform(0.3, 1))


def _splits(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    depth = max(int(np.log2(_cells(rng, height, width, 6, 30))) + 1, 1)
    regions = mosaics.split_regions(rng, height * _FINE, width * _FINE, depth=depth, skew=rng.uniform(0, 0.35))
    return _mosaic(rng, regions, count, pure=rng.uniform(0.3, 1))


def _fractal(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    fields = gaussian_fields(
        rng,
        4 if count > 4 else 2,
        height * _FINE,
        width * _FINE,
        slope=rng.uniform(2.2, 4.0),
        stretch=np.exp(rng.uniform(0, 1.1) * (rng.random() < 0.4)),
        angle=rng.uniform(0, np.pi),
    )
    classes = count + int(rng.integers(0, count + 1))
    regions = mosaics.ragged_regions(rng, fields, sizes=_sizes(rng, classes))
    return _mosaic(rng, regions, count, pure=rng.uniform(0.4, 1))


def _softmax(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    slope = rng.uniform(1.8, 4)  # rougher fields look like snow on a screen, not like land
    fields = gaussian_fields(rng, count, height, width, slope=slope)
    fields += np.log(_sizes(rng, count))[:, None, None].astype(np.float32) * np.float32(0.7)
    coldest = 0.1 if slope > 2.5 else 0.5  # rough and pure at once would be salt and pepper
    temperature = np.exp(rng.uniform(np.log(coldest), np.log(1.2)))
    return overlays.shares_of_fields(fields, temperature=temperature, cut=rng.uniform(0.02, 0.25))


def _lines(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    out = _BACKGROUNDS[int(rng.integers(len(_BACKGROUNDS)))](rng, count, height, width)
    paved, wet = rng.integers(0, count, 2)
    rivers = int(rng.random() < 0.5)
    for index in range(rivers + int(rng.integers(1 - rivers, 5))):
        river = index < rivers
        cover = overlays.line_cover(rng, height, width, oversample=_FINE, river=river)
        out = overlays.lay(out, cover, np.eye(count)[wet if river else paved])
    return out


def _parcels(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Draw straight fields, each with its own gradient between two compositions."""
    depth = max(int(np.log2(_cells(rng, height, width, 10, 40))) + 1, 1)
    regions = mosaics.split_regions(rng, height * _FINE, width * _FINE, depth=depth, skew=rng.uniform(0, 0.1))
    number = int(regions.max()) + 1
    start, stop = (_palette(rng, number, count, pure=0.5) for _ in range(2))
    out = np.zeros((count, height, width), np.float32)
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    group = rng.integers(0, 3, number)  # three directions of gradients are enough to tell fields apart
    for index in range(3):
        turn = rng.uniform(0, 2 * np.pi)
        wave = np.sin(rng.uniform(2, 5) * (np.cos(turn) * y + np.sin(turn) * x) + rng.uniform(0, 2 * np.pi))
        share = np.clip(0.5 + 0.8 * wave, 0, 1).astype(np.float32)
        mine = (group == index)[:, None]
        for palette, part in ((start, 1 - share), (stop, share)):
            out += part * mosaics.area_mean_of_regions(regions, palette * mine, oversample=_FINE)
    return out


def _texture(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    out = _BACKGROUNDS[int(rng.integers(len(_BACKGROUNDS)))](rng, count, height, width)
    return overlays.textured(rng, out, strength=rng.uniform(0.3, 0.9), slope=rng.uniform(0.4, 1.8))


def _points(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    out = _BACKGROUNDS[int(rng.integers(len(_BACKGROUNDS)))](rng, max(count - 1, 1), height, width)
    out = np.concatenate([out, np.zeros((count - len(out), height, width), np.float32)])[rng.permutation(count)]
    target = int(np.argmin(out.sum(axis=(1, 2))))
    for _ in range(int(rng.integers(1, 12 + height * width // 600))):
        where, cover = overlays.spot_cover(
            height,
            width,
            y=rng.uniform(0, height),
            x=rng.uniform(0, width),
            radius=np.exp(rng.uniform(np.log(0.25), np.log(1.8))),
            square=bool(rng.integers(2)),
        )
        kind = target if rng.random() < 0.7 else int(rng.integers(count))
        out[(slice(None), *where)] = overlays.lay(out[(slice(None), *where)], cover, np.eye(count)[kind])
    return out


def _flat(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Draw a cartoon: one or a few constant grounds with squares or discs of constant mixtures."""
    some = 1 if rng.random() < 0.15 else int(rng.integers(min(2, count), count + 1))
    ground = np.zeros(count)
    ground[rng.permutation(count)[:some]] = rng.dirichlet(np.full(some, 2.0))
    out = np.broadcast_to(ground.astype(np.float32)[:, None, None], (count, height, width)).copy()
    if rng.random() < 0.3:  # two to four large grounds instead of one
        number = int(rng.integers(2, 5))
        regions = mosaics.split_regions(rng, height * _FINE, width * _FINE, depth=number - 1, skew=0.0)
        out = mosaics.area_mean_of_regions(regions, _mixtures(rng, int(regions.max()) + 1, count), oversample=_FINE)
    side = min(int(rng.integers(2, 16)), max(min(height, width) // 2, 1))
    pitch = side + int(rng.integers(1, 2 * side + 3))
    square = bool(rng.random() < 0.65)
    if rng.random() < 0.6:
        v, u = np.meshgrid(np.arange(pitch // 2, height, pitch), np.arange(pitch // 2, width, pitch), indexing="ij")
        centres = np.stack([v.ravel(), u.ravel()], 1)
    else:
        covered = rng.uniform(0.03, 0.35)  # of the ground, overlaps aside
        number = max(int(covered * height * width / side**2), 1)
        centres = rng.integers(0, (height, width), (number, 2))
    palette = _mixtures(rng, len(centres), count)
    for (y, x), composition in zip(centres[:400], palette, strict=False):  # 400: a grid finer than that is a texture
        place = {"y": y + 0.5 * (side % 2), "x": x + 0.5 * (side % 2)}  # on pixel borders, as cartoons are
        where, cover = overlays.spot_cover(height, width, radius=side / 2, square=square, **place)
        out[(slice(None), *where)] = overlays.lay(out[(slice(None), *where)], cover, composition)
    return out


def _mixtures(rng: np.random.Generator, number: int, count: int) -> np.ndarray:
    """Draw even or uneven mixtures ``(number, endmember)`` of one up to all materials."""
    most = int(rng.integers(1, count + 1))
    out = np.zeros((number, count), np.float32)
    even = rng.random() < 0.4
    for row in out:
        some = int(rng.integers(1, most + 1))
        row[rng.permutation(count)[:some]] = 1 / some if even else rng.dirichlet(np.full(some, 1.5))
    return out


def _mixed(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Draw smooth mixtures without any pure pixel."""
    fields = gaussian_fields(rng, count, height, width, slope=rng.uniform(2, 4))
    temperature = rng.uniform(0.4, 1.2)
    out = overlays.shares_of_fields(fields, temperature=temperature, cut=rng.uniform(0.02, 0.2))
    if count == 1:
        return out
    top = fields.argmax(axis=0)[None]
    excess = np.maximum(out - np.float32(rng.uniform(*_PUREST)), 0)
    # what is above the limit goes to the runners-up; by squared shares, so that where ranks change nothing jumps
    np.put_along_axis(fields, top, -np.inf, 0)
    others = overlays.shares_of_fields(fields, temperature=temperature / 2, cut=0.0)
    return np.asarray(out - excess + others * excess.sum(axis=0))


_BACKGROUNDS: tuple[_Drawer, ...] = (_voronoi, _splits, _fractal, _softmax)

_KINDS: dict[str, tuple[_Drawer, float]] = {  # with the share of each kind among random scenes
    "voronoi": (_voronoi, 0.13),
    "splits": (_splits, 0.10),
    "fractal": (_fractal, 0.18),
    "softmax": (_softmax, 0.15),
    "lines": (_lines, 0.10),
    "parcels": (_parcels, 0.08),
    "texture": (_texture, 0.06),
    "points": (_points, 0.05),
    "flat": (_flat, 0.09),
    "mixed": (_mixed, 0.06),
}

FIELD_KINDS: tuple[str, ...] = tuple(_KINDS)
"""Names of the styles that `random_field` draws."""


def random_field(
    rng: np.random.Generator, height: int, width: int, endmembers: int, *, kind: str | None = None
) -> np.ndarray:
    """Draw an abundance field: a piece of land in one of many styles, with exact zeros and mixed edges.

    Regions are drawn on a finer grid and area-averaged, most scenes get a little texture of other materials, and a
    blur of 0 to 1.2 pixels (standard deviation) stands for the instrument. The kinds:

    ``voronoi``
        Cells about random centres, straight or ragged borders, some with gradients.
    ``splits``
        A plane split by straight lines again and again.
    ``fractal``
        Ragged classes: thresholds of fields with a power-law spectrum.
    ``softmax``
        Soft transitions of such fields, from nearly pure to evenly mixed.
    ``lines``
        Roads, down to a third of a pixel wide, and rivers over any of these.
    ``parcels``
        Straight fields with gradients inside.
    ``texture``
        Any of the first four with strong fine texture on top.
    ``points``
        Small targets, most of a rare material, 0.5 to 3.6 pixels across.
    ``flat``
        Constant grounds with squares or discs of constant mixtures, as cartoon test scenes have them; never textured.
    ``mixed``
        Smooth mixtures with no abundance above 0.78 (with two or more endmembers); never blurred.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same state gives the same field.
    height, width : int
        Size in pixels, at least 1.
    endmembers : int
        Number of endmembers, 1 to `MOST_ENDMEMBERS`. Sizes follow Zipf's law in random order; one that finds no
        room is absent.
    kind : str, optional
        One of `FIELD_KINDS`; by default one is drawn.

    Returns
    -------
    numpy.ndarray
        ``(endmember, y, x)`` float32: not negative, sums to one, absent materials exactly 0.

    Raises
    ------
    ConfigError
        A size or the number of endmembers is out of range, or the kind is unknown.
    """
    if min(height, width) < 1 or not 1 <= endmembers <= MOST_ENDMEMBERS:
        raise ConfigError(
            f"an abundance field of {height} x {width} pixels with {endmembers} endmembers",
            f"at least 1 x 1 pixels and 1 to {MOST_ENDMEMBERS} endmembers",
        )
    if kind is None:
        kind = FIELD_KINDS[int(rng.choice(len(FIELD_KINDS), p=[share for _, share in _KINDS.values()]))]
    if kind not in _KINDS:
        raise ConfigError(f"no kind of abundance field is called {kind!r}", ", ".join(FIELD_KINDS))
    out = _KINDS[kind][0](rng, endmembers, height, width)
    if kind not in ("flat", "mixed", "texture") and rng.random() < 0.5:
        out = overlays.textured(rng, out, strength=rng.uniform(0.03, 0.4), slope=rng.uniform(0.8, 2.8))
    blurred = {"flat": 0.3, "mixed": 0.0}.get(kind, 0.75)
    if rng.random() < blurred:
        out = _blurred(out, sigma=rng.uniform(0.2, 1.2))
    out[out < _LEAST] = 0
    out /= out.sum(axis=0)
    return out


def _blurred(abundance: np.ndarray, *, sigma: float) -> np.ndarray:
    """Blur by the instrument's point spread, Gaussian of ``sigma`` pixels."""
    from scipy.ndimage import gaussian_filter1d

    for axis in (1, 2):
        abundance = gaussian_filter1d(abundance, sigma, axis=axis, mode="nearest", truncate=2.5)
    return abundance

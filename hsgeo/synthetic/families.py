"""Families of surface materials as random log-spectra: a continuum and the absorptions that physics puts on it.

Everything is a sum of fixed curves on a 5 nm grid with random weights, so that many spectra cost one matrix product.
The curves come from formulas and from no library.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hsgeo.synthetic.spectra import MATERIALS, fine_spectrum

__all__ = ["FAMILIES", "GRID", "draw_family"]

GRID = np.arange(350.0, 2551.0, 5.0)
"""Wavelengths of the fine spectra, ``(441,)`` nm."""

_JITTER = np.array([-1.0, 0.0, 1.0])  # each absorption exists at three centres; which one is drawn

# name: (centre nm, shift of the centre nm, standard deviation nm); centres are textbook values
_ABSORPTIONS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "chlorophyll": ((425, 8, 60), (655, 6, 36), (680, 3, 16)),
    "leaf-water": ((970, 5, 24), (1195, 8, 34), (1450, 8, 52), (1700, 20, 280), (1940, 8, 62), (2350, 20, 300)),
    "cellulose": ((1730, 8, 30), (2100, 10, 55), (2305, 10, 40), (2480, 12, 70)),
    "iron": ((500, 15, 40), (530, 10, 30), (670, 15, 45), (880, 30, 65)),
    "ferrous": ((1000, 50, 160), (1950, 80, 220)),
    "clay": ((1410, 6, 16), (1912, 6, 28), (2165, 8, 18), (2205, 6, 18), (2380, 10, 22)),
    "mg-oh": ((1390, 6, 14), (2315, 10, 26), (2385, 8, 20)),
    "carbonate": ((1880, 8, 22), (1990, 10, 28), (2155, 8, 20), (2338, 12, 28), (2530, 12, 42)),
    "sulfate": ((1450, 15, 30), (1490, 10, 25), (1750, 10, 20), (1945, 10, 35), (2215, 10, 35), (2420, 15, 45)),
    "moisture": ((1425, 10, 38), (1930, 10, 48)),
    "hydrocarbon": ((1195, 6, 16), (1395, 6, 18), (1725, 8, 20), (2310, 10, 30), (2460, 15, 40)),
    "ice": (
        (900, 5, 26),
        (1030, 8, 42),
        (1260, 8, 55),
        (1500, 10, 85),
        (1650, 15, 120),
        (2010, 10, 85),
        (2450, 20, 170),
    ),
}

# steps from 0 to 1: (centre nm, shift, width of the logistic nm)
_RISES: dict[str, tuple[float, float, float]] = {
    "red-edge": (716, 12, 11),
    "humus": (620, 50, 85),
    "soil": (1050, 120, 230),
    "dye-blue": (480, 30, 14),
    "dye-green": (560, 30, 16),
    "dye-red": (610, 30, 18),
    "dye-infrared": (740, 60, 30),
    "blue": (400, 20, 40),
}


@cache
def _bank() -> dict[str, np.ndarray]:
    """Tabulate all curves: ``(curve, 441)`` for each absorption group, ``(3, 441)`` for each step, and the rest."""
    bank = {}
    for name, bands in _ABSORPTIONS.items():
        bank[name] = np.stack(
            [np.exp(-0.5 * np.square((GRID - c - j * shift) / w)) for c, shift, w in bands for j in _JITTER]
        )
    for name, (c, shift, w) in _RISES.items():
        bank[name] = np.stack([1 / (1 + np.exp(-(GRID - c - j * shift) / w)) for j in _JITTER])
    u = np.log(GRID / GRID[0]) / np.log(GRID[-1] / GRID[0])
    # cubic splines on 9 knots in log-wavelength: wide enough to be continua, narrow enough for humps
    knots = np.abs(u - np.linspace(-0.05, 1.05, 9)[:, None]) / 0.1375
    cubic = np.where(knots < 1, 2 / 3 - knots**2 + knots**3 / 2, np.clip(2 - knots, 0, None) ** 3 / 6)
    bank["smooth"] = cubic / cubic.sum(axis=0)
    bank["tilt"] = (u - 0.5)[None]
    # clear and turbid water: absorption rises by orders of magnitude beyond 700 nm
    bank["water"] = np.stack(
        [
            np.log1p(np.exp((GRID - c) / w)) / np.log1p(np.exp((1000 - c) / w))
            for c, w in ((690, 40), (580, 40), (740, 60))
        ]
    )
    bank["scatter"] = np.stack([np.exp(-0.5 * np.square((GRID - c) / 70)) for c in (490.0, 560.0, 590.0)])
    bank["named"] = np.log(np.stack([np.interp(GRID, *fine_spectrum(name)) for name in MATERIALS]))
    return bank


@dataclass(frozen=True)
class _Family:
    """What a family of materials is drawn from.

    ``level``: mean reflectance in the visible and near infrared, drawn log-uniformly; ``rough``: standard deviation of
    the knots' log-heights; ``tilt``: range of the log-slope; ``absorptions`` and ``rises``: largest log-depth or height
    of each group; ``chance``: probability that a group is there at all.
    """

    level: tuple[float, float]
    rough: float
    tilt: tuple[float, float]
    absorptions: dict[str, float]
    rises: dict[str, float]
    chance: float = 0.75
    sure: tuple[str, ...] = ()


FAMILIES: dict[str, _Family] = {
    "green": _Family(
        (0.12, 0.45),
        0.06,
        (-0.5, 0.2),
        {"chlorophyll": 0.9, "leaf-water": 1.0, "cellulose": 0.1},
        {"red-edge": 2.0},
        sure=("chlorophyll", "leaf-water", "red-edge"),
    ),
    "dry": _Family(
        (0.12, 0.5),
        0.08,
        (-0.2, 0.6),
        {"cellulose": 0.4, "moisture": 0.35, "chlorophyll": 0.25},
        {"humus": 1.2, "soil": 0.4, "red-edge": 0.5},
        sure=("cellulose", "humus"),
    ),
    "soil": _Family(
        (0.06, 0.4),
        0.08,
        (-0.2, 0.5),
        {"iron": 0.35, "moisture": 0.4, "clay": 0.2, "carbonate": 0.15, "ferrous": 0.15},
        {"humus": 1.1, "soil": 0.7},
        sure=("humus",),
    ),
    "mineral": _Family(
        (0.2, 0.9),
        0.06,
        (-0.3, 0.3),
        {"clay": 0.7, "carbonate": 0.6, "sulfate": 0.6, "mg-oh": 0.5, "iron": 0.6, "ferrous": 0.7},
        {"blue": 0.7, "humus": 0.4},
        chance=0.4,
    ),
    "built": _Family(
        (0.04, 0.5),
        0.08,
        (-0.3, 0.6),
        {"hydrocarbon": 0.25, "carbonate": 0.2, "moisture": 0.2, "iron": 0.25},
        {"blue": 0.6, "humus": 0.3},
        chance=0.35,
    ),
    "paint": _Family(
        (0.06, 0.75),
        0.12,
        (-0.4, 0.4),
        {"hydrocarbon": 0.5, "iron": 0.3},
        {"dye-blue": 1.3, "dye-green": 1.3, "dye-red": 1.6, "dye-infrared": 1.6, "blue": 0.8},
        chance=0.4,
    ),
    "water": _Family((0.02, 0.09), 0.08, (-0.6, 0.1), {}, {}),
    "snow": _Family((0.35, 0.9), 0.03, (-0.2, 0.1), {"ice": 1.6}, {}, sure=("ice",)),
    "named": _Family((0.0, 0.0), 0.10, (-0.35, 0.35), {}, {}),
}
"""Families that spectra are drawn from; ``named`` are the ten of `MATERIALS`, bent and rescaled."""

_ICE = np.repeat([0.05, 0.26, 0.47, 2.2, 0.95, 2.6, 2.5], 3)  # depths of the ice bands relative to each other
_LEAF = np.repeat([0.10, 0.20, 0.8, 0.5, 1.3, 1.2], 3)  # and of leaf water


def draw_family(rng: np.random.Generator, name: str, count: int) -> np.ndarray:
    """Draw spectra of one family.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    name : str
        A key of `FAMILIES`.
    count : int
        Number of spectra.

    Returns
    -------
    numpy.ndarray
        ``(count, 441)`` float64 reflectance on `GRID`, 0.004 to 0.97.
    """
    family, bank = FAMILIES[name], _bank()
    log = rng.normal(0, family.rough, (count, len(bank["smooth"]))) @ bank["smooth"]
    log += rng.uniform(*family.tilt, (count, 1)) * bank["tilt"]
    for group, depth in family.absorptions.items():
        present = rng.random((count, 1)) < (1 if group in family.sure else family.chance)
        bands = len(bank[group]) // 3
        # one centre of three for each band; a common depth per spectrum, and each band's own part in it
        centre = np.eye(3)[rng.integers(0, 3, (count, bands))].reshape(count, -1)
        own = np.repeat(rng.uniform(0.2, 1.0, (count, bands)), 3, axis=1)
        if group in ("ice", "leaf-water"):  # one substance: fixed ratios
            own = _ICE if group == "ice" else _LEAF
        weight = depth * rng.uniform(0.15, 1.0, (count, 1)) * present * own * centre
        log -= weight @ bank[group]
    for group, height in family.rises.items():
        present = rng.random((count, 1)) < (1 if group in family.sure else family.chance)
        centre = np.eye(3)[rng.integers(0, 3, count)]
        weight = height * rng.uniform(0.4 if group in family.sure else 0.1, 1.0, (count, 1)) * present * centre
        # paints can also fall towards the red
        sign = np.where(rng.random((count, 1)) < 0.35, -0.5, 1.0) if group.startswith("dye") else 1.0
        log += (sign * weight) @ bank[group]
    if name == "water":
        log -= rng.uniform(0.8, 2.5, (count, 1)) * bank["water"][rng.integers(0, 3, count)]
        log += rng.uniform(0, 0.9, (count, 1)) * bank["scatter"][rng.integers(0, 3, count)]
    if name == "named":
        log += bank["named"][rng.integers(0, len(bank["named"]), count)]
        out = np.exp(log + rng.normal(0, 0.3, (count, 1)))
    else:
        # the level is that of 400 to 1300 nm, where the sun's light is and every sensor looks
        low, high = np.log(family.level)
        level = np.exp(rng.uniform(low, high, (count, 1)))
        out = np.exp(log)
        out *= level / out[:, 10:191].mean(axis=1, keepdims=True)
    out += 0.004 * rng.random((count, 1))  # skylight reflected by any surface; keeps dark spectra off zero
    out *= np.minimum(1, 0.97 / out.max(axis=1, keepdims=True))
    return np.maximum(out, 0.004)

"""Procedural reflectance spectra of common materials, as any sensor would see them.

Shapes follow textbook physics (pigment, water, ice, iron, clay, carbonate and cellulose bands over a smooth
background); they come from formulas and from no library, so they can be trained and tested on without leaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.srf import resample

__all__ = ["MATERIALS", "fine_spectrum", "reflectance"]

_GRID = np.arange(350.0, 2551.0)  # nm, 1 nm: finer than any imaging spectrometer's bands


def _dip(centre: float, width: float, depth: float) -> np.ndarray:
    """Return ``1 - depth`` at the centre of a Gaussian absorption of standard deviation ``width`` nm, 1 far from it."""
    return 1 - depth * np.exp(-0.5 * np.square((_GRID - centre) / width))


def _rise(centre: float, width: float) -> np.ndarray:
    """Return a logistic step from 0 to 1."""
    return 1 / (1 + np.exp(-(_GRID - centre) / width))


def _leaf_water(thickness: float) -> np.ndarray:
    """Transmission of liquid water; bands of Curcio and Petty (1951), relative strengths rounded."""
    bands = (
        (970, 22, 0.5),
        (1195, 30, 1.1),
        (1450, 48, 26),
        (1780, 60, 7),
        (1940, 55, 110),
        (2250, 150, 22),
        (2520, 90, 75),
    )
    absorption = sum(k * np.exp(-0.5 * np.square((_GRID - c) / w)) for c, w, k in bands)
    return np.exp(-thickness * np.asarray(absorption))


def _green_vegetation() -> np.ndarray:
    pigments = _dip(440, 45, 0.86) * _dip(500, 28, 0.45) * _dip(650, 38, 0.62) * _dip(679, 16, 0.55)
    visible = 0.13 * pigments
    edge = _rise(718, 11)
    return (visible * (1 - edge) + 0.50 * edge) * _leaf_water(0.042)


def _dry_vegetation() -> np.ndarray:
    background = 0.06 + 0.36 * _rise(640, 95) + 0.09 * _rise(1250, 150)
    return (
        background
        * _dip(1465, 55, 0.16)
        * _dip(1940, 50, 0.26)
        * _dip(2100, 55, 0.26)
        * _dip(2305, 40, 0.20)
        * _dip(2480, 70, 0.22)
    )


def _soil() -> np.ndarray:
    background = 0.05 + 0.17 * _rise(600, 75) + 0.16 * _rise(1050, 230)
    return (
        background
        * _dip(500, 45, 0.20)
        * _dip(880, 70, 0.07)
        * _dip(1414, 28, 0.10)
        * _dip(1915, 36, 0.22)
        * _dip(2208, 24, 0.10)
    )


def _water() -> np.ndarray:
    # turbid inland water: suspended matter scatters green and red light; 0.012 is the reflection of the sky
    scatter = 0.075 * np.exp(-0.5 * np.square((_GRID - 570) / 85)) * _dip(675, 14, 0.18)
    peak = 0.022 * np.exp(-0.5 * np.square((_GRID - 705) / 16)) + 0.012 * np.exp(-0.5 * np.square((_GRID - 810) / 22))
    return 0.012 + scatter + peak


def _asphalt() -> np.ndarray:
    return (0.075 + 0.050 * (1 - np.exp(-(_GRID - 350) / 700))) * _dip(1730, 25, 0.05) * _dip(2310, 32, 0.12)


def _concrete() -> np.ndarray:
    background = 0.20 + 0.17 * (1 - np.exp(-(_GRID - 350) / 260))
    return background * _dip(1425, 30, 0.08) * _dip(1935, 42, 0.18) * _dip(2335, 30, 0.15)


def _roof_tile() -> np.ndarray:
    background = 0.055 + 0.20 * _rise(585, 22) + 0.20 * _rise(900, 180)
    return background * _dip(870, 60, 0.20) * _dip(1930, 40, 0.06)


def _kaolinite() -> np.ndarray:
    background = 0.62 + 0.22 * (1 - np.exp(-(_GRID - 350) / 220))
    hydroxyl = _dip(1396, 10, 0.34) * _dip(1414, 9, 0.38) * _dip(2163, 16, 0.32) * _dip(2207, 14, 0.46)
    return (
        background
        * hydroxyl
        * _dip(1912, 22, 0.12)
        * _dip(2320, 22, 0.14)
        * _dip(2385, 18, 0.20)
        * _dip(2520, 60, 0.35)
    )


def _calcite() -> np.ndarray:
    background = 0.66 + 0.20 * (1 - np.exp(-(_GRID - 350) / 180))
    return (
        background
        * _dip(1880, 22, 0.12)
        * _dip(1995, 26, 0.20)
        * _dip(2158, 18, 0.10)
        * _dip(2340, 26, 0.42)
        * _dip(2530, 40, 0.50)
    )


def _snow() -> np.ndarray:
    ice = (
        (900, 26, 0.08),
        (1030, 42, 0.42),
        (1260, 55, 0.75),
        (1500, 85, 3.6),
        (1650, 120, 1.5),
        (2010, 85, 4.2),
        (2450, 170, 4.0),
    )
    absorption = sum(k * np.exp(-0.5 * np.square((_GRID - c) / w)) for c, w, k in ice)
    return 0.96 * np.exp(-np.asarray(absorption)) + 0.01


_FORMULAS: dict[str, Callable[[], np.ndarray]] = {
    "green-vegetation": _green_vegetation,
    "dry-vegetation": _dry_vegetation,
    "soil": _soil,
    "water": _water,
    "asphalt": _asphalt,
    "concrete": _concrete,
    "roof-tile": _roof_tile,
    "kaolinite": _kaolinite,
    "calcite": _calcite,
    "snow": _snow,
}

MATERIALS: tuple[str, ...] = tuple(_FORMULAS)
"""Names of the materials that can be synthesised."""


def fine_spectrum(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give a material's spectrum at 1 nm.

    Parameters
    ----------
    name : str
        One of `MATERIALS`.

    Returns
    -------
    wavelength : numpy.ndarray
        ``(2201,)`` float64, 350 to 2550 nm.
    spectrum : numpy.ndarray
        ``(2201,)`` float64 reflectance, above 0 and at most 1.

    Raises
    ------
    ConfigError
        There is no such material.
    """
    if name not in _FORMULAS:
        raise ConfigError(f"no synthetic material is called {name!r}", ", ".join(MATERIALS))
    return _GRID.copy(), _FORMULAS[name]()


def reflectance(names: Sequence[str], wavelength: np.ndarray, fwhm: np.ndarray) -> np.ndarray:
    """Give the spectra of materials in the bands of a sensor (Gaussian responses, `hsgeo.spectra.srf`).

    Parameters
    ----------
    names : sequence of str
        Names out of `MATERIALS`.
    wavelength : numpy.ndarray
        ``(band,)`` centres in nm; their responses lie within 350 to 2550.
    fwhm : numpy.ndarray
        ``(band,)`` full widths at half maximum in nm; NaN: 1.1 times the distance to the nearest band.

    Returns
    -------
    numpy.ndarray
        Endmembers `E`, ``(band, endmember)`` float64 reflectance.

    Raises
    ------
    ConfigError
        A material is unknown or a band lies outside the grid.
    """
    wavelength, fwhm = np.broadcast_arrays(np.asarray(wavelength, float), np.asarray(fwhm, float))
    fine = np.stack([fine_spectrum(name)[1] for name in names])
    E = resample(fine, _GRID, None, wavelength, fwhm).T
    outside = np.isnan(E).any(axis=1)
    if outside.any():
        raise ConfigError(
            f"a band at {wavelength[outside][0]:g} nm for synthetic spectra", f"{_GRID[0]:g} to {_GRID[-1]:g} nm"
        )
    return E

"""What the endmember prior learns from: procedural spectra as random sensors would see them, with noise."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hsgeo.synthetic import random_bands, random_spectra
from hsgeo_diffusion.endmember.grid import GRID, Sensor, sensor_of
from hsgeo_diffusion.endmember.network import CENTRE, LARGEST

__all__ = ["NoisySpectra", "as_unit", "draw_examples"]

_LEVELS = (-3.3, -0.3)  # decadic logarithm of noise over the spectrum's size: 66 to 6 dB
_DARK = 0.1  # of the mean square with noise: what is left at least when the noise's is taken off
# Where correction for the atmosphere leaves marks: oxygen, water vapour, carbon dioxide, nm
_MARKS = np.array([687.0, 720.0, 760.0, 820.0, 940.0, 1130.0, 1270.0, 1340.0, 1470.0, 1790.0, 1960.0, 2010.0, 2060.0])
_MISREAD = 0.15  # relative error of noise levels that are estimated


class NoisySpectra(NamedTuple):
    """Spectra on the grid in units of their size, float32 ``(spectra, 211)``.

    Parameters
    ----------
    x : numpy.ndarray
        With noise.
    level : numpy.ndarray
        Its standard deviation.
    fwhm : numpy.ndarray
        Resolution, nm.
    target : numpy.ndarray
        Without noise.
    seen : numpy.ndarray
        1 where bands are, else 0.
    """

    x: np.ndarray
    level: np.ndarray
    fwhm: np.ndarray
    target: np.ndarray
    seen: np.ndarray


def as_unit(values: np.ndarray, std: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Tell the size of noisy spectra: root mean square over what is seen, without the noise.

    Parameters
    ----------
    values, std : numpy.ndarray
        ``(spectra, 211)`` and its noise.
    seen : numpy.ndarray
        ``(211,)`` bool, not all false.

    Returns
    -------
    numpy.ndarray
        ``(spectra, 1)``, above 0.
    """
    square = np.square(values[:, seen]).mean(axis=1, keepdims=True)
    clean = square - np.square(np.broadcast_to(std, values.shape)[:, seen]).mean(axis=1, keepdims=True)
    return np.asarray(np.sqrt(np.maximum(np.maximum(clean, _DARK * square), np.finfo(np.float64).tiny)))


@lru_cache(maxsize=64)  # as many as a training uses at a time
def _sensor(seed: int) -> tuple[np.ndarray, np.ndarray, Sensor]:
    """Draw a sensor: centres and widths of its bands within the grid, and its operators."""
    wavelength, width = random_bands(np.random.default_rng([seed, 0x5E4504]))
    within = (wavelength >= GRID[0]) & (wavelength <= GRID[-1])
    return wavelength[within], width[within], sensor_of(wavelength[within], width[within])


def draw_examples(rng: np.random.Generator, count: int, *, sensor_seed: int, snr: float | None = None) -> NoisySpectra:
    """Draw spectra of one sensor.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    count : int
        Spectra.
    sensor_seed : int
        Which sensor.
    snr : float, optional
        Of all of them, dB, as plain observations; None: random, and part of them observed at a random time of the
        diffusion, too, or at nothing but that.

    Returns
    -------
    NoisySpectra
    --------
        Noisy and clean.
    """
    wavelength, width, sensor = _sensor(sensor_seed)
    nm = np.concatenate([wavelength, GRID])
    spectra = random_spectra(rng, count, nm, np.concatenate([width, sensor.fwhm]), least_angle=0.0).T
    spectra = spectra * np.exp(_rough(rng, count, nm))
    bands, target = spectra[:, : len(wavelength)], spectra[:, len(wavelength) :]
    size = np.sqrt(np.square(bands).mean(axis=1, keepdims=True))
    level = 10 ** rng.uniform(*_LEVELS, (count, 1)) if snr is None else np.full((count, 1), 10 ** (-snr / 20))
    std = size * level * _profile(rng, wavelength, count)
    noisy = bands + std * rng.standard_normal(bands.shape)
    x, s = noisy @ sensor.gather.T, _on_grid(std, sensor)
    if snr is None:
        s *= np.exp(_MISREAD * rng.standard_normal((count, 1)))
    unit = as_unit(x, s, sensor.seen)
    x, s, target = x / unit, np.where(sensor.seen, np.clip(s / unit, 1e-4, LARGEST / 2), LARGEST), target / unit
    if snr is None:
        x, s = _in_time(rng, x, s, target)
    x = np.where(s < LARGEST, x, CENTRE)
    parts = (x, s, np.broadcast_to(sensor.fwhm, x.shape), target, np.broadcast_to(sensor.seen, x.shape))
    return NoisySpectra(*(np.ascontiguousarray(part, np.float32) for part in parts))


def _in_time(
    rng: np.random.Generator, x: np.ndarray, s: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join the states of a diffusion to some observations, and replace some by them."""
    kind = rng.random((len(x), 1))  # below 0.35: both; above 0.85: only the state
    sigma = np.exp(rng.normal(-1.0, 1.5, (len(x), 1)))
    state = target + sigma * rng.standard_normal(target.shape)
    s = np.where(kind > 0.85, LARGEST, s)
    a, b = 1 / s**2, 1 / sigma**2
    joined = (np.where(s < LARGEST, a * x, 0) + b * state) / (np.where(s < LARGEST, a, 0) + b)
    either = (kind < 0.35) | (kind > 0.85)
    return np.where(either, joined, x), np.where(either, 1 / np.sqrt(np.where(s < LARGEST, a, 0) + b), s)


def _on_grid(std: np.ndarray, sensor: Sensor) -> np.ndarray:
    return np.asarray(np.sqrt(np.square(std) @ np.square(sensor.gather).T))


def _profile(rng: np.random.Generator, nm: np.ndarray, count: int) -> np.ndarray:
    """Draw how noise differs between bands, and a few loud bands."""
    u = np.linspace(-1, 1, len(nm))
    waves = sum(rng.normal(0, 1, (count, 1)) * np.cos(np.pi * k * u + rng.uniform(0, 6.28)) / k for k in (1, 2, 3))
    loud = np.where(rng.random((count, len(nm))) < 0.02, rng.uniform(1, 6, (count, len(nm))), 1.0)
    return np.asarray(np.exp(rng.uniform(0, 0.5, (count, 1)) * waves) * loud)


def _rough(rng: np.random.Generator, count: int, nm: np.ndarray) -> np.ndarray:
    """Draw what real spectra have beyond textbook shapes: fine structure, and the atmosphere's marks; logarithmic."""
    out = np.zeros((count, len(nm)))
    for length in (25.0, 60.0):
        knots = np.arange(350.0, 2560.0, length)
        height = rng.standard_normal((count, len(knots)))
        size = 10 ** rng.uniform(-3, -1.6, (count, 1)) * (rng.random((count, 1)) < 0.5)
        curve = np.exp(-0.5 * np.square((nm - knots[:, None]) / (0.6 * length)))
        out += size * (height @ curve)
    marks = np.exp(-0.5 * np.square((nm - _MARKS[:, None]) / rng.uniform(7, 25, (len(_MARKS), 1))))
    common = 0.03 * rng.random() * (rng.random() < 0.4) * rng.standard_normal((1, len(_MARKS)))
    own = 0.01 * (rng.random((count, 1)) < 0.4) * rng.standard_normal((count, len(_MARKS)))
    return np.asarray(out + (common + own) @ marks)

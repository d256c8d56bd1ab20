"""Scenes to train networks with: what is seen, what is told of it, and what it was without noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hsgeo.synthetic.effects import Effects
from hsgeo.synthetic.endmembers import random_spectra
from hsgeo.synthetic.fields import random_field
from hsgeo.synthetic.observation import observe
from hsgeo.synthetic.sensors import random_bands

__all__ = ["COUNTS", "Lesson", "lesson"]

COUNTS = {2: 0.08, 3: 0.18, 4: 0.18, 5: 0.16, 6: 0.14, 7: 0.09, 8: 0.07, 9: 0.04, 10: 0.03, 12: 0.03}
"""How often scenes have so many endmembers: as in published scenes, with a tail to twelve."""

_SNR = (4.0, 42.0)  # dB: where scenes are hopeless without their neighbours, to where neighbours hardly help
_NOISE_ERROR = 0.06  # of the told noise, relative: what estimators reach on scenes of this size
_WRONG = 0.2  # share of scenes whose endmembers are told wrong, as blind extraction would
_STRANGE = 0.6  # share of such scenes among the strange
_HOLES = 0.15  # share of scenes with invalid pixels


@dataclass(frozen=True)
class Lesson:
    """One scene as a method meets it, and the same without noise.

    Parameters
    ----------
    noisy, clean : numpy.ndarray
        ``(band, y, x)`` float32; invalid pixels of ``noisy`` are NaN.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    E : numpy.ndarray
        Endmembers as they are told ``(band, endmember)``: in some scenes not quite the true ones.
    A : numpy.ndarray
        True abundances ``(endmember, y, x)``.
    peak : bool
        The convention: every pixel has a gain, endmembers have their highest band at 1.
    noise : numpy.ndarray
        ``(band,)`` standard deviation of the noise as it is told.
    snr : float
        Signal-to-noise ratio, dB.
    """

    noisy: np.ndarray
    clean: np.ndarray
    wavelength: np.ndarray
    E: np.ndarray
    A: np.ndarray
    peak: bool
    noise: np.ndarray
    snr: float


def lesson(
    rng: np.random.Generator, size: int, count: int, *, snr: float | None = None, strange: bool = False
) -> Lesson:
    """Draw a scene to learn from: a random sensor, random materials, a random landscape, random faults.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same state gives the same scene.
    size : int
        Side in pixels.
    count : int
        Number of endmembers.
    snr : float, optional
        dB; by default anything between 4 and 42.
    strange : bool
        Whether six scenes in ten fit their endmembers as badly as real ones can: variability, unexplained structure
        and second reflections up to five times as strong.

    Returns
    -------
    Lesson
        The scene.
    """
    wavelength, fwhm = random_bands(rng)
    E = random_spectra(rng, count, wavelength, fwhm)
    A = random_field(rng, size, size, count)
    level = float(rng.uniform(*_SNR)) if snr is None else snr
    # the runner leaves dead bands out; correlated noise is told as what it is not, white, and there is nothing to learn
    effects = replace(Effects.random(rng), snr_db=level, dead=0.0, noise_correlation=0.0)
    if strange and rng.random() < _STRANGE:
        effects = _stranger(effects, rng)
    seen = observe(rng, E, A, effects=effects, wavelength=wavelength)
    peak = bool(rng.random() < 0.5)
    told = E
    if rng.random() < _WRONG:
        bend = rng.standard_normal((3, count)) * rng.uniform(0, 0.08)
        x = np.linspace(-1, 1, len(E))[:, None]
        told = E * np.exp(bend[0] + bend[1] * x + bend[2] * (x * x - 1 / 3))
    if peak:
        told = told / told.max(axis=0)
    noise = np.maximum(seen.noise_std, 1e-7) * np.exp(rng.normal(0, _NOISE_ERROR))
    noisy = seen.spectra
    if rng.random() < _HOLES:
        noisy = noisy.copy()
        noisy[:, _holes(rng, size)] = np.nan
    return Lesson(noisy, seen.clean, wavelength, told, A, peak, noise, level)


def _stranger(effects: Effects, rng: np.random.Generator) -> Effects:
    """Make the scene fit its endmembers worse: the best linear fit of real scenes leaves 5 to 20 % of their size."""
    more = np.exp(rng.uniform(0, np.log(5), 3))
    return replace(
        effects,
        variability=float(more[0]) * max(effects.variability, 0.01),
        model_error=float(more[1]) * max(effects.model_error, 0.01),
        bilinear=min(float(more[2]) * effects.bilinear, 1.0),
    )


def _holes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw invalid pixels: an edge of the scene, a rectangle, or scattered ones."""
    out = np.zeros((size, size), bool)
    kind = rng.integers(3)
    if kind == 0:
        cut = int(rng.integers(1, size // 2))
        side = int(rng.integers(4))
        np.rot90(out, side)[:cut] = True
    elif kind == 1:
        y, x = rng.integers(0, size - 4, 2)
        h, w = rng.integers(2, size // 3, 2)
        out[y : y + h, x : x + w] = True
    else:
        out |= rng.random((size, size)) < rng.uniform(0.002, 0.05)
    return out

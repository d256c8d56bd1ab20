"""The noise of every band, neither more nor less than there is: for methods that take it at its word."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.noise import noise_floor, noise_std

__all__ = ["CAUTION", "calibrated_noise", "told_noise"]

# of the median noise: a band quieter than that is dead or made up
_QUIETEST = 0.01
# of what regression says: below it the noise of the bands is correlated, and the eigenvalues mean something else
_LEAST = 0.3
# complete pixels: with fewer, noise and signal cannot be told apart (20 pixels of 60 bands: a third too much)
_FEWEST = 30
# of the size of the data, told where there are too few pixels: methods then do as without noise
_NONE = 1e-7
CAUTION = 0.9
"""Share of the noise that networks are told. On synthetic scenes that their endmembers do not explain a little less
costs nothing, on others 1 %; too much does harm. Chosen with sight of Samson, where it is worth 1 % at 20 dB."""


def calibrated_noise(pixels: np.ndarray) -> np.ndarray:
    """Estimate the noise of every band: its profile by regression, its level by the floor of the eigenvalues.

    What other bands do not tell of a band (`hsgeo.spectra.noise.noise_std`) is noise, and a little signal: 1 to 7 % too
    much on synthetic scenes with 40 to 10 dB, 15 % on a real one. Divided by it, the data have white noise whose level
    the lower half of the eigenvalues tells (`hsgeo.spectra.noise.noise_floor`): within 1 % on the same scenes.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(pixels, bands)``; pixels with a value that is not finite are left out.

    Returns
    -------
    numpy.ndarray
        Standard deviation ``(bands,)``, above 0, in the units of the data. With fewer than 30 complete pixels next to
        none.

    Raises
    ------
    ConfigError
        The data are no matrix.
    """
    if pixels.ndim != 2:
        raise ConfigError(f"data of shape {pixels.shape}", "(pixels, bands)", "Reshape them")
    tiny = float(np.finfo(np.float32).tiny)
    complete = np.isfinite(pixels).all(axis=1)
    if complete.sum() < _FEWEST:
        known = pixels[np.isfinite(pixels)]
        size = float(np.sqrt(np.mean(np.square(known, dtype=np.float64)))) if known.size else 0.0
        return np.full(pixels.shape[1], max(_NONE * size, tiny))
    noise = noise_std(pixels)
    noise = np.maximum(noise, max(_QUIETEST * float(np.median(noise)), tiny))
    return np.asarray(noise * np.clip(noise_floor(pixels / noise), _LEAST, 1))


def told_noise(pixels: np.ndarray) -> np.ndarray:
    """Estimate the noise of every band, and tell nine tenths of it (`calibrated_noise`).

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(pixels, bands)``; pixels with a value that is not finite are left out.

    Returns
    -------
    numpy.ndarray
        Standard deviation ``(bands,)``, above 0, in the units of the data. With fewer than 30 complete pixels next to
        none: the closed form stays as it is.
    """
    return CAUTION * calibrated_noise(pixels)

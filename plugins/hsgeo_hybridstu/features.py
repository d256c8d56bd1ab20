"""What the network is told: maps per endmember, and a volume over wavelength windows; the same for every sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.nn.pixel_maps import pixel_maps, reach
from hsgeo.spectra.solvers.estimate import Estimate, Mixing, estimate, product

__all__ = ["VOLUME", "WINDOW_EDGES", "Features", "features"]

WINDOW_EDGES = (
    *((400, 475), (475, 550), (550, 625), (625, 700), (700, 775), (775, 850), (850, 925), (925, 1000)),
    *((1000, 1110), (1110, 1220), (1220, 1350)),
    *((1450, 1620), (1620, 1800)),
    *((1950, 2130), (2130, 2300), (2300, 2500)),
)
"""Sixteen wavelength windows in nm, finer where materials differ by pigments; the gaps are water vapour."""

VOLUME = 5
"""Channels of the volume: angle, brightness, misfit and signal-to-noise in each window, and whether it has bands."""


@dataclass(frozen=True)
class Features:
    """The input of the network for one window of the scene.

    Parameters
    ----------
    maps : numpy.ndarray
        ``(endmember, MAPS, y, x)`` float32, finite.
    volume : numpy.ndarray
        ``(endmember, VOLUME, window, y / 2, x / 2)`` float32, finite: means over two by two pixels.
    closed, reach : numpy.ndarray
        ``(endmember, y, x)`` float32: where the network starts, and how far it may go; 0 in invalid pixels.
    valid : numpy.ndarray
        ``(y, x)`` bool.
    correlation : numpy.ndarray
        ``(endmember, endmember)`` float32, of the errors.
    """

    maps: np.ndarray
    volume: np.ndarray
    closed: np.ndarray
    reach: np.ndarray
    valid: np.ndarray
    correlation: np.ndarray


def features(spectra: np.ndarray, wavelength: np.ndarray, mix: Mixing) -> Features:
    """Turn the spectra of a window into the input of the network.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(band, y, x)`` float32, even height and width; non-finite values are missing.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    mix : Mixing
        Endmembers, convention and noise.

    Returns
    -------
    Features
        All of it finite.
    """
    bands, height, width = spectra.shape
    est = estimate(spectra.reshape(bands, -1), mix)
    valid = np.isfinite(est.closed[0])
    maps = pixel_maps(est, mix).reshape(mix.E.shape[1], -1, height, width)
    volume = _volume(est, valid, wavelength, mix, height, width)
    shape = (-1, height, width)
    return Features(
        maps=maps,
        volume=volume,
        closed=np.where(valid, est.closed, 0).reshape(shape),
        reach=np.where(valid, reach(est.std), 0).astype(np.float32).reshape(shape),
        valid=valid.reshape(height, width),
        correlation=mix.correlation,
    )


def _volume(
    est: Estimate, valid: np.ndarray, wavelength: np.ndarray, mix: Mixing, height: int, width: int
) -> np.ndarray:
    """Compare the spectra with every endmember, window by window, on cells of two by two pixels."""
    bands, count = mix.E.shape
    cells = (height // 2, width // 2)
    weight = _halve(valid.astype(np.float32).reshape(1, height, width))[0]
    Y = _halve(est.filled.reshape(bands, height, width)) / np.maximum(weight, 0.25)
    amount = np.where(valid, est.closed * np.where(valid, est.gain, 0), 0).reshape(count, height, width)
    X = (_halve(amount) / np.maximum(weight, 0.25)).reshape(count, -1)
    Y, seen = Y.reshape(bands, -1), weight.ravel() > 0
    out = np.zeros((count, VOLUME, len(WINDOW_EDGES), cells[0] * cells[1]), np.float32)
    E = mix.E.astype(np.float32)
    for k, (low, high) in enumerate(WINDOW_EDGES):
        inside = (wavelength >= low) & (wavelength < high)
        if not inside.any():
            continue
        y, e = Y[inside], E[inside]
        # 0.5: the mean of four pixels has half the noise
        noise = np.float32(0.5 * np.sqrt(np.mean(mix.noise[inside] ** 2) * inside.sum()))
        size_y = np.sqrt(np.einsum("bn,bn->n", y, y)) + 1e-2 * noise + np.float32(1e-12)
        size_e = np.sqrt(np.einsum("bp,bp->p", e, e))[:, None] + np.float32(1e-12)
        cosine = product(e.T, y) / (size_e * size_y)
        residual = y - product(e, X)
        misfit = np.sqrt(np.einsum("bn,bn->n", residual, residual)) / noise
        out[:, 0, k] = np.sqrt(np.maximum(2 - 2 * cosine, 0))  # the chord of the angle: steep where it is small
        out[:, 1, k] = 0.5 * np.log(np.clip(size_y / size_e, 1e-2, 1e2))
        out[:, 2, k] = np.log10(np.clip(misfit, 0.1, 1e3))
        out[:, 3, k] = 0.5 * np.log10(np.clip(size_y / noise, 0.1, 1e5))
        out[:, 4, k] = 1
    out[..., ~seen] = 0
    return out.reshape(count, VOLUME, len(WINDOW_EDGES), *cells)


def _halve(image: np.ndarray) -> np.ndarray:
    """Average ``(..., y, x)`` over two by two pixels."""
    return np.asarray(
        0.25 * (image[..., ::2, ::2] + image[..., 1::2, ::2] + image[..., ::2, 1::2] + image[..., 1::2, 1::2])
    )

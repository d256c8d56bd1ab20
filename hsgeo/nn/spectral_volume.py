"""What a network is told of the spectrum: angle, brightness, misfit in sixteen wavelength windows."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.solvers.estimate import Estimate, Mixing, product

__all__ = ["VOLUME", "WINDOW_EDGES", "spectral_volume"]

WINDOW_EDGES = (
    *((400, 475), (475, 550), (550, 625), (625, 700), (700, 775), (775, 850), (850, 925), (925, 1000)),
    *((1000, 1110), (1110, 1220), (1220, 1350)),
    *((1450, 1620), (1620, 1800)),
    *((1950, 2130), (2130, 2300), (2300, 2500)),
)
"""Sixteen wavelength windows in nm, finer where materials differ by pigments; the gaps are water vapour."""

VOLUME = 5
"""Channels of the volume: angle, brightness, misfit and signal-to-noise in each window, and whether it has bands."""


def spectral_volume(est: Estimate, valid: np.ndarray, wavelength: np.ndarray, mix: Mixing) -> np.ndarray:
    """Compare spectra with every endmember, wavelength window by window, on cells of two by two pixels.

    Parameters
    ----------
    est : Estimate
        Of the pixels of an image.
    valid : numpy.ndarray
        ``(y, x)`` bool, even sides: which of them have an estimate.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    mix : Mixing
        That the estimate was made with.

    Returns
    -------
    numpy.ndarray
        ``(endmember, VOLUME, window, y / 2, x / 2)`` float32, finite; 0 in windows without bands and empty cells.
    """
    height, width = valid.shape
    known = valid.ravel()
    bands, count = mix.E.shape
    cells = (height // 2, width // 2)
    weight = _halve(valid.astype(np.float32).reshape(1, height, width))[0]
    Y = _halve(est.filled.reshape(bands, height, width)) / np.maximum(weight, 0.25)
    amount = np.where(known, est.closed * np.where(known, est.gain, 0), 0).reshape(count, height, width)
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

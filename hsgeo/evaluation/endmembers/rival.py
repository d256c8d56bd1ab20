"""What any stage that takes noise out of endmembers has to beat: a projection and a smoother."""

from __future__ import annotations

import numpy as np

__all__ = ["smoothed"]

_BEYOND = 2  # dimensions more than endmembers
_TAPS = np.array([1.0, 6.0, 15.0, 20.0, 15.0, 6.0, 1.0]) / 64  # binomial: a Gaussian of 1.2 bands


def smoothed(E: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Project endmembers on the strongest directions of the pixels, and smooth them over seven bands.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``.
    Y : numpy.ndarray
        ``(pixels, bands)``, finite.

    Returns
    -------
    numpy.ndarray
        ``(bands, endmembers)``; the ends are repeated beyond themselves.
    """
    Y = np.asarray(Y, np.float64)
    basis = np.linalg.eigh(Y.T @ Y)[1][:, -min(E.shape[1] + _BEYOND, len(E)) :]
    projected = basis @ (basis.T @ E)
    half = len(_TAPS) // 2
    padded = np.pad(projected, ((half, half), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, _TAPS, "valid") for column in padded.T], axis=1)

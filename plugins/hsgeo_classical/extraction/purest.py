"""Hypotheses for scenes with pure pixels: the largest simplex whose corners are pixels (N-FINDR)."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.noise import moments

__all__ = ["affine_coordinates", "largest_simplex"]

_SWEEPS = 20  # exchanges grow the volume, so they end; five sweeps are usual


def affine_coordinates(Y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Reduce pixels to the ``count - 1`` dimensions of a simplex with ``count`` corners, whitened.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)``.
    count : int
        Corners.

    Returns
    -------
    Z : numpy.ndarray
        Homogeneous coordinates ``(count, pixels)``, the last row 1.
    basis : numpy.ndarray
        ``(bands, count - 1)``.
    """
    _, mean, second = moments(Y.T)
    values, vectors = np.linalg.eigh(second - np.outer(mean, mean))
    top = np.maximum(values[len(values) - (count - 1) :], np.finfo(np.float64).tiny)
    basis = vectors[:, len(values) - (count - 1) :]
    Z = (basis.T @ Y - (basis.T @ mean)[:, None]) / np.sqrt(top)[:, None]
    return np.vstack([Z, np.ones((1, Y.shape[1]))]), basis


def largest_simplex(Z: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Exchange corners for pixels as long as the simplex grows.

    Winter, "N-FINDR: an algorithm for fast autonomous spectral end-member determination in hyperspectral data",
    SPIE 3753, 1999. By Cramer's rule the volume with corner ``j`` replaced is ``|row j of M^-1 Z|`` times the old one,
    so one product judges all pixels.

    Parameters
    ----------
    Z : numpy.ndarray
        Homogeneous coordinates ``(count, pixels)``.
    corners : numpy.ndarray
        Pixels to begin with, ``(count,)``.

    Returns
    -------
    numpy.ndarray
        Pixels at the corners ``(count,)``.
    """
    corners = corners.copy()
    for _ in range(_SWEEPS):
        grown = False
        for j in range(len(corners)):
            growth = np.abs(np.linalg.pinv(Z[:, corners])[j] @ Z)
            best = int(growth.argmax())
            if growth[best] > 1 + 1e-9 and best != corners[j]:  # rounding must not swap twins for ever
                corners[j], grown = best, True
        if not grown:
            break
    return corners

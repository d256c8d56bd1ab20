"""How many endmembers a scene has: what ``count: auto`` means."""

from __future__ import annotations

import numpy as np

from hsgeo.plugin import ConfigError
from hsgeo.spectra.noise import noise_std
from hsgeo.spectra.subspace import principal_subspace, signal_subspace

__all__ = ["FEWEST", "MOST", "count_endmembers"]

FEWEST, MOST = 3, 10
_COUNTABLE = 10  # pixels; the noise of fewer cannot be told from their differences, and all would count as one
_VARIATION = 0.065  # radians; spectra of one material differ by about this in real scenes (0.02 to 0.06 within classes)


def count_endmembers(Y: np.ndarray, directions: np.ndarray) -> int:
    """Count endmembers.

    A linear scene has as many dimensions above the noise as endmembers (HySime's idea, with the edge of Marchenko
    and Pastur as the threshold): up to 10 of them are believed. Real materials vary, and variation fills dozens of
    dimensions above the noise; then the count is the number of dimensions that brings the rms angle of the
    remainder below 0.065 rad, at least 3 and at most 10.

    Parameters
    ----------
    Y : numpy.ndarray
        Complete pixels ``(bands, pixels)``.
    directions : numpy.ndarray
        The same, divided by their norms (dark ones by more).

    Returns
    -------
    int
        At least 1, at most the number of bands and of pixels.

    Raises
    ------
    ConfigError
        Fewer than 10 pixels.
    """
    bands, pixels = Y.shape
    if pixels < _COUNTABLE:
        raise ConfigError(
            f"{pixels} usable pixels are too few to count endmembers in",
            f"count: auto with at least {_COUNTABLE} pixels",
            "Give the number with --count, or endmembers with --endmembers",
        )
    limit = min(bands, pixels)
    dimension = signal_subspace(Y.T, noise_std(Y.T)).dimension
    if dimension > MOST:
        energy = np.maximum(principal_subspace(directions.T, 1).eigenvalues, 0)
        rest = np.sqrt(np.maximum(1 - np.cumsum(energy) / energy.sum(), 0))
        dimension = int(np.clip(np.argmax(rest < _VARIATION) + 1, FEWEST, MOST))
    return min(dimension, limit)

"""What the metrics share: pairs of arrays that fit, and which pixels count."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["both", "unit"]


def both(A: np.ndarray, A_true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that are finite in both, float64; say so where there is nothing to compare."""
    A, A_true = np.asarray(A, dtype=np.float64), np.asarray(A_true, dtype=np.float64)
    if A.ndim != 2 or A.shape != A_true.shape:
        raise ConfigError(
            f"abundances of shape {A.shape} and {A_true.shape}",
            "(pixels, endmembers), the same shape",
            "Match them first: hsgeo.spectra.metrics.match",
        )
    good = np.isfinite(A).all(axis=1) & np.isfinite(A_true).all(axis=1)
    if not good.any():
        raise ConfigError(
            "no pixel is valid in both sets of abundances",
            "at least one",
            "See whether both cover the same place, and which pixels are NaN",
        )
    return A[good], A_true[good]


def unit(spectra: np.ndarray) -> np.ndarray:
    """Return spectra (columns) of length one; a zero spectrum stays zero."""
    norm = np.linalg.norm(spectra, axis=0)
    return np.asarray(spectra / np.where(norm > 0, norm, 1.0))

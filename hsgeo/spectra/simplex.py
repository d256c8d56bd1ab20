"""Exact projection onto the simplex: the nearest abundances to any vector."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["project_simplex"]


def project_simplex(X: np.ndarray, *, axis: int = -1) -> np.ndarray:
    """Move each vector to the nearest one that is non-negative and sums to one.

    Exact Euclidean projection by sorting (Held, Wolfe and Crowder, 1974): ``max(x - tau, 0)`` with the one
    threshold ``tau`` that makes the sum 1. Entries may become exactly 0.

    Parameters
    ----------
    X : numpy.ndarray
        Any shape; a vector with a non-finite entry gives NaN.
    axis : int
        The axis that will sum to one.

    Returns
    -------
    numpy.ndarray
        Same shape; float32 for float32 input, else float64.

    Raises
    ------
    ConfigError
        The axis has no entries.
    """
    X = np.asarray(X)
    dtype = np.float32 if X.dtype == np.float32 else np.float64
    V = np.moveaxis(X.astype(np.float64), axis, -1)
    count = V.shape[-1]
    if not count:
        raise ConfigError(f"an array of shape {X.shape} to project along axis {axis}", "at least one entry")
    bad = np.asarray(~np.isfinite(V).all(axis=-1))
    V = np.where(bad[..., None], 0.0, V)
    V = V - V.max(axis=-1, keepdims=True)  # a shift changes nothing, and keeps large entries from cancelling
    ordered = -np.sort(-V, axis=-1)
    excess = np.cumsum(ordered, axis=-1) - 1.0
    active = (ordered * np.arange(1, count + 1) > excess).sum(axis=-1, keepdims=True)
    tau = np.take_along_axis(excess, active - 1, axis=-1) / active
    out = np.maximum(V - tau, 0.0)
    out /= out.sum(axis=-1, keepdims=True)
    out[bad] = np.nan
    return np.moveaxis(out, -1, axis).astype(dtype)

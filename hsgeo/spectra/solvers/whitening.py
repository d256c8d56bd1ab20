"""Noise-weighted unmixing: bands count by how noisy they are, and by how their noise is correlated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.api import fcls
from hsgeo.spectra.solvers.arrays import as_data, as_endmembers, as_float, as_numbers
from hsgeo.spectra.solvers.sunsal import LARGEST_LIBRARY

__all__ = ["gls", "noise_factor", "whiten"]

_RIDGE = 1e-10  # relative to unit variance: lets a singular covariance be factorised, changes no regular one
_NEGATIVE = 1e-6  # an eigenvalue of the correlation below minus this is no rounding: float32 sums make 1e-7


def noise_factor(noise: np.ndarray | float, bands: int) -> np.ndarray:
    """Turn what is known of the noise into standard deviations or a Cholesky factor, checked.

    Parameters
    ----------
    noise : float or numpy.ndarray
        Standard deviation of all bands; ``(bands,)`` standard deviations; or ``(bands, bands)`` covariance, positive
        semi-definite. A singular one gets a ridge of 1e-10 of each band's variance.
    bands : int
        How many bands there are.

    Returns
    -------
    numpy.ndarray
        ``(bands,)`` standard deviations, or ``(bands, bands)`` lower triangular ``L`` with ``L L^T`` the covariance.

    Raises
    ------
    ConfigError
        When the shape does not fit, a band's noise is not positive, or a covariance is not symmetric and positive
        semi-definite.
    """
    noise = as_float(as_numbers(noise, name="noise"), np.float64, name="noise")
    if noise.shape not in ((), (bands,), (bands, bands)):
        raise ConfigError(
            f"the noise has the shape {noise.shape}",
            f"one standard deviation, ({bands},) standard deviations or a ({bands}, {bands}) covariance",
        )
    variance = np.diag(noise) if noise.ndim == 2 else np.broadcast_to(noise, (bands,))
    if not (np.isfinite(noise).all() and (variance > 0).all()):
        raise ConfigError(
            f"the noise of {int((~(variance > 0)).sum())} of {bands} bands is not positive, or a value is not finite",
            "finite noise above 0 in every band",
            "Drop bands without noise (dead bands) from the data, the endmembers and the noise",
        )
    if noise.ndim < 2:
        return np.array(variance)
    std = np.sqrt(variance)
    R = noise / std / std[:, None]
    if np.abs(R - R.T).max() > _NEGATIVE:
        raise ConfigError("the noise covariance is not symmetric", "a covariance matrix")
    R = (R + R.T) / 2
    R[np.diag_indices(bands)] += _RIDGE
    try:
        factor = np.linalg.cholesky(R)
    except np.linalg.LinAlgError:
        value, vector = np.linalg.eigh(R)  # ascending; rounding below 0 becomes the ridge
        if value[0] < -_NEGATIVE:
            raise ConfigError(
                f"the noise covariance has a negative eigenvalue ({value[0]:.2g} of a band's variance)",
                "a positive semi-definite covariance",
            ) from None
        factor = np.linalg.cholesky(vector * np.maximum(value, _NEGATIVE) @ vector.T)
    return np.asarray(std[:, None] * factor)


def whiten(Y: np.ndarray, E: np.ndarray, noise: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Rotate and scale bands so that noise becomes white with variance 1: least squares of the results is weighted.

    With the covariance ``S = L L^T`` both ``Y`` and ``E`` are multiplied by ``L^-1``, so that
    ``||L^-1 (y - E a)||^2 = (y - E a)^T S^-1 (y - E a)`` (Aitken, 1936).

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``. Under standard deviations a missing (masked or non-finite) band stays missing,
        alone. Under a covariance bands mix, and a pixel that lacks a band becomes NaN in all: `gls` solves such pixels.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``.
    noise : float or numpy.ndarray
        As for `noise_factor`.

    Returns
    -------
    Y : numpy.ndarray
        ``(pixels, bands)`` float64, no unit.
    E : numpy.ndarray
        ``(bands, endmembers)`` float64.

    Raises
    ------
    ConfigError
        As `noise_factor`, or when Y and E do not have the same bands.
    """
    Y, E = _checked(Y, E)
    factor = noise_factor(noise, E.shape[0])
    if factor.ndim == 1:
        try:
            with np.errstate(over="raise"):
                return Y / factor, E / factor[:, None]
        except FloatingPointError as error:
            raise ConfigError(
                f"values divided by a noise of {factor.min():.2g} overflow",
                "data, endmembers and noise in the same units",
                "Set fill values to NaN, and check the noise",
            ) from error
    return _solve(factor, Y.T).T, _solve(factor, E)


def gls(
    Y: np.ndarray, E: np.ndarray, noise: np.ndarray | float, *, solver: Callable[[np.ndarray, np.ndarray], Any] = fcls
) -> Any:
    """Solve with weights from the noise (generalised least squares), missing bands included.

    A pixel that lacks bands is weighted with the marginal covariance of the bands it has, which is what is known of
    them.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``; masked and non-finite values are missing.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``.
    noise : float or numpy.ndarray
        As for `noise_factor`.
    solver : callable
        ``solver(Y, E)`` gives one array or a tuple of them, pixels first: `fcls`, `nnls`, `ucls`, `bvls`, `scls`, or
        one of them with its options bound by `functools.partial`.

    Returns
    -------
    numpy.ndarray or tuple of numpy.ndarray
        What the solver returns.

    Raises
    ------
    ConfigError
        As `whiten` and the solver.
    """
    Y, E = _checked(Y, E)
    factor = noise_factor(noise, E.shape[0])
    missing = ~np.isfinite(Y)
    if factor.ndim == 1 or not missing.any():
        return solver(*whiten(Y, E, noise))
    patterns, group = np.unique(missing, axis=0, return_inverse=True)
    parts: list[tuple[np.ndarray, Any]] = []
    covariance = as_float(as_numbers(noise, name="noise"), np.float64, name="noise")
    for number, pattern in enumerate(patterns):
        rows, has = np.flatnonzero(group.ravel() == number), np.flatnonzero(~pattern)
        part, own = Y[np.ix_(rows, has)], covariance[np.ix_(has, has)]
        # without any band there is nothing to weigh, and the solver says NaN
        parts.append((rows, solver(*(whiten(part, E[has], own) if has.size else (Y[rows], E)))))
    if not isinstance(parts[0][1], tuple):
        return _joined(parts, len(Y))
    return tuple(_joined([(rows, found[k]) for rows, found in parts], len(Y)) for k in range(len(parts[0][1])))


def _joined(parts: list[tuple[np.ndarray, np.ndarray]], pixels: int) -> np.ndarray:
    out = np.empty((pixels, *parts[0][1].shape[1:]), parts[0][1].dtype)
    for rows, values in parts:
        out[rows] = values
    return out


def _checked(Y: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    E = as_endmembers(E, largest=LARGEST_LIBRARY)
    return as_float(as_data(Y, E), np.float64, name="Y"), E


def _solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    from scipy.linalg import solve_triangular

    out = np.full(right.shape, np.nan)
    whole = np.isfinite(right).all(axis=0)
    if whole.any():
        out[:, whole] = solve_triangular(factor, right[:, whole], lower=True, check_finite=False)
    return out

"""The solvers as functions of whole arrays: pixels in rows, as numpy users hold them."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.model import Constraint, mixing_model, solve_block

__all__ = ["fcls", "nnls", "ucls"]

_BLOCK = 4096  # pixels transposed at a time: 3 MB of 200 bands


def fcls(Y: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Estimate abundances that are non-negative and sum to one (fully constrained least squares).

    Minimises ``||y - E a||^2`` subject to ``a >= 0`` and ``sum(a) = 1`` (Heinz and Chang, 2001), exactly, by
    block pivoting with a primal active-set method behind it, in float64.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``. Non-finite values are missing: the pixel is solved on its other bands; a
        pixel without any valid band gives NaN.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, finite, 1 to 64, same units. Collinear endmembers and more
        endmembers than bands are allowed: among the minimisers the one of (nearly) smallest norm is taken.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)`` float32.

    Raises
    ------
    ConfigError
        When shapes do not fit, or the endmembers are not finite or more than 64.
    """
    return _by_rows(Y, E, "fcls")


def nnls(Y: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Estimate non-negative abundances (non-negative least squares).

    Minimises ``||y - E a||^2`` subject to ``a >= 0`` (Lawson and Hanson, 1974), exactly.

    Parameters
    ----------
    Y, E : numpy.ndarray
        As in `fcls`.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)`` float32.

    Raises
    ------
    ConfigError
        As in `fcls`.
    """
    return _by_rows(Y, E, "nnls")


def ucls(Y: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Estimate abundances without constraints (ordinary least squares).

    Parameters
    ----------
    Y, E : numpy.ndarray
        As in `fcls`.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)`` float32.

    Raises
    ------
    ConfigError
        As in `fcls`.
    """
    return _by_rows(Y, E, "ucls")


def _by_rows(Y: np.ndarray, E: np.ndarray, constraint: Constraint) -> np.ndarray:
    Y, E = np.asarray(Y), np.asarray(E)
    if Y.ndim != 2 or E.ndim != 2 or Y.shape[1] != E.shape[0]:
        raise ConfigError(
            f"Y has the shape {Y.shape} and E the shape {E.shape}",
            "Y (pixels, bands) and E (bands, endmembers) with the same bands",
            "Reshape an image (rows, cols, bands) with Y.reshape(-1, bands)",
        )
    model = mixing_model(E, constraint)
    A = np.empty((Y.shape[0], model.count), np.float32)
    for start in range(0, Y.shape[0], _BLOCK):
        block = np.ascontiguousarray(Y[start : start + _BLOCK].T, dtype=np.float32)
        A[start : start + _BLOCK] = solve_block(block, model)[0].T
    return A

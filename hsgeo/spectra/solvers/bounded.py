"""Bounded least squares: each abundance between its own lower and upper bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.spectra.solvers.arrays import as_block, as_bounds, as_data, as_endmembers, as_float, as_numbers, precision
from hsgeo.spectra.solvers.model import LARGEST_COUNT

__all__ = ["BoundedModel", "bounded_model", "bvls", "residual_rmse", "solve_bounded_block"]

_BLOCK = 4096  # pixels transposed at a time: 3 MB of 200 bands
_RIDGE = 1e-10  # relative to unit diagonal: far above rounding (1e-16), so that twins share evenly, far below data


@dataclass(frozen=True, eq=False)
class BoundedModel:
    """Endmembers and bounds made ready for `solve_bounded_block`. Built by `bounded_model`; safe to share by threads.

    Parameters
    ----------
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)`` float64, as given.
    D : numpy.ndarray
        Endmembers divided by ``scale``.
    scale : numpy.ndarray
        ``(endmembers,)`` lengths of the endmembers.
    lower, upper : numpy.ndarray
        ``(endmembers,)`` bounds, possibly infinite.
    ridge : float
        Added to the diagonal.
    H : numpy.ndarray
        ``D^T D + ridge I``.
    """

    E: np.ndarray
    D: np.ndarray
    scale: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    ridge: float
    H: np.ndarray

    @property
    def count(self) -> int:
        """Number of endmembers."""
        return int(self.E.shape[1])


def bounded_model(E: np.ndarray, *, lower: float | np.ndarray = 0.0, upper: float | np.ndarray = 1.0) -> BoundedModel:
    """Make endmembers and bounds ready for `solve_bounded_block`.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``, finite, 1 to 64 endmembers, in the units of the data.
    lower, upper : float or numpy.ndarray
        Bounds of the abundances, one for all or ``(endmembers,)``; infinite for none, equal to fix an abundance.

    Returns
    -------
    BoundedModel
        What `solve_bounded_block` needs.

    Raises
    ------
    ConfigError
        When a shape is wrong, a value is not finite, there are more than 64 endmembers, or a lower bound is not
        below its upper bound.
    """
    E = as_endmembers(E, largest=LARGEST_COUNT)
    count = E.shape[1]
    low, high = as_bounds(lower, upper, count)
    scale = np.sqrt((E * E).sum(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    D = np.ascontiguousarray(E / scale)
    H = D.T @ D
    H[np.diag_indices(count)] += _RIDGE
    return BoundedModel(E, D, scale, low, high, _RIDGE, H)


def solve_bounded_block(Y: np.ndarray, model: BoundedModel) -> tuple[np.ndarray, np.ndarray]:
    """Solve a block of pixels between bounds; a pixel's bits are the same wherever it stands and whatever is beside it.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32 or float64. Non-finite values are missing: such a pixel is solved on its other
        bands; a pixel without any is NaN.
    model : BoundedModel
        From `bounded_model`.

    Returns
    -------
    A : numpy.ndarray
        Abundances ``(endmembers, pixels)``, the dtype of the data.
    rmse : numpy.ndarray
        ``(pixels,)`` root of the mean over the pixel's valid bands of ``(y - E a)^2``, the dtype of the data.

    Raises
    ------
    ConfigError
        When the data do not have the bands of the endmembers.
    """
    from hsgeo.spectra.solvers import bounded_kernels

    Y = as_block(Y, model.E)
    A = np.empty((model.count, Y.shape[1]), Y.dtype)
    bounded_kernels.solve_bounded(Y, model.D, model.scale, model.lower, model.upper, model.ridge, model.H, A)
    return A, residual_rmse(Y, model.E, A)


def residual_rmse(Y: np.ndarray, E: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Compute the root mean square residual of pixels, each over its valid bands, in a fixed order.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(bands, pixels)``; non-finite values are missing.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``.
    A : numpy.ndarray
        Abundances ``(endmembers, pixels)``.

    Returns
    -------
    numpy.ndarray
        ``(pixels,)``, units and dtype of the data; NaN where nothing is valid.

    Raises
    ------
    ConfigError
        When the data do not have the bands of the endmembers.
    """
    from hsgeo.spectra.solvers import bounded_kernels

    E = as_float(as_numbers(E, name="E"), np.float64, name="E")
    Y = as_block(Y, E)
    squares = np.empty(Y.shape[1])
    bounded_kernels.squared_residual(Y, E, as_float(as_numbers(A, name="A"), Y.dtype, name="A"), squares)
    return np.sqrt(squares).astype(Y.dtype)


def bvls(
    Y: np.ndarray, E: np.ndarray, *, lower: float | np.ndarray = 0.0, upper: float | np.ndarray = 1.0
) -> np.ndarray:
    """Estimate abundances between bounds (bounded-variable least squares).

    Minimises ``||y - E a||^2`` subject to ``lower <= a <= upper`` (Stark and Parker, 1995), exactly, by block
    pivoting with their primal active-set method behind it, in float64. The sum is free.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``. Masked and non-finite values are missing: the pixel is solved on its other bands; a
        pixel without any valid band gives NaN.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, finite, 1 to 64, same units. Collinear endmembers and more
        endmembers than bands are allowed: among the minimisers the one of (nearly) smallest norm is taken.
    lower, upper : float or numpy.ndarray
        Bounds of the abundances, one for all or ``(endmembers,)``; infinite for none, equal to fix an abundance.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)``: float64 for data in float64 or in integers of more than 16 bits, else
        float32.

    Raises
    ------
    ConfigError
        When shapes do not fit, a lower bound is above its upper bound, or the endmembers are not finite or more
        than 64.
    """
    model = bounded_model(E, lower=lower, upper=upper)
    Y = as_data(Y, model.E)
    A = np.empty((Y.shape[0], model.count), precision(Y))
    for start in range(0, Y.shape[0], _BLOCK):
        A[start : start + _BLOCK] = solve_bounded_block(Y[start : start + _BLOCK].T, model)[0].T
    return A

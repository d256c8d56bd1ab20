"""Bounded least squares: each abundance between its own lower and upper bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.errors import ConfigError
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
    E = np.ascontiguousarray(E, dtype=np.float64)
    if E.ndim != 2 or 0 in E.shape:
        raise ConfigError(f"the endmembers have the shape {E.shape}", "(bands, endmembers), at least one of each")
    bands, count = E.shape
    if count > LARGEST_COUNT:
        raise ConfigError(
            f"there are {count} endmembers",
            f"at most {LARGEST_COUNT} in one solve",
            "Select spectra, or use a method made for libraries",
        )
    if not np.isfinite(E).all():
        raise ConfigError(
            f"{int((~np.isfinite(E).all(axis=1)).sum())} of {bands} bands of the endmembers are NaN or infinite",
            "finite endmembers",
            "Drop those bands from both the endmembers and the data",
        )
    try:
        low, high = (np.array(np.broadcast_to(np.asarray(v, np.float64), (count,))) for v in (lower, upper))
    except ValueError as error:
        raise ConfigError(
            f"the bounds have the shapes {np.shape(lower)} and {np.shape(upper)}",
            f"one number, or one for each of the {count} endmembers",
        ) from error
    if not ((low <= high) & (low < np.inf) & (high > -np.inf)).all():  # false for NaN, too
        raise ConfigError(f"the lower bounds are {low} and the upper bounds {high}", "lower <= upper, no NaN")
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

    Y = _as_block(Y, model.E)
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

    E = np.ascontiguousarray(E, dtype=np.float64)
    Y = _as_block(Y, E)
    squares = np.empty(Y.shape[1])
    bounded_kernels.squared_residual(Y, E, np.ascontiguousarray(A), squares)
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
        Data ``(pixels, bands)``. Non-finite values are missing: the pixel is solved on its other bands; a
        pixel without any valid band gives NaN.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, finite, 1 to 64, same units. Collinear endmembers and more
        endmembers than bands are allowed: among the minimisers the one of (nearly) smallest norm is taken.
    lower, upper : float or numpy.ndarray
        Bounds of the abundances, one for all or ``(endmembers,)``; infinite for none, equal to fix an abundance.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)``, float64 for float64 data, else float32.

    Raises
    ------
    ConfigError
        When shapes do not fit, a lower bound is above its upper bound, or the endmembers are not finite or more
        than 64.
    """
    Y, E = np.asarray(Y), np.asarray(E)
    if Y.ndim != 2 or E.ndim != 2 or Y.shape[1] != E.shape[0]:
        raise ConfigError(
            f"Y has the shape {Y.shape} and E the shape {E.shape}",
            "Y (pixels, bands) and E (bands, endmembers) with the same bands",
            "Reshape an image (rows, cols, bands) with Y.reshape(-1, bands)",
        )
    model = bounded_model(E, lower=lower, upper=upper)
    A = np.empty((Y.shape[0], model.count), np.float64 if Y.dtype == np.float64 else np.float32)
    for start in range(0, Y.shape[0], _BLOCK):
        A[start : start + _BLOCK] = solve_bounded_block(Y[start : start + _BLOCK].T, model)[0].T
    return A


def _as_block(Y: np.ndarray, E: np.ndarray) -> np.ndarray:
    if Y.ndim != 2 or Y.shape[0] != E.shape[0]:
        raise ConfigError(
            f"the data have the shape {Y.shape} (bands, pixels) and the endmembers {E.shape[0]} bands",
            "the same bands in both",
            "Resample the endmembers to the data",
        )
    return np.ascontiguousarray(Y, dtype=np.float64 if Y.dtype == np.float64 else np.float32)

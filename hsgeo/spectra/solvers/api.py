"""The solvers as functions of whole arrays: pixels in rows, as numpy users hold them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hsgeo.spectra.solvers.arrays import as_count, as_data, as_float, precision
from hsgeo.spectra.solvers.model import Constraint, checked_prior, mixing_model, solve_into

__all__ = ["at_most_one", "fcls", "nnls", "ucls"]

_SHARE = 16384  # pixels a thread takes at a time: some milliseconds, so that none waits long for the last


def fcls(
    Y: np.ndarray, E: np.ndarray, *, rho: float = 0.0, prior: np.ndarray | None = None, threads: int | None = None
) -> np.ndarray:
    """Estimate abundances that are non-negative and sum to one (fully constrained least squares).

    Minimises ``||y - E a||^2 + rho ||a - z||^2`` subject to ``a >= 0`` and ``sum(a) = 1`` (Heinz and Chang, 2001),
    exactly, by block pivoting with a primal active-set method behind it, in float64.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``. Masked and non-finite values are missing: the pixel is solved on its other bands; a
        pixel without any valid band gives NaN.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, finite, 1 to 64, same units. Collinear endmembers and more
        endmembers than bands are allowed: among the minimisers the one of (nearly) smallest norm is taken. Under
        a sum of one that is equal shares where all endmembers are the same, zeros included.
    rho : float
        Weight of the prior in squared units of the data; 0 for none.
    prior : numpy.ndarray
        ``z (pixels, endmembers)``, given with a positive ``rho`` alone. A pixel whose ``z`` is not finite gives NaN.
    threads : int, optional
        Threads to use; None: all cores of this process. The result does not depend on it in any bit.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)``: float64 for data in float64 or in integers of more than 16 bits, else
        float32.

    Raises
    ------
    ConfigError
        When an array holds no real numbers, shapes do not fit, the endmembers are not finite or more than 64, prior
        and ``rho`` do not fit, or ``threads`` is no whole number above 0.
    """
    return _by_rows(Y, E, "fcls", rho, prior, threads)


def at_most_one(
    Y: np.ndarray, E: np.ndarray, *, rho: float = 0.0, prior: np.ndarray | None = None, threads: int | None = None
) -> np.ndarray:
    """Estimate non-negative abundances whose sum is at most one; what is missing to one is shade.

    Minimises as `fcls` does, subject to ``a >= 0`` and ``sum(a) <= 1``: the same as `fcls` with an endmember of zeros,
    except that neither the prior nor the rule of smallest norm sees the shade: an endmember of zeros gets nothing.

    Parameters
    ----------
    Y, E, rho, prior, threads
        As in `fcls`.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)`` as in `fcls`, without the shade.

    Raises
    ------
    ConfigError
        As in `fcls`.
    """
    return _by_rows(Y, E, "at_most_one", rho, prior, threads)


def nnls(
    Y: np.ndarray, E: np.ndarray, *, rho: float = 0.0, prior: np.ndarray | None = None, threads: int | None = None
) -> np.ndarray:
    """Estimate non-negative abundances (non-negative least squares).

    Minimises ``||y - E a||^2 + rho ||a - z||^2`` subject to ``a >= 0`` (Lawson and Hanson, 1974), exactly.

    Parameters
    ----------
    Y, E, rho, prior, threads
        As in `fcls`.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)`` as in `fcls`.

    Raises
    ------
    ConfigError
        As in `fcls`.
    """
    return _by_rows(Y, E, "nnls", rho, prior, threads)


def ucls(
    Y: np.ndarray, E: np.ndarray, *, rho: float = 0.0, prior: np.ndarray | None = None, threads: int | None = None
) -> np.ndarray:
    """Estimate abundances without constraints (ordinary least squares).

    Parameters
    ----------
    Y, E, rho, prior, threads
        As in `fcls`.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)`` as in `fcls`.

    Raises
    ------
    ConfigError
        As in `fcls`.
    """
    return _by_rows(Y, E, "ucls", rho, prior, threads)


def _by_rows(
    Y: np.ndarray, E: np.ndarray, constraint: Constraint, rho: float, prior: np.ndarray | None, threads: int | None
) -> np.ndarray:
    threads = None if threads is None else as_count(threads, name="threads")
    model = mixing_model(E, constraint, rho=rho)
    Y = as_data(Y, model.E)
    pixels, dtype = len(Y), precision(Y)
    Z = checked_prior(prior, model, shape=(pixels, model.count))
    A, rmse = np.empty((pixels, model.count), dtype), np.empty(pixels, dtype)
    as_it_is = Y.dtype == dtype and Y.flags.c_contiguous

    def some(start: int) -> None:
        stop = min(start + _SHARE, pixels)
        if as_it_is:
            solve_into(Y, model, prior=Z, A=A, rmse=rmse, rows=True, start=start, stop=stop)
            return
        part = as_float(Y[start:stop], dtype, name="Y")  # never a second copy of all data
        own = Z[start:stop] if Z.size else Z
        solve_into(part, model, prior=own, A=A[start:stop], rmse=rmse[start:stop], rows=True, start=0, stop=len(part))

    starts = range(0, pixels, _SHARE)
    workers = min(threads or _cores(), len(starts))
    if workers <= 1:
        for start in starts:
            some(start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(some, starts))
    return A


def _cores() -> int:
    # those this process may use, where the system tells
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

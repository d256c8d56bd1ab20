"""Who is timed: the product ``Y E``, the solvers of hsgeo, and others, each the way its own users would call it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

import numpy as np

__all__ = ["Contender", "contenders"]

_SHARE = 4096  # pixels a thread takes at a time

Problem = Literal["product", "fcls", "nnls"]


@dataclass(frozen=True)
class Contender:
    """One that is timed.

    Parameters
    ----------
    name : str
        Its column.
    problem : {"product", "fcls", "nnls"}
        What it computes.
    prepare : callable or None
        Takes ``Y (pixels, bands)`` float32, returns the function to time, which returns abundances ``(pixels,
        endmembers)``; conversions of the input that it wants are made here and not timed. None: not installed.
    """

    name: str
    problem: Problem
    prepare: Callable[[np.ndarray], Callable[[], np.ndarray]] | None


def contenders(E: np.ndarray, *, threads: int) -> list[Contender]:
    """List who is timed on endmembers ``E``.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)`` float64.
    threads : int
        Threads that each may use, as far as it can use threads at all.

    Returns
    -------
    list of Contender
        The product first; those that are not installed have no ``prepare``.
    """
    spams = find_spec("spams") is not None
    return [
        Contender("Y @ E", "product", lambda Y: _product(Y, E)),
        Contender("hsgeo fcls", "fcls", lambda Y: _own(Y, E, "fcls", threads)),
        Contender("hsgeo nnls", "nnls", lambda Y: _own(Y, E, "nnls", threads)),
        Contender("spams float64", "fcls", (lambda Y: _spams(Y, E, np.float64, threads)) if spams else None),
        Contender("spams float32", "fcls", (lambda Y: _spams(Y, E, np.float32, threads)) if spams else None),
        Contender("compiled nnls", "nnls", lambda Y: _compiled(Y, E, threads)),
        Contender("scipy nnls", "nnls", lambda Y: _scipy(Y, E, threads)),
    ]


def _product(Y: np.ndarray, E: np.ndarray) -> Callable[[], np.ndarray]:
    small, out = E.astype(np.float32), np.empty((len(Y), E.shape[1]), np.float32)
    return lambda: np.matmul(Y, small, out=out)


def _own(Y: np.ndarray, E: np.ndarray, problem: Problem, threads: int) -> Callable[[], np.ndarray]:
    from hsgeo.spectra import solvers

    solver = solvers.fcls if problem == "fcls" else solvers.nnls
    return lambda: solver(Y, E, threads=threads)


def _spams(Y: np.ndarray, E: np.ndarray, dtype: type, threads: int) -> Callable[[], np.ndarray]:
    spams = import_module("spams")
    columns: np.ndarray = np.asfortranarray(Y.T, dtype=dtype)
    atoms: np.ndarray = np.asfortranarray(E, dtype=dtype)

    def run() -> np.ndarray:
        found = spams.decompSimplex(columns, atoms, computeXtX=True, numThreads=threads)
        dense: np.ndarray = found.toarray().T
        return dense

    return run


def _compiled(Y: np.ndarray, E: np.ndarray, threads: int) -> Callable[[], np.ndarray]:
    from hsgeo.evaluation.speed.perpixel import nnls_per_pixel

    H, A = E.T @ E, np.empty((len(Y), E.shape[1]), np.float32)

    def some(start: int) -> None:
        nnls_per_pixel(Y, E, H, A, start, min(start + _SHARE, len(Y)))

    return lambda: _shared(some, A, threads)


def _scipy(Y: np.ndarray, E: np.ndarray, threads: int) -> Callable[[], np.ndarray]:
    from scipy.optimize import nnls

    A = np.empty((len(Y), E.shape[1]), np.float32)

    def some(start: int) -> None:
        for p in range(start, min(start + _SHARE, len(Y))):
            A[p] = nnls(E, Y[p])[0]

    return lambda: _shared(some, A, threads)


def _shared(some: Callable[[int], None], A: np.ndarray, threads: int) -> np.ndarray:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(some, range(0, len(A), _SHARE)))
    return A

"""The compiled loop over pixels: sums, active sets, residual. Nothing here depends on where a pixel stands.

numba's cache looks at the date of this file alone: touch it after a change of the modules that it calls, and `partial`
with it, whose cached code holds a copy of `pivot`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo.spectra.solvers.partial import solve_partial
from hsgeo.spectra.solvers.pivoting import NOTHING, OPEN, PARTIAL, factorise, pivot
from hsgeo.spectra.solvers.primal import solve_one
from hsgeo.spectra.solvers.simd import LANES, add, aligned, divide, fma, load, multiply, pick, splat, store, subtract
from hsgeo.spectra.solvers.sums import of_columns, of_rows, residual

__all__ = ["solve"]

_PIXELS = 128  # pixels per round of work: enough that the last, unfilled vector of a round costs little
_PANEL = 64  # pixels of a panel of bands in rows: 200 bands (115 kB) stay in the second-level cache
_CANCELLED = 1e-8  # of the squares in a difference: below, fewer than 7 of its digits are left, and float32 has 7


@njit(cache=True, nogil=True, error_model="numpy")
def _mismatch(K, G, squares, summed, size, X, sizes):
    # |r - D x|^2 = |r|^2 + x^T (K x - 2 D^T r) into squares, what it is a difference of into sizes; sums become 1
    count, width = X.shape
    zero = splat(0.0)
    for q in range(0, size, LANES):
        if summed:
            whole = zero
            for i in range(count):
                whole = add(whole, load(X, i * width + q))
            for i in range(count):
                store(X, i * width + q, divide(load(X, i * width + q), whole))
        s, length = load(squares, q), zero
        large = s
        for i in range(count):
            w = multiply(splat(-2.0), load(G, i * width + q))
            for j in range(count):
                w = fma(splat(K[i, j]), load(X, j * width + q), w)
            x = load(X, i * width + q)
            s = fma(x, w, s)
            length = fma(pick(x, zero, subtract(zero, x), x), splat(np.sqrt(K[i, i])), length)
        store(squares, q, s)
        store(sizes, q, fma(length, length, large))


@njit(cache=True, nogil=True, error_model="numpy")
def solve(Y, rows, start, stop, D, offset, scale, border, diagonal, H, K, bounded, summed, prior, pull, A, rmse):
    """Solve pixels ``start`` to ``stop`` of ``Y`` into ``A`` and ``rmse``; see `hsgeo.spectra.solvers.model`.

    ``rows``: ``Y (pixels, bands)``, ``A`` and ``prior (pixels, endmembers)``; else all of them transposed. ``A`` may
    have fewer endmembers than the problem: the last are not written. ``D (endmembers, bands)`` and ``offset`` are
    padded with zeros. ``diagonal`` is what ``H`` has on its diagonal besides ``K = D^T D`` and ``border``; ``pull`` is
    the weight of ``prior`` in the right side, empty without one.
    """
    bands = Y.shape[1] if rows else Y.shape[0]
    count, written = H.shape[0], A.shape[1] if rows else A.shape[0]
    G, F, X = aligned(D.shape[0], _PIXELS), aligned(count, _PIXELS), aligned(count, _PIXELS)
    squares, sizes = aligned(1, _PIXELS)[0], aligned(1, _PIXELS)[0]
    T = aligned(LANES, 3 * LANES)
    R = aligned(2, offset.size) if rows else aligned(offset.size, _PANEL + LANES)
    r, ones = aligned(1, offset.size)[0], aligned(1, offset.size)[0]
    ones[:] = 1.0
    f, a, valid = np.empty(count), np.empty(count), np.empty(_PIXELS, np.int64)
    state = np.empty(_PIXELS, np.int8)
    full, everything = np.empty(count, np.int64), aligned(count, LANES)
    everything[:] = 1.0
    C, J, V = aligned(count * (count + 1) // 2, LANES), aligned(count, LANES), aligned(count, LANES)
    factorise(H, summed, everything, full, C, J, V)
    for begin in range(start, stop, _PIXELS):
        size = min(_PIXELS, stop - begin)
        if rows:
            of_rows(Y, begin, size, D, offset, R, G, squares)
        else:
            of_columns(Y, begin, size, D, offset, R, T, G, squares)
        for i in range(count):
            for q in range(size):
                F[i, q] = G[i, q] + border
        partial = False
        for q in range(size):
            state[q] = OPEN if np.isfinite(squares[q]) else PARTIAL
            partial = partial or state[q] == PARTIAL
            for i in range(pull.size):
                z = prior[begin + q, i] if rows else prior[i, begin + q]
                F[i, q] += pull[i] * z
                if not np.isfinite(z):
                    state[q] = NOTHING
        pivot(H, F, bounded, summed, full, C, J, V, size, state, X)
        for q in range(size):
            if state[q] == OPEN:
                for i in range(count):
                    f[i] = F[i, q]
                solve_one(H, f, bounded, summed, a)
                for i in range(count):
                    X[i, q] = a[i]
        _mismatch(K, G, squares, summed, size, X, sizes)
        valid[:] = bands
        if partial:
            gram, prior_and_pull = (border, diagonal, bounded, summed), (prior, pull)
            solve_partial(Y, rows, begin, size, D, offset, gram, prior_and_pull, state, X, squares, valid)
        for q in range(size):
            p = begin + q
            if state[q] == NOTHING:
                for i in range(count):
                    X[i, q] = np.nan
                squares[q] = np.nan
            elif state[q] != PARTIAL and squares[q] <= _CANCELLED * sizes[q]:
                for b in range(bands):
                    r[b] = np.float64(Y[p, b] if rows else Y[b, p]) - offset[b]
                for i in range(count):
                    a[i] = X[i, q]
                squares[q] = residual(r, D, a, ones)
            rmse[p] = np.sqrt(squares[q] / valid[q])
        for i in range(written):
            for q in range(size):
                x = X[i, q] / scale[i] + 0.0  # no -0: its sign may come from a neighbour's set
                if rows:
                    A[begin + q, i] = x
                else:
                    A[i, begin + q] = x

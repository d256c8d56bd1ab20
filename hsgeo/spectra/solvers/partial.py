"""Pixels with missing bands: each pattern of bands has a Gram matrix of its own, shared by the pixels that have it.

numba's cache looks at the date of this file alone: touch it after a change of `cholesky`, `pivoting`, `primal`,
`simd` or `sums`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo.spectra.solvers.pivoting import NOTHING, OPEN, PARTIAL, SOLVED, factorise, pivot
from hsgeo.spectra.solvers.primal import solve_one
from hsgeo.spectra.solvers.simd import LANES, aligned
from hsgeo.spectra.solvers.sums import residual, weighted

__all__ = ["solve_partial"]


@njit(cache=True, nogil=True, error_model="numpy")
def _like(Y, rows, p, weight):
    # whether the finite bands of a pixel are those of a pattern
    for b in range(Y.shape[1] if rows else Y.shape[0]):
        if np.isfinite(Y[p, b] if rows else Y[b, p]) != (weight[b] > 0):
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def solve_partial(Y, rows, begin, size, D, offset, gram, pulled, state, X, squares, valid):
    """Solve the partial ones of ``size`` pixels into ``X (endmembers, pixels)``; arguments as in `kernels.solve`.

    ``gram`` is ``(border, diagonal, bounded, summed)``, ``pulled`` is ``(prior, pull)``. Fills ``squares`` with the
    squared residual over the finite bands and ``valid`` with their number; a pixel that has none becomes `NOTHING` in
    ``state``.
    """
    border, diagonal, bounded, summed = gram
    prior, pull = pulled
    bands = Y.shape[1] if rows else Y.shape[0]
    count, width = X.shape
    weight, R = aligned(1, offset.size)[0], aligned(width, offset.size)
    H, F, own, mine = aligned(count, count), aligned(count, width), aligned(count, width), np.empty(width, np.int8)
    f, a = np.empty(count), np.empty(count)
    C, everything = aligned(count * (count + 1) // 2, LANES), aligned(count, LANES)
    J, V, full = aligned(count, LANES), aligned(count, LANES), np.empty(count, np.int64)
    everything[:] = 1.0
    solved, member = np.zeros(width, np.bool_), np.zeros(width, np.bool_)
    for first in range(size):
        if state[first] != PARTIAL or solved[first]:
            continue
        there = 0
        for b in range(bands):
            finite = np.isfinite(Y[begin + first, b] if rows else Y[b, begin + first])
            weight[b] = 1.0 if finite else 0.0
            there += finite
        if there == 0:
            state[first] = NOTHING
            continue
        for i in range(count):
            for j in range(i + 1):
                H[i, j] = weighted(D, i, D, j * offset.size, weight) + border
                H[j, i] = H[i, j]
            H[i, i] += diagonal[i]
        mine[:] = SOLVED
        for q in range(first, size):
            p = begin + q
            if state[q] != PARTIAL or solved[q] or not _like(Y, rows, p, weight):
                continue
            mine[q], member[q] = OPEN, True
            for b in range(bands):
                R[q, b] = np.float64(Y[p, b] if rows else Y[b, p]) - offset[b] if weight[b] > 0 else 0.0
            for i in range(count):
                F[i, q] = weighted(D, i, R, q * offset.size, weight) + border
            for i in range(pull.size):
                F[i, q] += pull[i] * (prior[p, i] if rows else prior[i, p])
        factorise(H, summed, everything, full, C, J, V)
        pivot(H, F, bounded, summed, full, C, J, V, size, mine, own)
        for q in range(first, size):
            if not member[q]:
                continue
            for i in range(count):
                f[i], a[i] = F[i, q], own[i, q]
            if mine[q] == OPEN:
                solve_one(H, f, bounded, summed, a)
            whole = 0.0
            for i in range(count):
                whole += a[i]
            for i in range(count):
                a[i] = a[i] / whole if summed else a[i]
                X[i, q] = a[i]
            squares[q] = residual(R[q], D, a, weight)
            valid[q] = there
            member[q], solved[q] = False, True

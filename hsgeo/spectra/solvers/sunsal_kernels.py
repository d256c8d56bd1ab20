"""The compiled loops of sparse unmixing. Nothing here may depend on where a pixel stands.

As in `hsgeo.spectra.solvers.kernels`, sums run in fixed order in float64 without fastmath. Passive sets are lists, not
the bits of a word, so a library may be as large as memory allows.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["solve"]

_PIXELS = 256  # pixels whose right sides are made together
_COLUMNS = 16  # library columns at a time: 16 x 256 sums (32 kB) stay in the first-level cache
_TOLERANCE = 1e-11  # dual feasibility relative to the largest right side: rounding of 1000 terms is 1e-13
_SINGULAR = 1e-13  # smallest pivot relative to the diagonal: the ridge of 1e-10 stands far above it


@njit(cache=True, nogil=True, error_model="numpy")
def _entry(H, D, gone, n_gone, i, j):
    # Gram entry over the bands that the pixel has
    value = H[i, j]
    for m in range(n_gone):
        value -= D[gone[m], i] * D[gone[m], j]
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _row(H, D, gone, n_gone, L, index, place):
    # Cholesky row of the entry at `place` from those before it; False: singular
    j = index[place]
    diagonal = _entry(H, D, gone, n_gone, j, j)
    rest = diagonal
    for k in range(place):
        value = _entry(H, D, gone, n_gone, index[k], j)
        for q in range(k):
            value -= L[k, q] * L[place, q]
        value /= L[k, k]
        L[place, k] = value
        rest -= value * value
    if not rest > _SINGULAR * diagonal:
        return False
    L[place, place] = np.sqrt(rest)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _both_ways(L, n, x):
    for k in range(n):
        value = x[k]
        for q in range(k):
            value -= L[k, q] * x[q]
        x[k] = value / L[k, k]
    for k in range(n - 1, -1, -1):
        x[k] /= L[k, k]
        for q in range(k):
            x[q] -= L[k, q] * x[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _on_set(L, n, index, sign, f, price, total, z, q):
    # minimiser on the set, the others 0 and the signs taken as given; returns the multiplier of the sum
    for k in range(n):
        z[k] = f[index[k]] - sign[k] * price[index[k]]
        q[k] = 1.0
    _both_ways(L, n, z)
    if not total:
        return 0.0
    _both_ways(L, n, q)
    above, below = 1.0, 0.0
    for k in range(n):
        above -= z[k]
        below += q[k]
    multiplier = above / below
    for k in range(n):
        z[k] += multiplier * q[k]
    return multiplier


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_pixel(H, D, gone, n_gone, f, price, total, signed, L, index, sign, x, z, q, w, state):
    # min a^T H a / 2 - f^T a + price^T |a|  (and sum(a) = 1); a >= 0 unless signed. Returns the size of the set.
    count = H.shape[0]
    largest = 0.0
    for i in range(count):
        state[i] = 0  # 0: outside, 1: in the set, 2: outside and of no use until the set changes
        largest = max(largest, abs(f[i]))
    tolerance = _TOLERANCE * largest
    n = 0
    multiplier = 0.0
    if total:
        best, lowest = 0, np.inf
        for i in range(count):
            cost = 0.5 * _entry(H, D, gone, n_gone, i, i) - f[i] + price[i]
            if cost < lowest:
                best, lowest = i, cost
        index[0], sign[0], x[0], state[best] = best, 1.0, 1.0, 1
        L[0, 0] = np.sqrt(_entry(H, D, gone, n_gone, best, best))
        n = 1
        multiplier = _on_set(L, n, index, sign, f, price, total, z, q)
    for _ in range(30 * min(count, D.shape[0] + 1) + 30):  # three times the usual bound of active-set codes
        for i in range(count):
            w[i] = f[i] + multiplier
        for k in range(n):
            share = x[k]
            for i in range(count):
                w[i] -= share * H[index[k], i]
        for m in range(n_gone):
            b = gone[m]
            value = 0.0
            for k in range(n):
                value += x[k] * D[b, index[k]]
            for i in range(count):
                w[i] += value * D[b, i]
        enter, steepest, way = -1, tolerance, 1.0
        for i in range(count):
            if state[i] == 0:
                if w[i] - price[i] > steepest:
                    enter, steepest, way = i, w[i] - price[i], 1.0
                elif signed and -w[i] - price[i] > steepest:
                    enter, steepest, way = i, -w[i] - price[i], -1.0
        if enter < 0:
            return n
        index[n], sign[n], x[n] = enter, way, 0.0
        if not _row(H, D, gone, n_gone, L, index, n):
            state[enter] = 2
            continue
        n += 1
        state[enter] = 1
        moved = False
        while n:
            fresh = _on_set(L, n, index, sign, f, price, total, z, q)
            step, leave = 1.0, -1
            for k in range(n):
                if z[k] * sign[k] <= 0.0:
                    s = x[k] / (x[k] - z[k]) if x[k] != z[k] else 0.0
                    if leave < 0 or s < step:
                        step, leave = s, k
            for k in range(n):
                x[k] += step * (z[k] - x[k])
            if step > 0.0:
                moved = True
            if leave < 0:
                multiplier = fresh
                break
            # rounding can turn the newcomer around at once: it is kept out, or it would come back for ever
            state[index[leave]] = 2 if index[leave] == enter and not moved else 0
            n -= 1
            for k in range(leave, n):
                index[k], sign[k], x[k] = index[k + 1], sign[k + 1], x[k + 1]
            for k in range(leave, n):
                _row(H, D, gone, n_gone, L, index, k)
        if n == 0:
            multiplier = 0.0
        if moved:
            for i in range(count):
                if state[i] == 2:
                    state[i] = 0
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def solve(Y, E, D, offset, scale, border, H, price, total, signed):
    """Solve ``Y (bands, pixels)``; see `hsgeo.spectra.solvers.sunsal.solve_sparse_block`."""
    bands, pixels = Y.shape
    count = E.shape[1]
    A = np.zeros((count, pixels), np.float32)
    rmse = np.empty(pixels, np.float32)
    F = np.empty((count, _PIXELS))
    rest = np.empty((bands, _PIXELS))
    L = np.empty((count, count))
    index, state, gone = np.empty(count, np.int64), np.empty(count, np.int8), np.empty(bands, np.int64)
    sign, x, z, q = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    f, w = np.empty(count), np.empty(count)
    for start in range(0, pixels, _PIXELS):
        size = min(_PIXELS, pixels - start)
        for b in range(bands):
            for p in range(size):
                value = np.float64(Y[b, start + p]) - offset[b]
                rest[b, p] = value if np.isfinite(value) else 0.0
        for first in range(0, count, _COLUMNS):
            last = min(first + _COLUMNS, count)
            F[first:last] = border
            for b in range(bands):
                for i in range(first, last):
                    d = D[b, i]
                    for p in range(size):
                        F[i, p] += d * rest[b, p]
        for p in range(size):
            n_gone = 0
            for b in range(bands):
                if not np.isfinite(Y[b, start + p]):
                    gone[n_gone] = b
                    n_gone += 1
            if n_gone == bands:
                A[:, start + p] = np.nan
                rmse[start + p] = np.nan
                continue
            for i in range(count):
                f[i] = F[i, p]
            n = _solve_pixel(H, D, gone, n_gone, f, price, total, signed, L, index, sign, x, z, q, w, state)
            whole = 1.0
            if total:
                whole = 0.0
                for k in range(n):
                    whole += x[k]
            for k in range(n):
                x[k] /= whole * scale[index[k]]
                A[index[k], start + p] = x[k]
            squares = 0.0
            for b in range(bands):
                if np.isfinite(Y[b, start + p]):
                    r = np.float64(Y[b, start + p])
                    for k in range(n):
                        r -= E[b, index[k]] * x[k]
                    squares += r * r
            rmse[start + p] = np.sqrt(squares / (bands - n_gone))
    return A, rmse

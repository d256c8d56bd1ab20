"""The compiled loops of bounded least squares and of residuals. Nothing here may depend on where a pixel stands.

As in the other kernels, sums over bands run in fixed order in float64 and are vectorised over pixels.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo.spectra.solvers.cholesky import factor, substitute
from hsgeo.spectra.solvers.pivoting import TOLERANCE

__all__ = ["solve_bounded", "squared_residual"]

_PIXELS = 256  # pixels per inner block: the accumulators of 10 endmembers (20 kB) stay in the first-level cache
_TOGETHER = 4  # bands, or endmembers, per pass over the accumulators: fewer loads and stores per product
_FREE, _LOW, _HIGH = 0, 1, 2  # where a variable is: between its bounds, at the lower, at the upper


@njit(cache=True, nogil=True, error_model="numpy")
def _on_free(H, f, a, state, factors, keys, index, x):
    # minimiser over the free variables, the others kept at their bounds in `a`; packed in x, returns how many
    count = H.shape[0]
    mask = np.uint64(0)
    n = 0
    for i in range(count):
        if state[i] == _FREE:
            mask |= np.uint64(1) << np.uint64(i)
            index[n] = i
            n += 1
    slot = mask % np.uint64(keys.size)
    if keys[slot] != mask:
        factor(H, index, n, factors[slot])
        keys[slot] = mask
    for k in range(n):
        s = f[index[k]]
        for j in range(count):
            if state[j] != _FREE:
                s -= H[index[k], j] * a[j]
        x[k] = s
    substitute(factors[slot], n, x)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient(H, f, a, i):
    w = -f[i]
    for j in range(H.shape[0]):
        w += H[i, j] * a[j]
    return w


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_pixel(H, f, low, high, factors, keys, a, state, index, x):
    # min a^T H a / 2 - f^T a with low <= a <= high
    count = H.shape[0]
    largest = 0.0
    for i in range(count):
        largest = max(largest, abs(f[i]), H[i, i])
    tolerance = TOLERANCE * largest

    # block pivoting (Kim and Park, 2011; two bounds: Judice and Pires, 1994): exchange all that is infeasible
    for i in range(count):
        state[i] = _FREE
        if low[i] == high[i]:
            state[i] = _LOW
            a[i] = low[i]
    for _ in range(6 + count):
        n = _on_free(H, f, a, state, factors, keys, index, x)
        for k in range(n):
            a[index[k]] = x[k]
        moved = False
        for i in range(count):
            if low[i] == high[i]:
                continue
            if state[i] == _FREE:
                if a[i] < low[i]:
                    state[i] = _LOW
                    moved = True
                elif a[i] > high[i]:
                    state[i] = _HIGH
                    moved = True
            else:
                w = _gradient(H, f, a, i)
                if (state[i] == _LOW and w < -tolerance) or (state[i] == _HIGH and w > tolerance):
                    state[i] = _FREE
                    moved = True
        if not moved:
            return
        for i in range(count):
            if state[i] == _LOW:
                a[i] = low[i]
            elif state[i] == _HIGH:
                a[i] = high[i]
    _primal(H, f, low, high, factors, keys, a, state, index, x, tolerance)


@njit(cache=True, nogil=True, error_model="numpy")
def _primal(H, f, low, high, factors, keys, a, state, index, x, tolerance):
    # the method of Stark and Parker (1995): the objective falls at every step, so it ends
    count = H.shape[0]
    for i in range(count):
        a[i] = min(max(0.0, low[i]), high[i])
        state[i] = _LOW if a[i] == low[i] else _HIGH if a[i] == high[i] else _FREE
    for turn in range(30 * count):  # three times the usual bound of such codes
        if turn or not (state != _FREE).all():
            enter, steepest = -1, tolerance
            for i in range(count):
                if state[i] == _FREE or low[i] == high[i]:
                    continue
                w = _gradient(H, f, a, i)
                pull = -w if state[i] == _LOW else w
                if pull > steepest:
                    enter, steepest = i, pull
            if enter < 0 and turn:
                return
            if enter >= 0:
                state[enter] = _FREE
        for _inner in range(count + 1):
            n = _on_free(H, f, a, state, factors, keys, index, x)
            step, leave, side = 1.0, -1, _LOW
            for k in range(n):
                i = index[k]
                if x[k] < low[i]:
                    s, bound = (a[i] - low[i]) / (a[i] - x[k]), _LOW
                elif x[k] > high[i]:
                    s, bound = (high[i] - a[i]) / (x[k] - a[i]), _HIGH
                else:
                    continue
                if s < step or leave < 0:
                    step, leave, side = s, i, bound
            for k in range(n):
                i = index[k]
                a[i] = min(max(a[i] + step * (x[k] - a[i]), low[i]), high[i])
            if leave < 0:
                break
            state[leave] = side
            a[leave] = low[leave] if side == _LOW else high[leave]


@njit(cache=True, nogil=True, error_model="numpy")
def _partial(y, D, ridge, H, f):
    # Gram matrix and right side over the valid bands of one pixel; returns how many there are
    bands, count = D.shape
    H[:] = 0.0
    f[:] = 0.0
    valid = 0
    for b in range(bands):
        if not np.isfinite(y[b]):
            continue
        valid += 1
        r = np.float64(y[b])
        for i in range(count):
            f[i] += D[b, i] * r
            for j in range(i + 1):
                H[i, j] += D[b, i] * D[b, j]
    for i in range(count):
        H[i, i] += ridge
        for j in range(i):
            H[j, i] = H[i, j]
    return valid


@njit(cache=True, nogil=True, error_model="numpy")
def solve_bounded(Y, D, scale, low, high, ridge, H, A):
    """Solve ``Y (bands, pixels)`` into ``A (endmembers, pixels)``; see `hsgeo.spectra.solvers.bounded`."""
    bands, pixels = Y.shape
    count = D.shape[1]
    F, R = np.empty((count, _PIXELS)), np.empty((_TOGETHER, _PIXELS))
    f, a, x = np.empty(count), np.empty(count), np.empty(count)
    state, index = np.empty(count, np.int64), np.empty(count, np.int64)
    low_scaled, high_scaled = low * scale, high * scale
    slots = max(8, min(1024, 2**19 // count**2))  # 4 MB of factors: made when met, kept for this call alone
    factors, keys = np.empty((slots, count, count)), np.zeros(slots, np.uint64)
    own_H = np.empty((count, count))
    own_factors, own_keys = np.empty((1, count, count)), np.zeros(1, np.uint64)
    for start in range(0, pixels, _PIXELS):
        size = min(_PIXELS, pixels - start)
        F[:] = 0.0
        for b in range(0, bands, _TOGETHER):
            for k in range(_TOGETHER):
                panel = R[k]
                if b + k < bands:
                    for q in range(size):
                        panel[q] = np.float64(Y[b + k, start + q])
                else:
                    panel[:] = 0.0
            for i in range(count):
                d0 = D[b, i]
                d1 = D[b + 1, i] if b + 1 < bands else 0.0
                d2 = D[b + 2, i] if b + 2 < bands else 0.0
                d3 = D[b + 3, i] if b + 3 < bands else 0.0
                row, r0, r1, r2, r3 = F[i], R[0], R[1], R[2], R[3]
                for q in range(size):
                    row[q] += (d0 * r0[q] + d1 * r1[q]) + (d2 * r2[q] + d3 * r3[q])
        for q in range(size):
            finite = True
            for i in range(count):
                f[i] = F[i, q]
                finite = finite and np.isfinite(f[i])
            if finite:
                _solve_pixel(H, f, low_scaled, high_scaled, factors, keys, a, state, index, x)
            elif _partial(Y[:, start + q], D, ridge, own_H, f) > 0:
                own_keys[0] = np.uint64(0)
                _solve_pixel(own_H, f, low_scaled, high_scaled, own_factors, own_keys, a, state, index, x)
            else:
                for i in range(count):
                    A[i, start + q] = np.nan
                continue
            for i in range(count):  # at a bound: the bound itself, not what scaling there and back makes of it
                if state[i] == _LOW:
                    A[i, start + q] = low[i]
                elif state[i] == _HIGH:
                    A[i, start + q] = high[i]
                else:
                    A[i, start + q] = min(max(a[i] / scale[i], low[i]), high[i])


@njit(cache=True, nogil=True, error_model="numpy")
def squared_residual(Y, E, A, out):
    """Put the mean over valid bands of ``(Y - E A)^2`` in ``out (pixels,)``; NaN without any."""
    bands, pixels = Y.shape
    count = E.shape[1]
    rest, squares = np.empty(_PIXELS), np.empty(_PIXELS)
    X = np.zeros((count + _TOGETHER, _PIXELS))
    for start in range(0, pixels, _PIXELS):
        size = min(_PIXELS, pixels - start)
        squares[:] = 0.0
        for i in range(count):
            for q in range(size):
                X[i, q] = np.float64(A[i, start + q])
        for b in range(bands):
            for q in range(size):
                rest[q] = np.float64(Y[b, start + q])
            for i in range(0, count, _TOGETHER):
                e0 = E[b, i]
                e1 = E[b, i + 1] if i + 1 < count else 0.0
                e2 = E[b, i + 2] if i + 2 < count else 0.0
                e3 = E[b, i + 3] if i + 3 < count else 0.0
                x0, x1, x2, x3 = X[i], X[i + 1], X[i + 2], X[i + 3]
                for q in range(size):
                    rest[q] -= (e0 * x0[q] + e1 * x1[q]) + (e2 * x2[q] + e3 * x3[q])
            for q in range(size):
                squares[q] += rest[q] * rest[q]
        for q in range(size):
            if np.isfinite(squares[q]):
                out[start + q] = squares[q] / bands
                continue
            total, valid = 0.0, 0
            for b in range(bands):
                r = np.float64(Y[b, start + q])
                if np.isfinite(r):
                    for i in range(count):
                        r -= E[b, i] * np.float64(A[i, start + q])
                    total += r * r
                    valid += 1
            out[start + q] = total / valid if valid else np.nan

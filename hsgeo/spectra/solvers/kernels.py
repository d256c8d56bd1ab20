"""The compiled loops of the solvers. Nothing here may depend on where a pixel stands.

The sums over bands run in fixed order in float64 and are vectorised over pixels; without fastmath every lane
does the very operations a lone pixel would, so bits do not depend on the block.
"""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["empty_cache", "factor_table", "solve"]

_PIXELS = 256  # pixels per inner block: the accumulators of 10 endmembers (20 kB) stay in the first-level cache
_TOLERANCE = 1e-11  # dual feasibility relative to the largest |H|, |f|: rounding of P = 64 sums is 1e-14


def empty_cache(count: int, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """Return room for ``slots`` Cholesky factors, none made yet (key 0 is the empty set)."""
    return np.empty((slots, count, count)), np.zeros(slots, np.uint64)


def factor_table(H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Cholesky factors of all passive sets; slot ``s`` holds set ``s``."""
    factors, keys = empty_cache(H.shape[0], 2 ** H.shape[0])
    _fill(H, factors, keys)
    return factors, keys


@njit(cache=True, nogil=True, error_model="numpy")
def _factor(H, mask, L):  # type: ignore[no-untyped-def]
    # Cholesky factor of H on the set, rows packed to the front, diagonal stored inverted
    count = H.shape[0]
    floor = 0.0
    for i in range(count):
        floor = max(floor, H[i, i])
    floor *= 1e-15  # a pivot lost to rounding; the ridge keeps exact ones three orders above
    n = 0
    for i in range(count):
        if not (mask >> np.uint64(i)) & np.uint64(1):
            continue
        m = 0
        for j in range(i + 1):
            if not (mask >> np.uint64(j)) & np.uint64(1):
                continue
            s = H[i, j]
            for k in range(m):
                s -= L[n, k] * L[m, k]
            if i == j:
                L[n, n] = 1.0 / np.sqrt(max(s, floor))
            else:
                L[n, m] = s * L[m, m]
            m += 1
        n += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(H, factors, keys):  # type: ignore[no-untyped-def]
    for s in range(1, factors.shape[0]):
        _factor(H, np.uint64(s), factors[s])
        keys[s] = np.uint64(s)


@njit(cache=True, nogil=True, error_model="numpy")
def _substitute(L, n, x):  # type: ignore[no-untyped-def]
    # x <- (L L^T)^-1 x, in place
    for i in range(n):
        s = x[i]
        for k in range(i):
            s -= L[i, k] * x[k]
        x[i] = s * L[i, i]
    for i in range(n - 1, -1, -1):
        s = x[i]
        for k in range(i + 1, n):
            s -= L[k, i] * x[k]
        x[i] = s * L[i, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _on_set(H, f, mask, kind, factors, keys, index, x, z):  # type: ignore[no-untyped-def]
    # minimiser on a passive set, packed in x; returns its size and the multiplier of the sum
    slot = mask % np.uint64(keys.size)
    if keys[slot] != mask:
        _factor(H, mask, factors[slot])
        keys[slot] = mask
    L = factors[slot]
    n = 0
    for i in range(H.shape[0]):
        if (mask >> np.uint64(i)) & np.uint64(1):
            index[n] = i
            x[n] = f[i]
            n += 1
    _substitute(L, n, x)
    multiplier = 0.0
    if kind == 2:
        for i in range(n):
            z[i] = 1.0
        _substitute(L, n, z)
        sx, sz = 0.0, 0.0
        for i in range(n):
            sx += x[i]
            sz += z[i]
        multiplier = (sx - 1.0) / sz
        for i in range(n):
            x[i] -= multiplier * z[i]
    return n, multiplier


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient(H, f, i, n, index, x, multiplier):  # type: ignore[no-untyped-def]
    # derivative of the Lagrangian for an endmember outside the set: negative means it wants in
    w = multiplier - f[i]
    for k in range(n):
        w += H[i, index[k]] * x[k]
    return w


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_pixel(H, f, kind, factors, keys, a, index, x, z):  # type: ignore[no-untyped-def]
    # min a^T H a / 2 - f^T a;  kind 0: free, 1: a >= 0, 2: a >= 0 and sum(a) = 1
    count = H.shape[0]
    one = np.uint64(1)
    full = np.uint64(0)
    largest = 0.0
    for i in range(count):
        full |= one << np.uint64(i)
        largest = max(largest, abs(f[i]), H[i, i])
    tolerance = _TOLERANCE * largest

    # block pivoting (Kim and Park, 2011): exchange everything infeasible; usually 1 to 4 rounds
    mask = full
    solved = False
    n = 0
    for _ in range(6 + count):
        n, multiplier = _on_set(H, f, mask, kind, factors, keys, index, x, z)
        if kind == 0:
            solved = True
            break
        change = np.uint64(0)
        for k in range(n):
            if x[k] < 0.0:
                change |= one << np.uint64(index[k])
        for i in range(count):
            if not (mask >> np.uint64(i)) & one and _gradient(H, f, i, n, index, x, multiplier) < -tolerance:
                change |= one << np.uint64(i)
        if change == np.uint64(0):
            solved = True
            break
        mask ^= change
        if mask == np.uint64(0):
            break
    if not solved:
        _primal(H, f, kind, factors, keys, a, index, x, z, tolerance)
        return
    for i in range(count):
        a[i] = 0.0
    for k in range(n):
        a[index[k]] = x[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _primal(H, f, kind, factors, keys, a, index, x, z, tolerance):  # type: ignore[no-untyped-def]
    # Lawson and Hanson's method: the objective falls at every step, so it ends
    count = H.shape[0]
    one = np.uint64(1)
    mask = np.uint64(0)
    n = 0
    multiplier = 0.0
    for i in range(count):
        a[i] = 0.0
    if kind == 2:
        best, lowest = 0, np.inf
        for i in range(count):
            cost = 0.5 * H[i, i] - f[i]
            if cost < lowest:
                best, lowest = i, cost
        mask = one << np.uint64(best)
        a[best] = 1.0
        n, multiplier = _on_set(H, f, mask, kind, factors, keys, index, x, z)
    for _ in range(30 * count):  # three times the usual bound of NNLS codes
        enter, steepest = -1, -tolerance
        for i in range(count):
            if not (mask >> np.uint64(i)) & one:
                w = _gradient(H, f, i, n, index, x, multiplier)
                if w < steepest:
                    enter, steepest = i, w
        if enter < 0:
            return
        mask |= one << np.uint64(enter)
        for _inner in range(count + 1):
            n, multiplier = _on_set(H, f, mask, kind, factors, keys, index, x, z)
            step, leave = 1.0, -1
            for k in range(n):
                i = index[k]
                if x[k] < 0.0:
                    s = a[i] / (a[i] - x[k])
                    if s < step or leave < 0:
                        step, leave = s, i
            for k in range(n):
                i = index[k]
                a[i] += step * (x[k] - a[i])
            if leave < 0:
                break
            a[leave] = 0.0
            mask &= ~(one << np.uint64(leave))
            if mask == np.uint64(0):
                n = 0
                break


@njit(cache=True, nogil=True, error_model="numpy")
def _partial(y, D, offset, border, ridge, kind, H, f):  # type: ignore[no-untyped-def]
    # Gram matrix and right side over the valid bands of one pixel; returns how many there are
    bands, count = D.shape
    H[:] = border
    f[:] = border
    valid = 0
    for b in range(bands):
        if not np.isfinite(y[b]):
            continue
        valid += 1
        r = y[b] - offset[b]
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
def solve(Y, E, D, offset, scale, border, ridge, H, factors, keys, kind):  # type: ignore[no-untyped-def]
    """Solve ``Y (bands, pixels)``; see `hsgeo.spectra.solvers.model.solve_block`."""
    bands, pixels = Y.shape
    count = E.shape[1]
    A = np.empty((count, pixels), np.float32)
    rmse = np.empty(pixels, np.float32)
    F = np.empty((count, _PIXELS))
    X = np.empty((count, _PIXELS))
    rest = np.empty(_PIXELS)
    squares = np.empty(_PIXELS)
    f, a, x, z = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    index = np.empty(count, np.int64)
    own_H = np.empty((count, count))
    own_factors = np.empty((1, count, count))
    own_keys = np.zeros(1, np.uint64)
    for start in range(0, pixels, _PIXELS):
        size = min(_PIXELS, pixels - start)
        F[:] = border
        for b in range(bands):
            o = offset[b]
            for q in range(size):
                rest[q] = np.float64(Y[b, start + q]) - o
            for i in range(count):
                d = D[b, i]
                row = F[i]
                for q in range(size):
                    row[q] += d * rest[q]
        for q in range(size):
            finite = True
            for i in range(count):
                f[i] = F[i, q]
                finite = finite and np.isfinite(f[i])
            if finite:
                _solve_pixel(H, f, kind, factors, keys, a, index, x, z)
            elif _partial(Y[:, start + q], D, offset, border, ridge, kind, own_H, f) > 0:
                own_keys[0] = np.uint64(0)
                _solve_pixel(own_H, f, kind, own_factors, own_keys, a, index, x, z)
            else:
                a[:] = np.nan
            total = 1.0
            if kind == 2:
                total = 0.0
                for i in range(count):
                    total += a[i]
            for i in range(count):
                X[i, q] = a[i] / total / scale[i]
                A[i, start + q] = X[i, q]
        # the residual itself is squared, never y^T y - f^T a: no cancellation
        squares[:] = 0.0
        for b in range(bands):
            for q in range(size):
                rest[q] = np.float64(Y[b, start + q])
            for i in range(count):
                e = E[b, i]
                row = X[i]
                for q in range(size):
                    rest[q] -= e * row[q]
            for q in range(size):
                squares[q] += rest[q] * rest[q]
        for q in range(size):
            if np.isfinite(squares[q]):
                rmse[start + q] = np.sqrt(squares[q] / bands)
                continue
            total, valid = 0.0, 0
            for b in range(bands):
                if np.isfinite(Y[b, start + q]):
                    r = np.float64(Y[b, start + q])
                    for i in range(count):
                        r -= E[b, i] * X[i, q]
                    total += r * r
                    valid += 1
            rmse[start + q] = np.sqrt(total / valid) if valid else np.nan
    return A, rmse

"""One pixel at a time, for what block pivoting has left: Lawson and Hanson's primal method (1974).

Slower, but the objective falls at every step, so it ends.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo.spectra.solvers.cholesky import factor, substitute
from hsgeo.spectra.solvers.pivoting import TOLERANCE

__all__ = ["solve_one"]


@njit(cache=True, nogil=True, error_model="numpy")
def _on_set(H, f, inside, summed, L, index, x, z):
    # minimiser on a passive set, packed in x; returns its size and the multiplier of the sum
    n = 0
    for i in range(H.shape[0]):
        if inside[i]:
            index[n] = i
            x[n] = f[i]
            n += 1
    factor(H, index, n, L)
    substitute(L, n, x)
    multiplier = 0.0
    if summed:
        for i in range(n):
            z[i] = 1.0
        substitute(L, n, z)
        sx, sz = 0.0, 0.0
        for i in range(n):
            sx += x[i]
            sz += z[i]
        multiplier = (sx - 1.0) / sz
        for i in range(n):
            x[i] -= multiplier * z[i]
    return n, multiplier


@njit(cache=True, nogil=True, error_model="numpy")
def solve_one(H, f, bounded, summed, a):
    """Minimise ``a^T H a / 2 - f^T a`` under ``a >= 0`` (bounded) and ``sum(a) = 1`` (summed), into ``a``."""
    count = H.shape[0]
    L, x, z = np.empty((count, count)), np.empty(count), np.empty(count)
    index, inside = np.empty(count, np.int64), np.zeros(count, np.bool_)
    n, multiplier = 0, 0.0
    if not bounded:
        inside[:] = True
        _on_set(H, f, inside, summed, L, index, x, z)
        for i in range(count):
            a[i] = x[i]
        return
    tolerance = 0.0
    for i in range(count):
        tolerance = max(tolerance, abs(f[i]), H[i, i])
        a[i] = 0.0
    tolerance *= TOLERANCE
    if summed:
        best, lowest = 0, np.inf
        for i in range(count):
            cost = 0.5 * H[i, i] - f[i]
            if cost < lowest:
                best, lowest = i, cost
        inside[best] = True
        a[best] = 1.0
        n, multiplier = _on_set(H, f, inside, summed, L, index, x, z)
    for _ in range(30 * count):  # ten times the usual bound of such codes, which is three entries per unknown
        enter, steepest = -1, -tolerance
        for i in range(count):
            if not inside[i]:
                w = multiplier - f[i]
                for k in range(n):
                    w += H[i, index[k]] * x[k]
                if w < steepest:
                    enter, steepest = i, w
        if enter < 0:
            return
        inside[enter] = True
        for _inner in range(count + 1):
            n, multiplier = _on_set(H, f, inside, summed, L, index, x, z)
            share, leave = 1.0, -1
            for k in range(n):
                i = index[k]
                if x[k] < 0.0:
                    s = a[i] / (a[i] - x[k])
                    if s < share or leave < 0:
                        share, leave = s, i
            for k in range(n):
                i = index[k]
                a[i] += share * (x[k] - a[i])
            if leave < 0:
                break
            a[leave] = 0.0
            inside[leave] = False
            n -= 1
            if n == 0:
                break

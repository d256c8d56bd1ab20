"""The compiled loops of abundance errors: one small factorisation per set of active constraints."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["error_factor", "variances"]

_SLOTS = 1024  # sets remembered in a call: 0.5 MB for 30 endmembers; a block of a real scene has tens to hundreds


@njit(cache=True, nogil=True, error_model="numpy")
def error_factor(index, n, held, G, spread, length, L, u, T):
    """Put in the rows ``T[:n]`` what a unit of every noise does to the free amounts ``index[:n]``.

    Their covariance is ``T T^T``. ``G (endmembers, endmembers)`` and ``spread (endmembers, noises)`` are in units of
    ``1 / length``; ``held``: the sum does not change. ``L`` and ``u`` are room.
    """
    noises = spread.shape[1]
    for i in range(n):
        for j in range(i + 1):
            s = G[index[i], index[j]]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:  # the ridge keeps pivots above 1e-10; the floor is for its rounding
                L[i, i] = np.sqrt(max(s, 1e-15 * G[index[i], index[i]]))
            else:
                L[i, j] = s / L[j, j]
    whole = 0.0
    if held:
        for i in range(n):
            u[i] = 1.0
        _substitute(L, n, u)
        for i in range(n):
            whole += u[i]
    z = np.empty(n)
    for j in range(n):
        z[:] = 0.0
        z[j] = 1.0
        _substitute(L, n, z)
        if held:  # projected: what is left of a change has no sum
            for i in range(n):
                z[i] -= u[i] * u[j] / whole
        row = T[j]
        row[:] = 0.0
        for i in range(n):
            weight, source = z[i] / length[index[j]], spread[index[i]]
            for r in range(noises):
                row[r] += source[r] * weight


@njit(cache=True, nogil=True, error_model="numpy")
def _substitute(L, n, x):
    for i in range(n):
        s = x[i]
        for k in range(i):
            s -= L[i, k] * x[k]
        x[i] = s / L[i, i]
    for i in range(n - 1, -1, -1):
        s = x[i]
        for k in range(i + 1, n):
            s -= L[k, i] * x[k]
        x[i] = s / L[i, i]


@njit(cache=True, nogil=True, error_model="numpy")
def variances(free, held, free_G, free_spread, length, held_G, held_spread, A, gain, out):
    """Put the variance of each abundance in ``out (endmembers, pixels)``.

    ``free (endmembers, pixels)``: strictly between its bounds; ``held (pixels)``: the sum is; ``gain (pixels)``, empty
    without one.
    """
    count, pixels = free.shape
    noises = free_spread.shape[1]
    one = np.uint64(1)
    slots = min(_SLOTS, pixels)
    known = np.zeros(slots, np.int8)  # 1: the set is free_G's, 2: held_G's
    keys = np.empty(slots, np.uint64)
    own, sums, totals = np.zeros((slots, count)), np.zeros((slots, count)), np.zeros(slots)
    index = np.empty(count, np.int64)
    L, u, T, t = np.empty((count, count)), np.empty(count), np.empty((count, noises)), np.empty(noises)
    unit = np.ones(count)
    for q in range(pixels):
        key = np.uint64(0)
        n = 0
        for i in range(count):
            if free[i, q]:
                key |= one << np.uint64(i)
                index[n] = i
                n += 1
        mark = np.int8(2) if held[q] else np.int8(1)
        # the golden ratio spreads sets that differ in high bits only (Knuth, 1973)
        slot = np.int64(((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) % np.uint64(slots))
        if known[slot] != mark or keys[slot] != key:
            known[slot], keys[slot] = mark, key
            own[slot], sums[slot], totals[slot] = 0.0, 0.0, 0.0
            if n > (1 if held[q] else 0):
                if held[q]:
                    error_factor(index, n, True, held_G, held_spread, unit, L, u, T)
                else:
                    error_factor(index, n, False, free_G, free_spread, length, L, u, T)
                t[:] = 0.0
                for j in range(n):
                    for r in range(noises):
                        t[r] += T[j, r]
                for r in range(noises):
                    totals[slot] += t[r] * t[r]
                for j in range(n):
                    for r in range(noises):
                        own[slot, index[j]] += T[j, r] * T[j, r]
                        sums[slot, index[j]] += T[j, r] * t[r]
        if not gain.size:
            for i in range(count):
                out[i, q] = own[slot, i]
            continue
        # the diagonal of J C J^T: C_ii - 2 a_i (C 1)_i + a_i^2 1^T C 1, over s^2
        for i in range(count):
            a = np.float64(A[i, q])
            v = own[slot, i] - 2.0 * a * sums[slot, i] + a * a * totals[slot]
            out[i, q] = max(v, 0.0) / gain[q] ** 2 if gain[q] > 0.0 else np.nan

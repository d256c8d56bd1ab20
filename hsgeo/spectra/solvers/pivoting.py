"""Block pivoting (Kim and Park, 2011) for eight pixels at once: every lane has its own passive set.

Solves ``min a^T H a / 2 - f^T a`` under ``a >= 0``, or under ``a >= 0`` and ``sum(a) = 1``. From the solution of one
passive set everything that is infeasible changes sides, until nothing is; a lane that cycles is left to `primal`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo.spectra.solvers.simd import (
    LANES,
    aligned,
    below,
    divide,
    fma,
    fnma,
    load,
    multiply,
    pick,
    root,
    splat,
    store,
    subtract,
)

__all__ = ["FLOOR", "NOTHING", "OPEN", "PARTIAL", "SOLVED", "TOLERANCE", "factorise", "pivot"]

OPEN, SOLVED, PARTIAL, NOTHING = 0, 1, 2, 3  # what a pixel is: to solve, solved, lacks bands, cannot be solved

TOLERANCE = 1e-11  # dual feasibility relative to the largest |H|, |f|: rounding of P = 64 sums is 1e-14
EMPTY = 1e-300  # stands for a sum over nothing: its inverse is above every linear term, and finite
FLOOR = 1e-15  # a pivot lost to rounding, relative to the largest diagonal; the ridge keeps exact ones above
_ROUNDS = 6  # of block pivoting, besides one per endmember; 1 to 5 are usual, more is a cycle


@njit(cache=True, nogil=True, error_model="numpy")
def _row(a):
    # where row a of a packed triangle of vectors begins
    return a * (a + 1) // 2 * LANES


@njit(cache=True, nogil=True, error_model="numpy")
def factorise(H, summed, M, active, C, J, V):
    """Cholesky factors of ``H`` on the passive sets ``M (endmembers, lanes)``, and ``V = L^-1 1``; returns their union.

    An endmember outside a lane's set has the inverted pivot 0, which makes its share 0 in all that follows; one
    outside the sets of all lanes is skipped, which changes no bit of the others. ``active`` receives the union, ``C``
    the factors as packed triangles, ``J`` the inverted diagonal.
    """
    count = H.shape[0]
    one, zero = splat(1.0), splat(0.0)
    largest = 0.0
    for i in range(count):
        largest = max(largest, H[i, i])
    floor = splat(FLOOR * largest)
    n = 0
    for i in range(count):
        if below(zero, load(M, i * LANES)):
            active[n] = i
            n += 1
    for a in range(n):
        i, row = active[a], _row(a)
        b = 0
        while b + 1 < a:  # two columns share every load of the row
            s, t = splat(H[i, active[b]]), splat(H[i, active[b + 1]])
            one_row, other = _row(b), _row(b + 1)
            for k in range(0, b * LANES, LANES):
                c = load(C, row + k)
                s = fnma(c, load(C, one_row + k), s)
                t = fnma(c, load(C, other + k), t)
            s = multiply(s, load(J, b * LANES))
            store(C, row + b * LANES, s)
            t = fnma(s, load(C, other + b * LANES), t)
            store(C, row + (b + 1) * LANES, multiply(t, load(J, (b + 1) * LANES)))
            b += 2
        if b < a:
            s, other = splat(H[i, active[b]]), _row(b)
            for k in range(0, b * LANES, LANES):
                s = fnma(load(C, row + k), load(C, other + k), s)
            store(C, row + b * LANES, multiply(s, load(J, b * LANES)))
        s, v = splat(H[i, i]), one
        for k in range(0, a * LANES, LANES):
            c = load(C, row + k)
            s = fnma(c, c, s)
            v = fnma(c, load(V, k), v)
        inverse = divide(load(M, i * LANES), root(pick(s, floor, floor, s)))
        store(J, a * LANES, inverse)
        if summed:
            store(V, a * LANES, multiply(v, inverse))
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _step(H, F, bounded, summed, active, n, C, J, V, U, M, X):
    """Minimise on the passive sets into ``X (endmembers, lanes)``; returns the lanes whose set ``M`` has changed.

    ``active``, ``n``, ``C``, ``J``, ``V`` come from `factorise`; ``F (endmembers, lanes)`` is the linear term; ``U`` is
    room.
    """
    count = H.shape[0]
    one, zero = splat(1.0), splat(0.0)
    uv, vv, multiplier = zero, zero, zero
    for a in range(n):
        u, row = load(F, active[a] * LANES), _row(a)
        for k in range(0, a * LANES, LANES):
            u = fnma(load(C, row + k), load(U, k), u)
        u = multiply(u, load(J, a * LANES))
        store(U, a * LANES, u)
        if summed:
            v = load(V, a * LANES)
            uv, vv = fma(u, v, uv), fma(v, v, vv)
    if summed:
        # a set that rounding has emptied (data 1e15 times the endmembers): all are called back in, and 0 / 0 does not
        # spread in lanes beside which others have a set
        multiplier = divide(subtract(uv, one), pick(zero, vv, vv, splat(EMPTY)))
        for k in range(0, n * LANES, LANES):
            store(U, k, fnma(multiplier, load(V, k), load(U, k)))
    largest = 0.0
    for i in range(count):
        store(X, i * LANES, zero)
        largest = max(largest, H[i, i])
    for a in range(n - 1, -1, -1):
        s = load(U, a * LANES)
        for b in range(a + 1, n):
            s = fnma(load(C, _row(b) + a * LANES), load(X, active[b] * LANES), s)
        store(X, active[a] * LANES, multiply(s, load(J, a * LANES)))
    changed = 0
    if not bounded:
        return changed
    scale = splat(largest)
    for i in range(count):
        f = load(F, i * LANES)
        f = pick(f, zero, subtract(zero, f), f)
        scale = pick(scale, f, f, scale)
    tolerance = multiply(scale, splat(-TOLERANCE))
    for i in range(count):
        m = load(M, i * LANES)
        switch = pick(load(X, i * LANES), zero, one, zero)
        if below(m, one):  # the derivative of the Lagrangian: negative means it wants in
            w = subtract(multiplier, load(F, i * LANES))
            for b in range(n):
                w = fma(splat(H[i, active[b]]), load(X, active[b] * LANES), w)
            switch = pick(m, one, pick(w, tolerance, one, zero), switch)
        lanes = below(zero, switch)
        if lanes:
            changed |= lanes
            store(M, i * LANES, pick(zero, switch, subtract(one, m), m))
    return changed


@njit(cache=True, nogil=True, error_model="numpy")
def pivot(H, F, bounded, summed, full, full_C, full_I, full_V, size, state, X):
    """Solve the open ones of ``size`` pixels from their linear terms ``F`` into ``X``, both ``(endmembers, pixels)``.

    ``full_C``, ``full_J``, ``full_V`` come from `factorise` with all endmembers, which ``full`` lists. Marks in
    ``state`` what it solved; what stays open cycles.
    """
    count, width = H.shape[0], F.shape[1]
    f, m, x = aligned(count, LANES), aligned(count, LANES), aligned(count, LANES)
    C, U = aligned(count * (count + 1) // 2, LANES), aligned(count, LANES)
    J, V = aligned(count, LANES), aligned(count, LANES)
    active = np.empty(count, np.int64)
    sets = np.ones((width, count))
    waiting = np.empty(width, np.int64)
    left = 0
    for q in range(size):
        if state[q] == OPEN:
            waiting[left] = q
            left += 1
    for turn in range(_ROUNDS + count):
        if left == 0:
            return
        n, left = left, 0
        for first in range(0, n, LANES):
            for lane in range(LANES):  # a lane without a pixel repeats the last one
                q = waiting[min(first + lane, n - 1)]
                for i in range(count):
                    f[i, lane] = F[i, q]
                    m[i, lane] = sets[q, i]
            if turn == 0:  # everybody begins with all endmembers: one factor for all
                changed = _step(H, f, bounded, summed, full, count, full_C, full_I, full_V, U, m, x)
            else:
                k = factorise(H, summed, m, active, C, J, V)
                changed = _step(H, f, bounded, summed, active, k, C, J, V, U, m, x)
            for lane in range(min(LANES, n - first)):
                q = waiting[first + lane]
                if (changed >> lane) & 1:
                    for i in range(count):
                        sets[q, i] = m[i, lane]
                    waiting[left] = q  # never ahead of what is read: left <= first + lane
                    left += 1
                else:
                    for i in range(count):
                        X[i, q] = x[i, lane]
                    state[q] = SOLVED

"""The one pass over the data: ``D^T (y - o)`` and ``|y - o|^2`` of every pixel, in float64.

Two forms of one sum, for pixels in rows and for bands in rows. Both add bands 0, 8, 16, ... first, then 1, 9, 17, ...,
and so on, and join these eight partial sums in the tree of `simd.total`: the bits are the same.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo.spectra.solvers.simd import LANES, add, fma, load, multiply, splat, store, subtract, total

__all__ = ["of_columns", "of_rows", "residual", "weighted"]


@njit(cache=True, nogil=True, error_model="numpy")
def of_rows(Y, start, size, D, offset, R, G, squares):
    """Sum pixels in rows, ``Y (pixels, bands)``: the lanes are bands.

    ``D (endmembers, bands)`` and ``offset`` are padded with zeros to full vectors and an even count; ``R (2, bands)``
    is room for two pixels, zero beyond the bands. Fills ``G (endmembers, pixels)`` and ``squares (pixels)``.
    """
    bands, padded, count = Y.shape[1], offset.size, D.shape[0]
    whole = bands // LANES * LANES
    zero = splat(0.0)
    for q in range(0, size, 2):  # two pixels share every load of D
        last = min(q + 1, size - 1)
        for t in range(2):
            p = q if t == 0 else last
            at = (start + p) * bands
            s = zero
            for b in range(0, whole, LANES):
                r = subtract(load(Y, at + b), load(offset, b))
                store(R, t * padded + b, r)
                s = fma(r, r, s)
            if whole < bands:
                for b in range(whole, bands):
                    R[t, b] = np.float64(Y[start + p, b]) - offset[b]
                r = load(R, t * padded + whole)
                s = fma(r, r, s)
            squares[p] = total(s)
        i = 0
        while i + 3 < count:
            a0, a1, a2, a3, b0, b1, b2, b3 = zero, zero, zero, zero, zero, zero, zero, zero
            for b in range(0, padded, LANES):
                r, s = load(R, b), load(R, padded + b)
                d = load(D, i * padded + b)
                a0, b0 = fma(d, r, a0), fma(d, s, b0)
                d = load(D, (i + 1) * padded + b)
                a1, b1 = fma(d, r, a1), fma(d, s, b1)
                d = load(D, (i + 2) * padded + b)
                a2, b2 = fma(d, r, a2), fma(d, s, b2)
                d = load(D, (i + 3) * padded + b)
                a3, b3 = fma(d, r, a3), fma(d, s, b3)
            G[i, q], G[i + 1, q], G[i + 2, q], G[i + 3, q] = total(a0), total(a1), total(a2), total(a3)
            G[i, last], G[i + 1, last], G[i + 2, last], G[i + 3, last] = total(b0), total(b1), total(b2), total(b3)
            i += 4
        if i < count:  # two are left: the count is even
            a0, a1, b0, b1 = zero, zero, zero, zero
            for b in range(0, padded, LANES):
                r, s = load(R, b), load(R, padded + b)
                d = load(D, i * padded + b)
                a0, b0 = fma(d, r, a0), fma(d, s, b0)
                d = load(D, (i + 1) * padded + b)
                a1, b1 = fma(d, r, a1), fma(d, s, b1)
            G[i, q], G[i + 1, q] = total(a0), total(a1)
            G[i, last], G[i + 1, last] = total(b0), total(b1)


@njit(cache=True, nogil=True, error_model="numpy")
def of_columns(Y, start, size, D, offset, R, T, G, squares):
    """Sum bands in rows, ``Y (bands, pixels)``: the lanes are pixels.

    ``D`` and ``offset`` as in `of_rows`; ``R (bands, pixels of a panel + 8)``, zero beyond the bands, and ``T (8, 24)``
    are room. The 8 keep the rows from sharing the few cache lines that a power of two maps to.
    """
    bands, padded, count, panel, width = Y.shape[0], offset.size, D.shape[0], R.shape[1] - LANES, G.shape[1]
    stride = R.shape[1]
    zero = splat(0.0)
    for left in range(0, size, panel):
        n = min(panel, size - left)
        for b in range(bands):
            o, source, target = offset[b], Y[b, start + left : start + left + n], R[b]
            for q in range(n):
                target[q] = np.float64(source[q]) - o
        for q in range(0, n, LANES):
            for i in range(0, count, 2):
                for lane in range(LANES):
                    a, c, s = zero, zero, zero
                    for b in range(lane, padded, LANES):
                        r = load(R, b * stride + q)
                        a, c = fma(splat(D[i, b]), r, a), fma(splat(D[i + 1, b]), r, c)
                        if i == 0:
                            s = fma(r, r, s)
                    store(T, lane * 3 * LANES, a)
                    store(T, (lane * 3 + 1) * LANES, c)
                    store(T, (lane * 3 + 2) * LANES, s)
                _join(T, 0, G, i * width + left + q)
                _join(T, LANES, G, (i + 1) * width + left + q)
                if i == 0:
                    _join(T, 2 * LANES, squares, left + q)


@njit(cache=True, nogil=True, error_model="numpy")
def _join(T, at, out, place):
    # the tree of `total`, over partial sums that stand in rows
    step = 3 * LANES
    for half in (4, 2, 1):
        for k in range(half):
            store(T, k * step + at, add(load(T, k * step + at), load(T, (k + half) * step + at)))
    store(out, place, load(T, at))


@njit(cache=True, nogil=True, error_model="numpy")
def residual(r, D, a, weight):
    """Return ``sum(weight (r - D a)^2)`` of one pixel ``r (bands)``, padded as ``D``; nothing cancels."""
    padded = r.size
    s = splat(0.0)
    for b in range(0, padded, LANES):
        rest = load(r, b)
        for i in range(a.size):
            rest = fma(splat(-a[i]), load(D, i * padded + b), rest)
        s = fma(multiply(rest, load(weight, b)), rest, s)
    return total(s)


@njit(cache=True, nogil=True, error_model="numpy")
def weighted(D, i, r, at, weight):
    """Return ``sum(weight D_i r)`` for row ``i`` of ``D`` and the padded bands from ``at`` on in ``r``, flat."""
    padded = weight.size
    s = splat(0.0)
    for b in range(0, padded, LANES):
        s = fma(multiply(load(D, i * padded + b), load(weight, b)), load(r, at + b), s)
    return total(s)

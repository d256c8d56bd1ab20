"""The compiled search of MESMA: every model against every pixel, by closed forms on Gram matrices.

A model costs a pixel a dozen multiplications: its fractions are a small inverse times correlations that all models
share. Loops run over pixels inside and models outside, in float64 and without fastmath, so that a pixel's bits do not
depend on the pixels beside it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["search"]

_PIXELS = 256  # pixels per inner block: correlations with 75 spectra (150 kB) stay in the second-level cache
_COLLINEAR = 1e-12  # squared sine below which spectra of a model are one direction: float32 libraries round at 1e-14


@njit(cache=True, nogil=True, error_model="numpy")
def _inverse(G, pick, k, M):
    # M = G[pick][:, pick]^-1 by Cholesky; False when the spectra are collinear
    L = np.zeros((4, 4))
    for i in range(k):
        for j in range(i + 1):
            s = G[pick[i], pick[j]]
            for m in range(j):
                s -= L[i, m] * L[j, m]
            if i == j:
                if not s > _COLLINEAR * G[pick[i], pick[i]]:
                    return False
                L[i, i] = np.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    W = np.zeros((4, 4))  # L^-1
    for i in range(k):
        W[i, i] = 1.0 / L[i, i]
        for j in range(i):
            s = 0.0
            for m in range(j, i):
                s -= L[i, m] * W[m, j]
            W[i, j] = s * W[i, i]
    for i in range(k):
        for j in range(k):
            s = 0.0
            for m in range(max(i, j), k):
                s += W[m, i] * W[m, j]
            M[i, j] = s
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _fit1(C, i0, M, yy, size, lim, number, best, which):
    x0 = C[i0]
    m00 = M[0, 0]
    lo, hi, slo, shi = lim[0], lim[1], lim[2], lim[3]
    for q in range(size):
        a = m00 * x0[q]
        rss = yy[q] - a * x0[q]
        s = 1.0 - a
        ok = (a >= lo) & (a <= hi) & (s >= slo) & (s <= shi) & (rss < best[q])
        best[q] = rss if ok else best[q]
        which[q] = number if ok else which[q]


@njit(cache=True, nogil=True, error_model="numpy")
def _fit2(C, i0, i1, M, yy, size, lim, number, best, which):
    x0, x1 = C[i0], C[i1]
    m00, m01, m11 = M[0, 0], M[0, 1], M[1, 1]
    lo, hi, slo, shi = lim[0], lim[1], lim[2], lim[3]
    for q in range(size):
        a = m00 * x0[q] + m01 * x1[q]
        b = m01 * x0[q] + m11 * x1[q]
        rss = yy[q] - a * x0[q] - b * x1[q]
        s = 1.0 - a - b
        ok = (a >= lo) & (a <= hi) & (b >= lo) & (b <= hi) & (s >= slo) & (s <= shi) & (rss < best[q])
        best[q] = rss if ok else best[q]
        which[q] = number if ok else which[q]


@njit(cache=True, nogil=True, error_model="numpy")
def _fit3(C, i0, i1, i2, M, yy, size, lim, number, best, which):
    x0, x1, x2 = C[i0], C[i1], C[i2]
    m00, m01, m02, m11, m12, m22 = M[0, 0], M[0, 1], M[0, 2], M[1, 1], M[1, 2], M[2, 2]
    lo, hi, slo, shi = lim[0], lim[1], lim[2], lim[3]
    for q in range(size):
        a = m00 * x0[q] + m01 * x1[q] + m02 * x2[q]
        b = m01 * x0[q] + m11 * x1[q] + m12 * x2[q]
        c = m02 * x0[q] + m12 * x1[q] + m22 * x2[q]
        rss = yy[q] - a * x0[q] - b * x1[q] - c * x2[q]
        s = 1.0 - a - b - c
        low, high = min(a, min(b, c)), max(a, max(b, c))
        ok = (low >= lo) & (high <= hi) & (s >= slo) & (s <= shi) & (rss < best[q])
        best[q] = rss if ok else best[q]
        which[q] = number if ok else which[q]


@njit(cache=True, nogil=True, error_model="numpy")
def _slow(C, pick, k, M, yy, size, lim, number, best, which, S, R):
    # any number of spectra, and the limit on runs of bands with a large residual (lim[4] over lim[5] bands)
    a = np.empty(k)
    bands = S.shape[0]
    run = int(lim[5])
    for q in range(size):
        rss, s, ok = yy[q], 1.0, True
        for i in range(k):
            a[i] = 0.0
            for j in range(k):
                a[i] += M[i, j] * C[pick[j], q]
            rss -= a[i] * C[pick[i], q]
            s -= a[i]
            ok = ok and a[i] >= lim[0] and a[i] <= lim[1]
        if not (ok and s >= lim[2] and s <= lim[3] and rss < best[q]):
            continue
        if run > 0:
            found = 0
            for b in range(bands):
                r = R[b, q]
                if not np.isfinite(r):
                    continue
                for i in range(k):
                    r -= a[i] * S[b, pick[i]]
                found = 0 if abs(r) < lim[4] else found + 1
                if found >= run:
                    break
            if found >= run:
                continue
        best[q], which[q] = rss, number


@njit(cache=True, nogil=True, error_model="numpy")
def _level(G, C, yy, size, sets, first, members, lim, best, which, S, R):
    # the best model of one level; models are numbered in the order of the loops
    k = sets.shape[1]
    M = np.empty((4, 4))
    pick = np.empty(4, np.int64)
    at = np.empty(4, np.int64)
    number = 0
    for row in range(sets.shape[0]):
        total = 1
        for i in range(k):
            at[i] = 0
            total *= first[sets[row, i] + 1] - first[sets[row, i]]
        for _ in range(total):
            for i in range(k):
                pick[i] = members[first[sets[row, i]] + at[i]]
            if _inverse(G, pick, k, M):
                if k == 4 or lim[5] > 0:
                    _slow(C, pick, k, M, yy, size, lim, number, best, which, S, R)
                elif k == 3:
                    _fit3(C, pick[0], pick[1], pick[2], M, yy, size, lim, number, best, which)
                elif k == 2:
                    _fit2(C, pick[0], pick[1], M, yy, size, lim, number, best, which)
                else:
                    _fit1(C, pick[0], M, yy, size, lim, number, best, which)
            number += 1
            for i in range(k - 1, -1, -1):  # the last class turns fastest
                at[i] += 1
                if at[i] < first[sets[row, i] + 1] - first[sets[row, i]]:
                    break
                at[i] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _decode(number, sets, first, members, pick):
    # from the number of a model to its spectra; returns the row of its set of classes
    k = sets.shape[1]
    for row in range(sets.shape[0]):
        total = 1
        for i in range(k):
            total *= first[sets[row, i] + 1] - first[sets[row, i]]
        if number >= total:
            number -= total
            continue
        for i in range(k - 1, -1, -1):
            size = first[sets[row, i] + 1] - first[sets[row, i]]
            pick[i] = members[first[sets[row, i]] + number % size]
            number //= size
        return row
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def _block(G, C, yy, valid, size, sets, bounds, first, members, lim, most, fusion, S, R, F, models, rmse):
    count = bounds.shape[0]
    best = np.empty((count, size))
    which = np.empty((count, size), np.int64)
    chosen = np.empty(size, np.int64)
    lowest = np.empty(size)
    for q in range(size):
        chosen[q], lowest[q] = -1, np.inf
        for level in range(count):
            # the limit counts as reached, not as broken
            best[level, q] = np.nextafter(most * most * valid[q], np.inf) if np.isfinite(most) else np.inf
            which[level, q] = -1
    for level in range(count):
        part = sets[bounds[level, 0] : bounds[level, 1], : bounds[level, 2]]
        _level(G, C, yy, size, part, first, members, lim, best[level], which[level], S, R)
        for q in range(size):
            if which[level, q] < 0:
                best[level, q] = np.inf
                continue
            best[level, q] = np.sqrt(max(best[level, q], 0.0) / valid[q])
            # compared with the level below it, chosen or not, as VIPER Tools does; nothing below: any model will do
            if level > 0 and best[level - 1, q] - best[level, q] < fusion:
                continue
            if best[level, q] < lowest[q]:
                chosen[q], lowest[q] = level, best[level, q]
    M = np.empty((4, 4))
    pick = np.empty(4, np.int64)
    classes = first.size - 1
    for q in range(size):
        F[:, q] = np.nan
        models[:, q] = -1
        rmse[q] = np.nan
        if chosen[q] < 0 or valid[q] == 0:
            continue
        part = sets[bounds[chosen[q], 0] : bounds[chosen[q], 1], : bounds[chosen[q], 2]]
        k = part.shape[1]
        row = _decode(which[chosen[q], q], part, first, members, pick)
        _inverse(G, pick, k, M)
        F[:, q] = 0.0
        shade = 1.0
        for i in range(k):
            a = 0.0
            for j in range(k):
                a += M[i, j] * C[pick[j], q]
            F[part[row, i], q] = a
            models[part[row, i], q] = pick[i]
            shade -= a
        F[classes, q] = shade
        total = 0.0  # of the residual itself: no cancellation in what the product says
        for b in range(S.shape[0]):
            r = R[b, q]
            if np.isfinite(r):
                for i in range(k):
                    r -= F[part[row, i], q] * S[b, pick[i]]
                total += r * r
        rmse[q] = np.sqrt(total / valid[q])


@njit(cache=True, nogil=True, error_model="numpy")
def search(Y, S, shade, G, sets, bounds, first, members, lim, most, fusion):
    """Find the best model of every pixel of ``Y (bands, pixels)``; see `hsgeo_classical.mesma.search.mesma`."""
    bands, pixels = Y.shape
    spectra, classes = S.shape[1], first.size - 1
    F = np.empty((classes + 1, pixels))
    models = np.empty((classes, pixels), np.int32)
    rmse = np.empty(pixels)
    C = np.empty((spectra, _PIXELS))
    R = np.empty((bands, _PIXELS))
    yy, valid = np.empty(_PIXELS), np.empty(_PIXELS)
    for start in range(0, pixels, _PIXELS):
        size = min(_PIXELS, pixels - start)
        stop = start + size
        C[:] = 0.0
        yy[:] = 0.0
        valid[:] = bands
        for b in range(bands):
            for q in range(size):
                R[b, q] = np.float64(Y[b, start + q]) - shade[b]
            for q in range(size):
                yy[q] += R[b, q] * R[b, q]
            for i in range(spectra):
                s = S[b, i]
                row = C[i]
                for q in range(size):
                    row[q] += s * R[b, q]
        _block(
            G, C, yy, valid, size, sets, bounds, first, members, lim, most, fusion, S, R,
            F[:, start:stop], models[:, start:stop], rmse[start:stop],
        )  # fmt: skip
        for q in range(size):
            if not np.isfinite(yy[q]):
                _lacking(R[:, q], S, sets, bounds, first, members, lim, most, fusion, F, models, rmse, start + q)
    return F, models, rmse


@njit(cache=True, nogil=True, error_model="numpy")
def _lacking(r, S, sets, bounds, first, members, lim, most, fusion, F, models, rmse, at):
    # a pixel that misses bands: the same search on the others, with Gram matrices of its own
    bands, spectra = S.shape
    G, C, R = np.zeros((spectra, spectra)), np.zeros((spectra, 1)), np.empty((bands, 1))
    yy, valid = np.zeros(1), np.zeros(1)
    for b in range(bands):
        R[b, 0] = r[b]
        if not np.isfinite(r[b]):
            continue
        valid[0] += 1
        yy[0] += r[b] * r[b]
        for i in range(spectra):
            C[i, 0] += S[b, i] * r[b]
            for j in range(i + 1):
                G[i, j] += S[b, i] * S[b, j]
    for i in range(spectra):
        for j in range(i):
            G[j, i] = G[i, j]
    _block(
        G, C, yy, valid, 1, sets, bounds, first, members, lim, most, fusion, S, R,
        F[:, at : at + 1], models[:, at : at + 1], rmse[at : at + 1],
    )  # fmt: skip

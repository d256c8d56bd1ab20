"""A compiled active-set solver for one pixel and many spectra: few of them are in use, whatever the library's size.

`hsgeo.spectra.solvers` keeps a table of factors and is faster for endmembers; it ends at 64 of them, libraries do not.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["MOST_FREE", "RIDGE", "minimise", "moments"]

MOST_FREE = 512  # spectra in use at once (2 MB of factor): independent ones cannot outnumber the bands, copies might
RIDGE = 1e-13  # of the mean diagonal: above rounding (1e-16 times sums over 200 bands), so that copies stay solvable
_TOLERANCE = 1e-12  # of the largest |H|, |f|: a spectrum enters when it lowers the residual by more than rounding


@njit(cache=True, nogil=True, error_model="numpy")
def _on_set(H, g, pick, index, n, kind, L, x, z):
    # minimiser on the free set (packed in x) by Cholesky; returns the multiplier of the sum
    floor = 0.0
    for i in range(n):
        p = pick[index[i]]
        floor = max(floor, H[p, p])
    floor *= 1e-15  # a pivot lost to rounding
    for i in range(n):
        for j in range(i + 1):
            s = H[pick[index[i]], pick[index[j]]]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                L[i, i] = 1.0 / np.sqrt(max(s, floor))
            else:
                L[i, j] = s * L[j, j]
    for i in range(n):
        x[i] = g[i]
        z[i] = 1.0
    for i in range(n):
        s, t = x[i], z[i]
        for k in range(i):
            s -= L[i, k] * x[k]
            t -= L[i, k] * z[k]
        x[i], z[i] = s * L[i, i], t * L[i, i]
    for i in range(n - 1, -1, -1):
        s, t = x[i], z[i]
        for k in range(i + 1, n):
            s -= L[k, i] * x[k]
            t -= L[k, i] * z[k]
        x[i], z[i] = s * L[i, i], t * L[i, i]
    if kind != 2:
        return 0.0
    sx, sz = 0.0, 0.0
    for i in range(n):
        sx += x[i]
        sz += z[i]
    multiplier = (sx - 1.0) / sz
    for i in range(n):
        x[i] -= multiplier * z[i]
    return multiplier


@njit(cache=True, nogil=True, error_model="numpy")
def minimise(H, f, pick, upper, kind, a):
    """Minimise ``a^T H a / 2 - f^T a`` over the spectra ``pick``, exactly.

    Lawson and Hanson's method with upper bounds (Stark and Parker 1995, Comput. Stat. 10): one spectrum enters at a
    time, the one whose gradient promises most; the objective falls at every step, so it ends.

    Parameters
    ----------
    H : numpy.ndarray
        ``(spectra, spectra)`` float64.
    f : numpy.ndarray
        ``(spectra,)``.
    pick : numpy.ndarray
        ``(n,)`` int64: the spectra that may be used.
    upper : float
        Highest value of each; infinity: none.
    kind : int
        1: ``0 <= a <= upper``; 2: ``a >= 0`` and ``sum(a) = 1``.
    a : numpy.ndarray
        ``(n,)``: the result, in the order of ``pick``.
    """
    count = pick.size
    most = min(count, MOST_FREE)
    state = np.zeros(count, np.int8)  # 0: at zero, 1: free, 2: at the upper bound
    blocked = np.zeros(count, np.bool_)
    index = np.empty(most, np.int64)
    L = np.empty((most, most))
    x, z, g = np.empty(most), np.empty(most), np.empty(most)
    largest = 0.0
    for i in range(count):
        a[i] = 0.0
        largest = max(largest, abs(f[pick[i]]), H[pick[i], pick[i]])
    tolerance = _TOLERANCE * largest
    n, multiplier = 0, 0.0
    if kind == 2:
        best, lowest = 0, np.inf
        for i in range(count):
            cost = 0.5 * H[pick[i], pick[i]] - f[pick[i]]
            if cost < lowest:
                best, lowest = i, cost
        a[best], state[best], index[0], n = 1.0, 1, best, 1
        multiplier = f[pick[best]] - H[pick[best], pick[best]]
    for _ in range(10 * count):
        enter, steepest = -1, -tolerance
        for i in range(count):
            if state[i] == 1 or blocked[i]:
                continue
            w = multiplier - f[pick[i]]
            for j in range(count):
                if a[j] != 0.0:
                    w += H[pick[i], pick[j]] * a[j]
            w = -w if state[i] == 2 else w
            if w < steepest:
                enter, steepest = i, w
        if enter < 0 or n >= most:
            return
        state[enter], index[n] = 1, enter
        n += 1
        moved = False
        while n > 0:
            for i in range(n):
                g[i] = f[pick[index[i]]]
                for j in range(count):
                    if state[j] == 2:
                        g[i] -= H[pick[index[i]], pick[j]] * a[j]
            multiplier = _on_set(H, g, pick, index, n, kind, L, x, z)
            step, leave = 1.0, -1
            for i in range(n):
                now, then = a[index[i]], x[i]
                if then < 0.0:
                    s = now / (now - then)
                elif then > upper:
                    s = (upper - now) / (then - now)
                else:
                    continue
                if s < step or leave < 0:
                    step, leave = s, i
            moved = moved or step > 0.0
            for i in range(n):
                a[index[i]] += step * (x[i] - a[index[i]])
            if leave < 0:
                break
            gone = index[leave]
            a[gone], state[gone] = (0.0, 0) if x[leave] < 0.0 else (upper, 2)
            n -= 1
            for i in range(leave, n):
                index[i] = index[i + 1]
            if gone == enter and step == 0.0:
                blocked[enter] = True  # rounding let it in; it may try again once something has moved
        if moved:
            blocked[:] = False


@njit(cache=True, nogil=True, error_model="numpy")
def moments(y, D, offset, H, f, own):
    """Add up what `minimise` needs of a pixel, over its valid bands.

    Parameters
    ----------
    y : numpy.ndarray
        One pixel ``(bands,)``; not finite: missing.
    D, offset : numpy.ndarray
        ``(bands, spectra)`` and ``(bands,)``.
    H : numpy.ndarray
        ``(spectra, spectra)``: the Gram matrix of all bands.
    f, own : numpy.ndarray
        ``(spectra,)`` and ``(spectra, spectra)``, changed in place; what stands there before is kept.

    Returns
    -------
    valid : int
        Number of valid bands.
    G : numpy.ndarray
        ``H`` for a complete pixel, else ``own``.
    """
    bands, count = D.shape
    valid = 0
    for b in range(bands):
        if np.isfinite(y[b]):
            valid += 1
            r = y[b] - offset[b]
            for i in range(count):
                f[i] += D[b, i] * r
    if valid == bands:
        return valid, H
    for b in range(bands):
        if np.isfinite(y[b]):
            for i in range(count):
                for j in range(count):
                    own[i, j] += D[b, i] * D[b, j]
    return valid, own

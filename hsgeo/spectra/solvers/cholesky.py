"""Cholesky factors of a Gram matrix on a set of its unknowns, for the loops that solve one pixel at a time.

numba's cache looks at the date of the calling file alone: after a change here touch `bounded_kernels`, `primal`,
`partial` and `kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo.spectra.solvers.pivoting import FLOOR

__all__ = ["factor", "substitute"]


@njit(cache=True, nogil=True, error_model="numpy")
def factor(H, index, n, L):
    """Put the factor of ``H`` on the unknowns ``index[:n]`` in ``L[:n, :n]``, its diagonal inverted."""
    floor = 0.0
    for i in range(H.shape[0]):
        floor = max(floor, H[i, i])
    floor *= FLOOR
    for i in range(n):
        row = index[i]
        for j in range(i):
            s = H[row, index[j]]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            L[i, j] = s * L[j, j]
        s = H[row, row]
        for k in range(i):
            s -= L[i, k] * L[i, k]
        L[i, i] = 1.0 / np.sqrt(max(s, floor))


@njit(cache=True, nogil=True, error_model="numpy")
def substitute(L, n, x):
    """Replace ``x[:n]`` by ``(L L^T)^-1 x``."""
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

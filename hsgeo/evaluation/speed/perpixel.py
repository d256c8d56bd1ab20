"""The usual way to compile non-negative least squares: one pixel after the other, with the Gram matrix made once."""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo.spectra.solvers.primal import solve_one

__all__ = ["nnls_per_pixel"]


@njit(cache=True, nogil=True, error_model="numpy")
def nnls_per_pixel(Y, E, H, A, start, stop):
    """Solve pixels ``start`` to ``stop`` of ``Y (pixels, bands)`` into ``A`` by Lawson and Hanson on ``H = E^T E``.

    This is the fast form of Bro and de Jong (1997): only ``E^T y`` is made for every pixel.
    """
    bands, count = E.shape
    f, a = np.empty(count), np.empty(count)
    for p in range(start, stop):
        f[:] = 0.0
        for b in range(bands):
            y = np.float64(Y[p, b])
            for i in range(count):
                f[i] += E[b, i] * y
        solve_one(H, f, True, False, a)
        for i in range(count):
            A[p, i] = a[i]

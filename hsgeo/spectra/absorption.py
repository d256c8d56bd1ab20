"""Where the atmosphere hides the ground: the bands nobody should unmix when a file says nothing about its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["BAD_RANGES", "default_good"]

BAD_RANGES: tuple[tuple[float, float], ...] = ((1340.0, 1460.0), (1790.0, 1970.0), (2450.0, float("inf")))
"""Nanometres, bounds included except 2450: two water-vapour bands, and the end of the SWIR where there is no light."""


def default_good(wavelength: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Say which bands to use where the product itself does not.

    Parameters
    ----------
    wavelength : array_like, shape (band,)
        Band centres, nanometres.

    Returns
    -------
    numpy.ndarray, shape (band,), bool
        False at 1340-1460 nm, 1790-1970 nm and above 2450 nm.
    """
    centre = np.asarray(wavelength, dtype=np.float64)
    bad = np.zeros(centre.shape, bool)
    for low, high in BAD_RANGES:
        bad |= (centre > low if np.isinf(high) else centre >= low) & (centre <= high)
    return ~bad

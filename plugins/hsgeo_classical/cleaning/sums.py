"""Sums over the whole scene that the cleaning stages learn from, block by block."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import SceneError
from hsgeo.spectra.noise import covariance_of_differences, difference_moments, noise_from_moments

__all__ = ["Moments", "add", "image_of", "moment_sums", "noise_of", "padded"]

_ROWS = 32  # rows converted to float64 at a time: 15 MB of 256 columns and 230 bands
_KEEP = 0.5  # share of the pairs that noise is taken from, the most alike: edges of fields are no noise


class Moments:
    """Sums of a scene, read.

    Parameters
    ----------
    sums : xarray.Dataset
        From `moment_sums`, all blocks added.
    """

    def __init__(self, sums: xr.Dataset) -> None:
        self.count = int(sums["count"])
        if self.count < 2:
            raise SceneError(
                f"the scene has {self.count} complete pixels",
                "at least 2 with all their good bands",
                "Mark the bands that are missing as bad (good=False)",
            )
        self.mean = sums["total"].values / self.count
        self.second = sums["products"].values / self.count
        self._pairs = int(sums["pairs"]) if "pairs" in sums else 0
        self._sums = sums

    def differences(self) -> np.ndarray:
        """Return the covariance of the noise ``(bands, bands)`` from differences of neighbours."""
        if self._pairs < 2:
            raise SceneError(
                f"the scene has {self._pairs} pairs of neighbouring complete pixels",
                "at least 2",
                "Use the method 'regression', which needs none",
            )
        return covariance_of_differences(
            self._pairs, self._sums["difference"].values, self._sums["difference_products"].values
        )


def image_of(tile: xr.Dataset) -> np.ndarray:
    """Return the spectra of a block as ``(rows, cols, bands)``, not copied."""
    return np.asarray(np.moveaxis(tile["spectra"].transpose("band", "y", "x").values, 0, 2))


def moment_sums(tile: xr.Dataset, *, differences: bool) -> xr.Dataset:
    """Sum up the complete pixels of a block, and differences of neighbours if they are wanted.

    Parameters
    ----------
    tile : xarray.Dataset
        ``spectra (band, y, x)``.
    differences : bool
        Whether noise will be taken from them.

    Returns
    -------
    xarray.Dataset
        ``count``, ``total (band)``, ``products (band, other)``, and ``pairs``, ``difference (band)``,
        ``difference_products (band, other)``.
    """
    image = image_of(tile)
    bands = image.shape[2]
    count, total, products = 0, np.zeros(bands), np.zeros((bands, bands))
    for start in range(0, image.shape[0], _ROWS):
        Y = np.asarray(image[start : start + _ROWS], np.float64).reshape(-1, bands)
        Y = Y[np.isfinite(Y).all(axis=1)]
        count += len(Y)
        total += Y.sum(axis=0)
        products += Y.T @ Y
    made = {"count": ((), count), "total": ("band", total), "products": (("band", "other"), products)}
    if differences:
        pairs, difference, between = difference_moments(image, keep=_KEEP)
        made |= {
            "pairs": ((), pairs),
            "difference": ("band", difference),
            "difference_products": (("band", "other"), between),
        }
    return xr.Dataset(made)


def add(left: xr.Dataset, right: xr.Dataset) -> xr.Dataset:
    """Add the sums of two parts; along ``x`` the shorter one is filled with 0.

    Parameters
    ----------
    left, right : xarray.Dataset
        With the same variables.

    Returns
    -------
    xarray.Dataset
        Their sums.
    """
    cols = max(left.sizes.get("x", 0), right.sizes.get("x", 0))
    return xr.Dataset(
        {name: (left[name].dims, _filled(left[name], cols) + _filled(right[name], cols)) for name in left.data_vars}
    )


def padded(values: np.ndarray, first: int) -> np.ndarray:
    """Put zeros before the last axis, so that it starts at column 0 of the scene.

    Parameters
    ----------
    values : numpy.ndarray
        ``(..., cols)`` of a block.
    first : int
        Column of the scene where the block starts.

    Returns
    -------
    numpy.ndarray
        ``(..., first + cols)``.
    """
    return np.concatenate([np.zeros((*values.shape[:-1], first)), values], axis=-1)


def _filled(array: xr.DataArray, cols: int) -> np.ndarray:
    values = np.asarray(array.values)
    if "x" not in array.dims or values.shape[-1] == cols:
        return values
    return np.concatenate([values, np.zeros((*values.shape[:-1], cols - values.shape[-1]))], axis=-1)


def noise_of(moments: Moments, method: str) -> np.ndarray:
    """Return the covariance ``(bands, bands)`` or the standard deviation ``(bands,)`` of the noise.

    Parameters
    ----------
    moments : Moments
        Of the scene.
    method : {"differences", "regression"}
        How; the first gives a covariance.

    Returns
    -------
    numpy.ndarray
        Units of the data, squared for a covariance.
    """
    if method == "differences":
        return moments.differences()
    return noise_from_moments(moments.count, moments.second)

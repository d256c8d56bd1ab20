"""What a product states of its errors, as arrays: intervals at every level, and a spread for every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.spectra.metrics import sample_interval

__all__ = ["Statement", "silent", "statement_of"]

_SAME = 1e-6  # labels of quantiles that mean the same level


@dataclass(frozen=True)
class Statement:
    """An estimate and its stated uncertainty; ``(pixels, endmembers)`` float64, NaN in pixels without a result.

    Parameters
    ----------
    A : numpy.ndarray
        Abundances.
    std : numpy.ndarray
        Standard deviation: as the product states it, else that of the samples.
    samples : numpy.ndarray or None
        ``(samples, pixels, endmembers)``.
    quantiles : dict of float to numpy.ndarray
        By level, where the product states them.
    """

    A: np.ndarray
    std: np.ndarray
    samples: np.ndarray | None
    quantiles: dict[float, np.ndarray]

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray, str]:
        """Return the central interval of a level, as explicitly as it was stated.

        Parameters
        ----------
        level : float
            Share inside, 0 to 1.

        Returns
        -------
        low, high : numpy.ndarray
            ``(pixels, endmembers)``: stated quantiles where both ends are there, else those of the samples
            (`sample_interval`), else normal about the estimate, cut at 0 and 1.
        source : str
            ``"quantiles"``, ``"samples"`` or ``"std"``.
        """
        low, high = self._quantile((1 - level) / 2), self._quantile((1 + level) / 2)
        if low is not None and high is not None:
            return low, high, "quantiles"
        if self.samples is not None:
            return *sample_interval(self.samples, level), "samples"
        from scipy.special import ndtri

        reach = float(ndtri((1 + level) / 2)) * self.std
        return np.clip(self.A - reach, 0, 1), np.clip(self.A + reach, 0, 1), "std"

    def _quantile(self, level: float) -> np.ndarray | None:
        return next((values for at, values in self.quantiles.items() if abs(at - level) < _SAME), None)


def statement_of(product: xr.Dataset, names: tuple[str, ...], *, method: str) -> Statement:
    """Read what a product states.

    Abundances with a free sum are divided by it, and every sample by its own; quantiles and standard deviations, which
    have none, by that of the estimate.

    Parameters
    ----------
    product : xarray.Dataset
        From `hsgeo.unmix`, in memory.
    names : tuple of str
        Of the endmembers, in the order that is wanted.
    method : str
        Said in the error.

    Returns
    -------
    Statement
        In that order.

    Raises
    ------
    ConfigError
        The product says nothing of its errors, or lacks an endmember.
    """
    if "abundance_sample" not in product and "abundance_std" not in product:
        raise silent(method)
    known = [str(name) for name in product["endmember"].values]
    if set(names) - set(known):
        raise ConfigError(f"{method!r} gives no abundance of {', '.join(sorted(set(names) - set(known)))}", "all given")
    order = [known.index(name) for name in names]

    def flat(name: str) -> np.ndarray:
        maps = np.moveaxis(np.asarray(product[name].values, np.float64)[..., order, :, :], -3, -1)
        return maps.reshape(*maps.shape[:-3], -1, len(order))

    A = flat("abundance")
    total = np.ones((len(A), 1))
    samples = flat("abundance_sample") if "abundance_sample" in product else None
    if product.attrs.get("sum") == "free":
        total = _positive(A.sum(axis=1, keepdims=True))
        samples = None if samples is None else samples / _positive(samples.sum(axis=2, keepdims=True))
    if "abundance_std" in product:
        std = flat("abundance_std") / total
    else:
        assert samples is not None
        std = samples.std(axis=0, ddof=1) if len(samples) > 1 else np.zeros_like(A)
    quantiles = {}
    if "abundance_quantile" in product:
        levels = product["quantile"].values
        quantiles = {float(at): Q / total for at, Q in zip(levels, flat("abundance_quantile"), strict=True)}
    return Statement(A / total, std, samples, quantiles)


def _positive(total: np.ndarray) -> np.ndarray:
    return np.where(total > 0, total, np.nan)


def silent(method: str) -> ConfigError:
    """Return the error of a method that says nothing of its errors."""
    return ConfigError(
        f"{method!r} states no uncertainty",
        "stages that write abundance_sample or abundance_std",
        "Ask its last stage for samples, such as abundance-diffusion[samples=39]",
    )

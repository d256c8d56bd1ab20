"""What the sparse stages share: prices that follow the noise."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, FitNeeds, Layout, Memory
from hsgeo.spectra.noise import noise_std

__all__ = ["SMOOTH", "SPARSE", "noise_fit_needs", "noise_level", "price", "spectra_of"]

# Prices in units of noise * rms length of the endmembers, each the best of a scan over synthetic scenes:
# libraries of 100 and 300 random smooth spectra, 4 per pixel, 20 to 50 dB (best 0.03 to 0.1);
# landscapes of 6 materials, 20, 30 and 40 dB (best 0.02, 0.015, 0.012).
SPARSE, SMOOTH = 0.05, 0.015
_SAMPLE = 20_000  # pixels of the noise estimate: a band's noise within 0.5 %


def noise_fit_needs(layout: Layout) -> FitNeeds:
    """Ask for pixels to learn the noise from.

    Parameters
    ----------
    layout : Layout
        Gives the number of bands.

    Returns
    -------
    FitNeeds
        Single pixels.
    """
    # float64 chunks of 8192 pixels, twice, and a few band by band matrices
    fixed = 2**22 + 3 * 8192 * 8 * layout.bands + 8 * 8 * layout.bands**2
    return FitNeeds("pixels", _SAMPLE, memory=Memory(fixed=fixed, per_pixel=4 * layout.bands))


def noise_level(sample: xr.Dataset) -> xr.Dataset:
    """Learn the rms of the noise over bands.

    Parameters
    ----------
    sample : xarray.Dataset
        ``spectra (band, pixel)``.

    Returns
    -------
    xarray.Dataset
        ``noise_level``, a scalar in the units of the data.
    """
    noise = noise_std(sample["spectra"].transpose("pixel", "band").values)
    return xr.Dataset({"noise_level": ((), float(np.sqrt(np.mean(noise**2))))})


def price(value: float | Literal["auto"], E: np.ndarray, *, level: float, share: float) -> float:
    """Turn the option of a price into the weight that the solvers take.

    Parameters
    ----------
    value : float or "auto"
        Relative to the mean squared length of the endmembers, or left to the noise.
    E : numpy.ndarray
        ``(bands, endmembers)``.
    level : float
        Noise, units of the data.
    share : float
        Weight for 'auto' in units of noise times rms length.

    Returns
    -------
    float
        Units of the data squared.
    """
    squared = float(np.mean((E * E).sum(axis=0)))
    return share * level * float(np.sqrt(squared)) if value == "auto" else value * squared


def spectra_of(state: xr.Dataset, name: str) -> np.ndarray:
    """Take the endmembers out of a state.

    Parameters
    ----------
    state : xarray.Dataset
        With ``endmembers (endmember, band)``.
    name : str
        Of the stage, for the message.

    Returns
    -------
    numpy.ndarray
        ``(bands, endmembers)`` float64.

    Raises
    ------
    ConfigError
        There are none.
    """
    if "endmembers" not in state:
        raise ConfigError(
            f"{name} has no endmembers to solve with",
            "a stage before it that writes endmembers, or a library",
            "Put archetypes before it in the recipe, or give --endmembers",
        )
    return np.ascontiguousarray(state["endmembers"].transpose("band", "endmember").values, dtype=np.float64)

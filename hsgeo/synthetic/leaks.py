"""Keeps benchmarks honest: library spectra that are a benchmark's own endmembers are taken out first."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.srf import resample

__all__ = ["without"]

_FEWEST = 8  # bands in common below which an angle tells nothing


def without(
    library: np.ndarray,
    benchmark: np.ndarray,
    *,
    wavelength: np.ndarray,
    benchmark_wavelength: np.ndarray,
    fwhm: np.ndarray | None = None,
    benchmark_fwhm: np.ndarray | None = None,
    angle: float = 0.05,
) -> np.ndarray:
    """Tell which library spectra may serve as training data or prior for a benchmark.

    Both are brought to common bands, those of the benchmark that the library covers and the other way round, and the
    smaller of the two angles counts: a coarse library cannot hide a spectrum by its bands. Where a spectrum has gaps,
    the bands that both have are compared; a pair with fewer than 8 is taken for a leak, as nothing speaks against it.

    Parameters
    ----------
    library : numpy.ndarray
        ``(band, spectrum)``, NaN where not measured.
    benchmark : numpy.ndarray
        Endmembers of the benchmark ``(benchmark_band, endmember)``.
    wavelength, benchmark_wavelength : numpy.ndarray
        Band centres ``(band,)`` and ``(benchmark_band,)`` nm.
    fwhm, benchmark_fwhm : numpy.ndarray, optional
        Widths, nm; missing ones are 1.1 times the distance to the nearest band.
    angle : float
        Spectra within this spectral angle of an endmember are dropped, radians.

    Returns
    -------
    numpy.ndarray
        ``(spectrum,)`` bool, True for those that may be used.

    Raises
    ------
    ConfigError
        Shapes do not fit, or the two have no band in common.
    """
    library, benchmark = np.asarray(library, dtype=np.float64), np.asarray(benchmark, dtype=np.float64)
    wavelength, benchmark_wavelength = np.asarray(wavelength, float), np.asarray(benchmark_wavelength, float)
    for name, spectra, nm in (("library", library, wavelength), ("benchmark", benchmark, benchmark_wavelength)):
        if spectra.ndim != 2 or nm.shape != spectra.shape[:1] or not spectra.size:
            raise ConfigError(f"a {name} of shape {spectra.shape} with {nm.shape} wavelengths", "(band, spectrum)")
    there = resample(library.T, wavelength, fwhm, benchmark_wavelength, benchmark_fwhm)
    here = resample(benchmark.T, benchmark_wavelength, benchmark_fwhm, wavelength, fwhm)
    nearest = np.minimum(_angles(there, benchmark.T).min(axis=1), _angles(library.T, here).min(axis=1))
    return np.asarray(nearest > angle)


def _angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the angles ``(one, other)`` of spectra ``(spectrum, band)`` over the bands both have; 0 for too few."""
    good, other_good = np.isfinite(one).astype(float), np.isfinite(other).astype(float)
    one, other = np.nan_to_num(one), np.nan_to_num(other)
    power = (one**2 @ other_good.T) * (good @ np.square(other).T)
    cosine = (one @ other.T) / np.sqrt(np.where(power > 0, power, 1.0))
    known = (good @ other_good.T >= _FEWEST) & (power > 0)
    return np.where(known, np.arccos(np.clip(cosine, -1, 1)), 0.0)

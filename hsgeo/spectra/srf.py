"""Sensor response: spectra of one instrument as another one would see them."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["FWHM_PER_SPACING", "coarseness", "filled_fwhm", "gaps", "resample", "response_matrix"]

FWHM_PER_SPACING = 1.1  # imaging spectrometers' FWHM is 1.0 to 1.2 band spacings (EnMAP, PRISMA, EMIT, AVIRIS)
_SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))  # standard deviation of a Gaussian of FWHM 1
_COVERED = 0.9  # share of a band's response that the spectrum must cover
_GAP = 3.0  # samples further apart than this many of their FWHM (or usual spacings) have nothing between them
_SAME = 1e-6  # relative distance at which two centres are one: files print 7 digits
_AROUND = 4  # distances on either side that say what is usual
_POINT = 1e-3  # responses narrower than this many sample spacings are points


def filled_fwhm(wavelength: np.ndarray, fwhm: np.ndarray | None) -> np.ndarray:
    """Fill missing widths: 1.1 times the distance to the nearest other band.

    Parameters
    ----------
    wavelength : numpy.ndarray
        Band centres ``(band,)`` nm, in any order.
    fwhm : numpy.ndarray or None
        ``(band,)`` nm, NaN or not positive where unknown; None: all unknown.

    Returns
    -------
    numpy.ndarray
        ``(band,)`` nm; a lone band gets 0, a point.
    """
    wavelength = np.asarray(wavelength, dtype=np.float64)
    order = np.argsort(wavelength, kind="stable")
    step = np.diff(wavelength[order])
    distance = np.minimum(np.concatenate([[np.inf], step]), np.concatenate([step, [np.inf]]))
    default = np.empty(len(wavelength))
    default[order] = np.where(np.isfinite(distance), FWHM_PER_SPACING * distance, 0.0)
    if fwhm is None:
        return default
    fwhm = np.asarray(fwhm, dtype=np.float64)
    return np.where(np.isfinite(fwhm) & (fwhm > 0), fwhm, default)


def gaps(wavelength: np.ndarray, fwhm: np.ndarray | None) -> np.ndarray:
    """Tell between which samples nothing is known: more than three of their widths and of the usual distances apart.

    Parameters
    ----------
    wavelength, fwhm : numpy.ndarray
        Centres, ascending, and widths ``(band,)`` nm; missing widths as in `filled_fwhm`.

    Returns
    -------
    numpy.ndarray
        ``(band - 1,)`` bool.
    """
    step = np.diff(wavelength)
    reach = np.maximum(filled_fwhm(wavelength, fwhm), filled_fwhm(wavelength, None))  # points: their spacing counts
    # where detectors overlap, neighbours can be a hair apart: the distance usual around them counts as well
    padded = np.pad(step, _AROUND, mode="reflect" if len(step) > _AROUND else "edge") if len(step) else step
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1) if len(step) else step
    return np.asarray(step > _GAP * np.maximum(np.maximum(reach[1:], reach[:-1]), usual))


def response_matrix(
    wavelength: np.ndarray, fwhm: np.ndarray | None, to_wavelength: np.ndarray, to_fwhm: np.ndarray | None
) -> np.ndarray:
    """Build the operator from one set of bands to another.

    A band sees the spectrum through a Gaussian of its FWHM. What is given was already seen through Gaussians of
    ``fwhm``, so the Gaussian left to apply has ``sqrt(to_fwhm^2 - fwhm^2)`` (none, that is linear interpolation, where
    the bands are no wider than the samples): the same bands give the same spectrum back. Between samples the spectrum
    is linear and the integral is exact (error functions); across a gap (samples more than three FWHM and three spacings
    apart) it is unknown. Nothing is extrapolated: a band whose response is covered by less than 90 % is NaN.

    Parameters
    ----------
    wavelength, fwhm : numpy.ndarray
        Centres and widths of the samples ``(band,)`` nm, any order; missing widths as in `filled_fwhm`.
    to_wavelength, to_fwhm : numpy.ndarray
        Centres and widths of the wanted bands ``(to_band,)`` nm.

    Returns
    -------
    numpy.ndarray
        ``(to_band, band)`` float64, rows sum to one, or are NaN where not covered.

    Raises
    ------
    ConfigError
        A centre is not a positive number.
    """
    wavelength, to_wavelength = (np.asarray(w, dtype=np.float64).ravel() for w in (wavelength, to_wavelength))
    for name, values in (("spectra", wavelength), ("sensor", to_wavelength)):
        if not len(values) or not (np.isfinite(values) & (values > 0)).all():
            raise ConfigError(f"the {name} have band centres that are not positive numbers", "centres in nm")
    width, to_width = filled_fwhm(wavelength, fwhm), filled_fwhm(to_wavelength, to_fwhm)
    order = np.argsort(wavelength, kind="stable")
    x, group = np.unique(wavelength[order], return_inverse=True)  # samples at one place are averaged
    share = 1 / np.bincount(group)[group]  # of each sample in its place, in sorted order
    w = np.bincount(group, weights=share * width[order])
    matrix = np.full((len(to_wavelength), len(x)), np.nan)
    solid = ~gaps(x, w)
    for band, (centre, fwhm_to) in enumerate(zip(to_wavelength, to_width, strict=True)):
        seen = float(np.interp(centre, x, w))
        sigma = _SIGMA * np.sqrt(max(fwhm_to**2 - seen**2, 0.0))
        weights, covered = _weights(x, solid, centre, sigma)
        if covered >= _COVERED:
            matrix[band] = weights / weights.sum()
    out = np.empty((len(matrix), len(wavelength)))
    out[:, order] = matrix[:, group] * share
    return out


def _weights(x: np.ndarray, solid: np.ndarray, centre: float, sigma: float) -> tuple[np.ndarray, float]:
    """Integrate a Gaussian times the hat function of every sample; also the share of the Gaussian covered."""
    weights = np.zeros(len(x))
    right = int(np.searchsorted(x, centre))
    spacing = np.diff(x).min(initial=np.inf)
    if sigma <= _POINT * spacing or len(x) == 1:
        exact = np.abs(x - centre) <= _SAME * centre
        if exact.any():
            weights[int(exact.argmax())] = 1.0
        elif 0 < right < len(x) and solid[right - 1]:
            t = (centre - x[right - 1]) / (x[right] - x[right - 1])
            weights[right - 1], weights[right] = 1 - t, t
        return weights, float(weights.sum())
    from scipy.special import ndtr

    z = (x - centre) / sigma
    cumulative, density = ndtr(z), np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    mass = np.diff(cumulative) * solid
    first = (centre * np.diff(cumulative) - sigma * np.diff(density)) * solid  # integral of wavelength times Gaussian
    step = np.diff(x)
    weights[:-1] += (x[1:] * mass - first) / step
    weights[1:] += (first - x[:-1] * mass) / step
    return weights, float(mass.sum())


def coarseness(
    wavelength: np.ndarray, fwhm: np.ndarray | None, to_wavelength: np.ndarray, to_fwhm: np.ndarray | None
) -> np.ndarray:
    """Tell how many times coarser than a sensor a spectrum is: above 1, bands show less detail than they would see.

    Parameters
    ----------
    wavelength, fwhm, to_wavelength, to_fwhm : numpy.ndarray
        As in `response_matrix`.

    Returns
    -------
    numpy.ndarray
        ``(to_band,)`` the larger of sample width and sample distance over the width of the band, at least 1; NaN beyond
        the samples. A band that lies on a sample of known width is as coarse as that sample; of unknown width, as fine
        as the sensor.
    """
    wavelength, to_wavelength = (np.asarray(w, dtype=np.float64).ravel() for w in (wavelength, to_wavelength))
    to_width = filled_fwhm(to_wavelength, to_fwhm)
    order = np.argsort(wavelength, kind="stable")
    x = wavelength[order]
    given = np.zeros(len(x)) if fwhm is None else np.nan_to_num(np.asarray(fwhm, dtype=np.float64)[order])
    right = np.clip(np.searchsorted(x, to_wavelength), 1, max(len(x) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(x) - 1)
    nearest = np.where(np.abs(x[left] - to_wavelength) <= np.abs(x[right] - to_wavelength), left, right)
    on_it = np.abs(x[nearest] - to_wavelength) <= _SAME * to_wavelength
    seen = np.where(on_it, given[nearest], np.maximum(given[nearest], x[right] - x[left]))
    inside = (to_wavelength >= x[0] - _SAME * x[0]) & (to_wavelength <= x[-1] + _SAME * x[-1])
    # a band without width (a lone one) sees a point: any sample that is there is as fine
    ratio = np.where(to_width > 0, seen / np.where(to_width > 0, to_width, 1.0), 1.0)
    return np.where(inside, np.maximum(ratio, 1.0), np.nan)


def resample(
    spectra: np.ndarray,
    wavelength: np.ndarray,
    fwhm: np.ndarray | None,
    to_wavelength: np.ndarray,
    to_fwhm: np.ndarray | None,
) -> np.ndarray:
    """Give spectra in the bands of a sensor; see `response_matrix` for the physics.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(..., band)``; NaN samples are left out, as if the spectrum had not been measured there, so that spectra of
        several wavelength grids can lie in one array.
    wavelength, fwhm, to_wavelength, to_fwhm : numpy.ndarray
        As in `response_matrix`.

    Returns
    -------
    numpy.ndarray
        ``(..., to_band)`` float64, NaN in bands that a spectrum does not cover.

    Raises
    ------
    ConfigError
        Shapes do not fit, or no wanted band is covered by any spectrum.
    """
    spectra = np.asarray(spectra, dtype=np.float64)
    wavelength = np.asarray(wavelength, dtype=np.float64)
    to_wavelength = np.asarray(to_wavelength, dtype=np.float64)
    if not spectra.ndim or spectra.shape[-1] != wavelength.shape[0]:
        raise ConfigError(f"spectra of shape {spectra.shape} with {len(wavelength)} wavelengths", "(..., band)")
    width = np.full(len(wavelength), np.nan) if fwhm is None else np.asarray(fwhm, dtype=np.float64)
    flat = spectra.reshape(-1, len(wavelength))
    out = np.full((len(flat), len(to_wavelength)), np.nan)
    good = np.isfinite(flat)
    patterns, member = np.unique(good, axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        if pattern.any():
            rows = np.flatnonzero(member.ravel() == index)
            matrix = response_matrix(wavelength[pattern], width[pattern], to_wavelength, to_fwhm)
            out[rows] = flat[np.ix_(rows, pattern)] @ matrix.T
    if out.size and not np.isfinite(out).any():
        raise ConfigError(
            f"spectra from {wavelength.min():g} to {wavelength.max():g} nm and a sensor from "
            f"{to_wavelength.min():g} to {to_wavelength.max():g} nm do not overlap",
            "spectra that cover at least one band of the sensor",
            "Check the wavelength units of the library",
        )
    return out.reshape(*spectra.shape[:-1], len(to_wavelength))

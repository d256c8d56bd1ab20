"""Random band sets as imaging spectrometers have them."""

from __future__ import annotations

import numpy as np

__all__ = ["random_bands"]

# Detectors of real missions as (first centre, last centre, first step, last step) in nm, and FWHM in steps.
# PRISMA, EnMAP, EMIT, DESIS; rounded from their published ranges and numbers of bands.
_MISSIONS = (
    (((402.0, 973.0, 7.5, 10.5), (945.0, 2495.0, 10.5, 7.6)), 1.25),
    (((420.0, 995.0, 4.8, 8.2), (905.0, 2445.0, 11.8, 8.3)), 1.1),
    (((381.0, 2493.0, 7.4, 7.4),), 1.15),
    (((402.0, 999.0, 2.55, 2.55),), 1.35),
)
_FEWEST, _MOST = 40, 240
_WINDOWS = ((1340.0, 1460.0), (1790.0, 1960.0), (2450.0, 2560.0))  # nm, no light from the ground: atmospheric water


def random_bands(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the bands of a sensor: a known mission's, shaken, or one that might be built.

    Water windows are removed in most of those that reach so far, some lose bands at random or a whole stretch.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same state gives the same bands.

    Returns
    -------
    wavelength : numpy.ndarray
        Centres ``(band,)`` nm, ascending, 380 to 2510; 40 to 240 bands.
    fwhm : numpy.ndarray
        Full widths at half maximum ``(band,)`` nm.
    """
    if rng.random() < 0.5:
        detectors, widths = _MISSIONS[int(rng.integers(len(_MISSIONS)))]
        parts = [_detector(*detector) for detector in detectors]
        wavelength = np.concatenate([parts[0], *(part[part > parts[0][-1] + 4] for part in parts[1:])])
        wavelength = wavelength + rng.normal(0, 1.0)  # calibration shift
        if rng.random() < 0.25 and wavelength[-1] > 1100:  # only the first detector
            wavelength = wavelength[wavelength < 1000]
    else:
        last = float(rng.choice([900.0, 1000.0, 1700.0, 2500.0], p=[0.15, 0.35, 0.1, 0.4]))
        first = rng.uniform(390, 450)
        fewest = (last - first) / (_FEWEST + 20)  # a step that leaves enough bands after the gaps
        step = np.exp(rng.uniform(np.log(4), np.log(12)))
        wavelength = _detector(first, last, min(step, fewest), min(step * rng.uniform(0.8, 1.3), fewest))
        widths = rng.uniform(1.0, 1.5)
    step = np.gradient(wavelength)
    fwhm = step * widths * rng.uniform(0.9, 1.15)
    wavelength = wavelength + rng.normal(0, 0.05, wavelength.size) * step
    keep = np.ones(wavelength.size, bool)
    if rng.random() < 0.85:
        for low, high in _WINDOWS:
            keep &= ~((wavelength > low + rng.normal(0, 8)) & (wavelength < high + rng.normal(0, 8)))
    if rng.random() < 0.3:  # dead or noisy bands taken out
        keep &= rng.random(wavelength.size) > rng.uniform(0, 0.15)
    if rng.random() < 0.15:  # a stretch that the detector or the archive lacks
        start = rng.uniform(wavelength[0], wavelength[-1])
        keep &= ~((wavelength > start) & (wavelength < start + rng.uniform(20, 150)))
    kept = np.flatnonzero(keep)
    if kept.size < _FEWEST:
        kept = np.arange(wavelength.size)
    most = int(rng.integers(_FEWEST + 20, _MOST + 1))
    if kept.size > most:  # every so-many-th band, as when bands are binned or thinned to save space
        every = -(-kept.size // most)
        thin = kept[int(rng.integers(every)) :: every]
        kept = thin if thin.size >= _FEWEST else kept[:: kept.size // _FEWEST]
    return np.ascontiguousarray(wavelength[kept]), np.ascontiguousarray(fwhm[kept])


def _detector(first: float, last: float, step: float, last_step: float) -> np.ndarray:
    """Return centres from `first` to about `last` with steps that change evenly from one to the other."""
    count = round(2 * (last - first) / (step + last_step)) + 1
    steps = np.linspace(step, last_step, count - 1)
    return np.asarray(first + np.concatenate([[0], np.cumsum(steps)]))

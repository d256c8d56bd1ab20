"""Random sets of endmembers in the bands of any sensor, from easy to hard to tell apart."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.srf import filled_fwhm, response_matrix
from hsgeo.synthetic.families import FAMILIES, GRID, draw_family

__all__ = ["random_spectra"]

_ROUNDS = 40  # rounds of fresh candidates before giving up; a set of 16 on 40 bands needs one or two
_SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))  # standard deviation of a Gaussian of FWHM 1
# shares of the families: half plants and soils, as land is
_SHARES = {
    "green": 0.2,
    "dry": 0.1,
    "soil": 0.16,
    "mineral": 0.14,
    "built": 0.12,
    "paint": 0.08,
    "water": 0.08,
    "snow": 0.02,
    "named": 0.10,
}


def random_spectra(
    rng: np.random.Generator,
    count: int,
    wavelength: np.ndarray,
    fwhm: np.ndarray | None = None,
    *,
    least_angle: float = 0.03,
    library: np.ndarray | None = None,
    library_wavelength: np.ndarray | None = None,
) -> np.ndarray:
    """Draw a set of endmembers that differ from each other by at least some angle.

    Some sets mix all families of materials, some are of one or two families and hard to tell apart, and some spectra
    are blends or slight variants of others.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same state gives the same spectra.
    count : int
        Number of endmembers, at least 1.
    wavelength : numpy.ndarray
        Band centres ``(band,)`` nm, 350 to 2550.
    fwhm : numpy.ndarray, optional
        ``(band,)`` nm; missing widths are 1.1 times the distance to the nearest band.
    least_angle : float
        Smallest spectral angle between two of them, radians.
    library : numpy.ndarray, optional
        Real spectra ``(library_band, spectrum)``, reflectance: half of the endmembers are drawn from these. Take out
        the spectra of a benchmark first (`hsgeo.synthetic.without`). Spectra with values that are not finite are left
        out.
    library_wavelength : numpy.ndarray, optional
        ``(library_band,)`` nm, needed with `library`; it must cover the bands.

    Returns
    -------
    numpy.ndarray
        Endmembers `E`, ``(band, endmember)`` float64 reflectance, above 0 and below 1.

    Raises
    ------
    ConfigError
        A band lies outside 350 to 2550 nm, a count or an angle cannot be met, or a library does not cover the bands.
    """
    wavelength = np.asarray(wavelength, dtype=np.float64)
    if count < 1 or not 0 <= least_angle < np.pi / 2:
        raise ConfigError(f"{count} endmembers at least {least_angle:g} rad apart", "1 or more, 0 to below pi/2 rad")
    if not len(wavelength) or not ((wavelength >= GRID[0]) & (wavelength <= GRID[-1])).all():
        raise ConfigError("bands of which some lie outside the synthetic spectra", f"{GRID[0]:g} to {GRID[-1]:g} nm")
    bands = wavelength.tobytes(), filled_fwhm(wavelength, fwhm).tobytes()
    response = _response(*bands)
    real = None if library is None else _seen(library, library_wavelength, bands)
    variety = rng.random()  # 0: one family, 1: all of them
    families = _families(rng, variety)
    close = rng.random() < 0.35  # some sets hold near twins
    chosen = np.empty((0, len(wavelength)))
    for _ in range(_ROUNDS):
        fine = _candidates(rng, 2 * count + 6, families)
        seen = fine @ response.T
        if real is not None:
            taken = real[rng.integers(0, len(real), len(seen))] * np.exp(rng.normal(0, 0.1, (len(seen), 1)))
            seen = np.where(rng.random((len(seen), 1)) < 0.5, np.clip(taken, 0.002, 0.99), seen)
        for candidate in seen:
            if close and len(chosen) and rng.random() < 0.4:
                candidate = candidate + rng.uniform(0.4, 0.9) * (chosen[rng.integers(len(chosen))] - candidate)
            if _least(candidate, chosen) >= least_angle:
                chosen = np.concatenate([chosen, candidate[None]])
                if len(chosen) == count:
                    return np.ascontiguousarray(chosen.T[:, rng.permutation(count)])
        families, close = _families(rng, 1.0), False  # a family too narrow for so many: take all
    raise ConfigError(
        f"{len(chosen)} of {count} endmembers in {len(wavelength)} bands found that are {least_angle:g} rad apart",
        "fewer endmembers, more bands or a smaller angle",
    )


def _families(rng: np.random.Generator, variety: float) -> np.ndarray:
    """Draw which families a set is of: probabilities ``(family,)`` in the order of `FAMILIES`."""
    share = np.array([_SHARES[name] for name in FAMILIES])
    some = 1 + int(variety * 1.4 * (len(share) - 1))
    if some < len(share):
        keep = rng.choice(len(share), some, replace=False, p=share)
        share = np.where(np.isin(np.arange(len(share)), keep), share, 0)
    return np.asarray(share / share.sum())


def _candidates(rng: np.random.Generator, count: int, share: np.ndarray) -> np.ndarray:
    """Draw spectra ``(count, 441)`` from the families, in random order; a quarter are blends of two."""
    number = rng.multinomial(count, share)
    fine = np.concatenate([draw_family(rng, name, n) for name, n in zip(FAMILIES, number, strict=True) if n])
    fine = fine[rng.permutation(count)]
    blend = rng.uniform(0, 0.5, (count, 1)) * (rng.random((count, 1)) < 0.25)
    return np.asarray(fine + blend * (np.roll(fine, 1, axis=0) - fine))


def _least(candidate: np.ndarray, chosen: np.ndarray) -> float:
    """Return the smallest angle between a spectrum and those chosen so far."""
    if not len(chosen):
        return np.inf
    cosine = chosen @ candidate / (np.linalg.norm(chosen, axis=1) * np.linalg.norm(candidate))
    return float(np.arccos(np.clip(cosine.max(), -1, 1)))


@lru_cache(maxsize=64)  # a training run uses a few dozen sensors at a time; 64 matrices of 240 x 441 are 54 MB
def _response(wavelength: bytes, fwhm: bytes) -> np.ndarray:
    """Build the Gaussian responses ``(band, 441)`` on `GRID`, at least one grid step wide."""
    centre, width = np.frombuffer(wavelength), np.frombuffer(fwhm)
    sigma = _SIGMA * np.maximum(width, GRID[1] - GRID[0])
    matrix = np.exp(-0.5 * np.square((GRID - centre[:, None]) / sigma[:, None]))
    matrix /= matrix.sum(axis=1, keepdims=True)
    matrix.flags.writeable = False  # shared by all callers
    return matrix


@lru_cache(maxsize=64)  # as many sensors as above
def _from_library(library: bytes, wavelength: bytes, fwhm: bytes) -> np.ndarray:
    """Build the operator ``(band, library_band)``, NaN in bands that the library does not cover."""
    matrix = response_matrix(np.frombuffer(library), None, np.frombuffer(wavelength), np.frombuffer(fwhm))
    matrix.flags.writeable = False
    return matrix


def _seen(library: np.ndarray, library_wavelength: np.ndarray | None, bands: tuple[bytes, bytes]) -> np.ndarray:
    """Return the library's complete spectra ``(spectrum, band)`` in the wanted bands."""
    library = np.asarray(library, dtype=np.float64)
    samples = np.empty(0) if library_wavelength is None else np.asarray(library_wavelength, dtype=np.float64)
    if library.ndim != 2 or samples.shape != library.shape[:1]:
        raise ConfigError(
            f"a library of shape {library.shape} with wavelengths of shape {samples.shape}",
            "library (band, spectrum) with library_wavelength (band,)",
        )
    complete = library[:, np.isfinite(library).all(axis=0)].T
    matrix = _from_library(samples.tobytes(), *bands)
    if not len(complete) or np.isnan(matrix).any():
        raise ConfigError(
            f"a library with {len(complete)} complete spectra that covers "
            f"{int(np.isfinite(matrix).all(axis=1).sum())} of {len(matrix)} bands",
            "at least one complete spectrum and all bands",
            "Leave out the bands beyond the library, or the library",
        )
    return np.asarray(complete @ matrix.T)

"""The training-free prior: a library of spectra, the user's or a procedural one, in the bands of the scene."""

from __future__ import annotations

import numpy as np

from hsgeo.plugin import ConfigError
from hsgeo.spectra.srf import resample
from hsgeo.synthetic import random_spectra
from hsgeo_diffusion.endmember.deviation import Settled, settle

__all__ = ["LibraryPrior", "library_file", "procedural_library"]

_SPECTRA = 1200  # of the procedural library: twice as many change the posterior by less than the noise left in it
_RANGE = (350.0, 2550.0)  # nm, of the synthetic spectra


class LibraryPrior:
    """Expect spectra to be like one of a library.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(spectra, bands)`` in the bands of the scene, finite, none of them zero.
    wavelength : numpy.ndarray
        ``(bands,)`` nm.
    """

    def __init__(self, spectra: np.ndarray, wavelength: np.ndarray) -> None:
        self._spectra = spectra / np.abs(spectra).max(axis=1, keepdims=True)
        self._wavelength = wavelength

    def settle(self, y: np.ndarray, std: np.ndarray) -> Settled:
        """Return a measured spectrum ``(bands,)`` of error ``std (bands,)`` as the prior would have it."""
        return settle(y, std, self._spectra, self._wavelength)


def procedural_library(
    wavelength: np.ndarray, fwhm: np.ndarray | None, *, seed: int = 0, count: int = _SPECTRA
) -> np.ndarray:
    """Draw a library of synthetic materials (`hsgeo.synthetic.random_spectra`).

    Parameters
    ----------
    wavelength, fwhm : numpy.ndarray
        Of the scene's bands, nm.
    seed : int
        Which library.
    count : int
        Spectra.

    Returns
    -------
    numpy.ndarray
        ``(count, bands)`` reflectance.

    Raises
    ------
    ConfigError
        A band lies where synthetic materials have no spectrum.
    """
    if not ((wavelength >= _RANGE[0]) & (wavelength <= _RANGE[1])).all():
        raise ConfigError(
            f"bands from {wavelength.min():g} to {wavelength.max():g} nm and the procedural library",
            f"bands from {_RANGE[0]:g} to {_RANGE[1]:g} nm",
            "Give a library of your own with the option library, or leave endmember-diffusion out",
        )
    rng = np.random.default_rng([seed, 0x11B])
    some = 100  # at a time: each draw favours other families
    parts = [
        random_spectra(rng, min(some, count - start), wavelength, fwhm, least_angle=0.0).T
        for start in range(0, count, some)
    ]
    return np.concatenate(parts)


def library_file(path: str, wavelength: np.ndarray, fwhm: np.ndarray | None) -> np.ndarray:
    """Read a user's library and bring it to the bands of the scene.

    Parameters
    ----------
    path : str
        What `hsgeo.spectra.library.read_library` reads.
    wavelength, fwhm : numpy.ndarray
        Of the scene's bands, nm.

    Returns
    -------
    numpy.ndarray
        ``(spectra, bands)`` float64: those that cover all bands and have a positive value.

    Raises
    ------
    ConfigError
        The file cannot be read, or none of its spectra covers the scene.
    """
    from hsgeo.spectra.library import read_library

    library = read_library(path)
    widths = library["fwhm"].values if "fwhm" in library.coords else None
    there = library["spectra"].transpose("spectrum", "band").values
    spectra = resample(there, library["wavelength"].values, widths, wavelength, fwhm)
    good = np.isfinite(spectra).all(axis=1)
    good[good] &= (spectra[good] > 0).any(axis=1)
    if not good.any():
        raise ConfigError(
            f"none of the {len(spectra)} spectra of {path} covers all {spectra.shape[1]} bands of the scene",
            "at least one that does",
            "Give a library that covers the scene, or use prior=learned",
        )
    return np.asarray(spectra[good])

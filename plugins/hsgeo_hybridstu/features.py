"""What the network is told: maps per endmember, and a volume over wavelength windows; the same for every sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.nn.pixel_maps import pixel_maps, reach
from hsgeo.nn.spectral_volume import spectral_volume
from hsgeo.spectra.solvers.estimate import Mixing, estimate

__all__ = ["Features", "features"]


@dataclass(frozen=True)
class Features:
    """The input of the network for one window of the scene.

    Parameters
    ----------
    maps : numpy.ndarray
        ``(endmember, MAPS, y, x)`` float32, finite.
    volume : numpy.ndarray
        ``(endmember, VOLUME, window, y / 2, x / 2)`` float32, finite: means over two by two pixels.
    closed, reach : numpy.ndarray
        ``(endmember, y, x)`` float32: where the network starts, and how far it may go; 0 in invalid pixels.
    valid : numpy.ndarray
        ``(y, x)`` bool.
    correlation : numpy.ndarray
        ``(endmember, endmember)`` float32, of the errors.
    """

    maps: np.ndarray
    volume: np.ndarray
    closed: np.ndarray
    reach: np.ndarray
    valid: np.ndarray
    correlation: np.ndarray


def features(spectra: np.ndarray, wavelength: np.ndarray, mix: Mixing) -> Features:
    """Turn the spectra of a window into the input of the network.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(band, y, x)`` float32, even height and width; non-finite values are missing.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    mix : Mixing
        Endmembers, convention and noise.

    Returns
    -------
    Features
        All of it finite.
    """
    bands, height, width = spectra.shape
    est = estimate(spectra.reshape(bands, -1), mix)
    valid = np.isfinite(est.closed[0])
    maps = pixel_maps(est, mix).reshape(mix.E.shape[1], -1, height, width)
    volume = spectral_volume(est, valid.reshape(height, width), wavelength, mix)
    shape = (-1, height, width)
    return Features(
        maps=maps,
        volume=volume,
        closed=np.where(valid, est.closed, 0).reshape(shape),
        reach=np.where(valid, reach(est.std), 0).astype(np.float32).reshape(shape),
        valid=valid.reshape(height, width),
        correlation=mix.correlation,
    )

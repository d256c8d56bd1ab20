"""What the network is told of a window: each pixel's own estimate, what its neighbours say, and a first guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.nn.pixel_maps import MAPS, pixel_maps, reach
from hsgeo.nn.spectral_volume import spectral_volume
from hsgeo.spectra.solvers.estimate import Estimate, Mixing, estimate
from hsgeo.spectra.structured import column_offsets
from hsgeo_diffusion.abundance.smooth import WEIGHTS, Smoother, coordinates, smoothed

__all__ = ["CONDITIONS", "FIRST", "GUIDE", "Conditions", "conditions"]

FIRST = MAPS + len(WEIGHTS)
"""Place of the first guess among the maps; after it stands whether there is one."""

GUIDE = FIRST + 2
"""Place of the guide: how much a pixel differs from its neighbours, for an edge shows in all endmembers."""

CONDITIONS = GUIDE + 1
"""Maps per endmember."""

_FARTHEST = 3.0  # in units of the reach: what is told of maps that are further off
_LEAST = 1e-4  # of abundance: the reach below which distances are not divided by it


@dataclass(frozen=True)
class Conditions:
    """The input of the network for one window.

    Parameters
    ----------
    maps : numpy.ndarray
        ``(endmember, CONDITIONS, y, x)`` float32, finite.
    volume : numpy.ndarray
        ``(endmember, VOLUME, window, y / 2, x / 2)`` float32, finite (`hsgeo.nn.spectral_volume`).
    closed, reach : numpy.ndarray
        ``(endmember, y, x)`` float32: where the network starts, and how far it may go; 0 in invalid pixels.
    valid : numpy.ndarray
        ``(y, x)`` bool.
    correlation : numpy.ndarray
        ``(endmember, endmember)`` float32, of the errors.
    estimate : Estimate
        Of each pixel by itself.
    coordinates : numpy.ndarray
        ``(y, x, channel)`` of unit noise.
    """

    maps: np.ndarray
    volume: np.ndarray
    closed: np.ndarray
    reach: np.ndarray
    valid: np.ndarray
    correlation: np.ndarray
    estimate: Estimate
    coordinates: np.ndarray


def conditions(
    spectra: np.ndarray,
    wavelength: np.ndarray,
    mix: Mixing,
    smooth: Smoother,
    first: np.ndarray | None,
    *,
    destripe: bool = False,
) -> Conditions:
    """Turn the spectra of a window into the input of the network.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(band, y, x)`` float32, even sides; values that are not finite are missing.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    mix : Mixing
        Endmembers, convention and noise.
    smooth : Smoother
        Of the same.
    first : numpy.ndarray or None
        Abundances of an earlier stage ``(endmember, y, x)``, if it sees more than the pixel.
    destripe : bool
        Whether offsets of whole columns are taken out first, where they are sure
        (`hsgeo.spectra.structured.column_offsets`).

    Returns
    -------
    Conditions
        All of it finite.
    """
    bands, height, width = spectra.shape
    est = estimate(spectra.reshape(bands, -1), mix)
    valid = np.isfinite(est.closed[0]).reshape(height, width)
    shape = (-1, height, width)
    C = coordinates(est.filled.reshape(shape), valid, smooth)
    if destripe and C.shape[-1]:
        offsets = column_offsets(C, valid)
        if offsets.any():
            stripes = np.einsum("bc,xc->bx", smooth.model.colour, offsets).astype(np.float32)
            est = estimate((spectra - stripes[:, None]).reshape(bands, -1), mix)
            C = coordinates(est.filled.reshape(shape), valid, smooth)
    closed = np.where(valid, est.closed.reshape(shape), 0)
    far = np.where(valid, reach(est.std).reshape(shape), 0).astype(np.float32)

    def told(A: np.ndarray) -> np.ndarray:
        off = (A - closed) / np.maximum(far, _LEAST)
        return np.clip(np.nan_to_num(np.where(valid, off, 0)), -_FARTHEST, _FARTHEST)

    maps = np.zeros((closed.shape[0], CONDITIONS, height, width), np.float32)
    maps[:, :MAPS] = pixel_maps(est, mix).reshape(-1, MAPS, height, width)
    for place, weight in enumerate(WEIGHTS, MAPS):
        maps[:, place] = told(smoothed(C, weight, smooth))
    if first is not None:
        maps[:, FIRST] = told(first)
        maps[:, FIRST + 1] = valid
    maps[:, GUIDE] = _contrast(C, valid)
    volume = spectral_volume(est, valid, wavelength, mix)
    return Conditions(maps, volume, closed, far, valid, mix.correlation, est, C)


def _contrast(C: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Tell how much a pixel differs from the mean of its neighbours, ``(y, x)``: about 0 where it is noise."""
    there = np.pad(valid, 1).astype(np.float32)
    image = np.pad(np.where(valid[..., None], C, 0), ((1, 1), (1, 1), (0, 0)))
    near = [(slice(None, -2), slice(1, -1)), (slice(2, None), slice(1, -1))]
    near += [(columns, rows) for rows, columns in near]
    amount = sum(there[at] for at in near)
    mean = sum(image[at] for at in near) / np.maximum(amount, 1)[..., None]
    square = np.square(np.where(valid[..., None], C, 0) - mean).sum(axis=-1)
    expected = max(C.shape[-1], 1) * (1 + 1 / np.maximum(amount, 1))
    return np.asarray(np.where(valid & (amount > 0), np.log10(np.clip(square / expected, 0.1, 1e5)), 0), np.float32)

"""The grid of the endmember prior, and any sensor's bands as linear operators to it and from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.spectra.srf import filled_fwhm, response_matrix

__all__ = ["GRID", "Sensor", "sensor_of"]

GRID = np.arange(400.0, 2501.0, 10.0)
"""Wavelengths of the prior ``(211,)`` nm."""

_STEP = 10.0
_THIN = 0.15  # of a band: a grid point to which less belongs is not seen


class Sensor(NamedTuple):
    """A sensor's bands and the grid.

    Parameters
    ----------
    response : numpy.ndarray
        ``(bands, 211)``: what the bands see of a spectrum on the grid; 0 in the rows of bands beyond the grid.
    gather : numpy.ndarray
        ``(211, bands)``: weights by which the bands around a grid point make its value, rows sum to 1 or are 0.
    seen : numpy.ndarray
        ``(211,)`` bool: grid points that have bands around them.
    fwhm : numpy.ndarray
        ``(211,)`` nm: resolution of the sensor there, at least that of the grid.
    covered : numpy.ndarray
        ``(bands,)`` bool: bands within the grid.
    """

    response: np.ndarray
    gather: np.ndarray
    seen: np.ndarray
    fwhm: np.ndarray
    covered: np.ndarray

    def noise(self, std: np.ndarray) -> np.ndarray:
        """Return the standard deviation ``(211,)`` that errors ``std (bands,)`` of the bands have on the grid."""
        return np.asarray(np.sqrt(self.gather**2 @ np.square(std)))


def sensor_of(wavelength: np.ndarray, fwhm: np.ndarray | None = None) -> Sensor:
    """Make the operators between a sensor's bands and the grid; nothing is extrapolated.

    The spectrum on the grid is as smooth as the sensor sees it, so that bands as wide as the grid's steps or wider
    interpolate it, and finer ones see detail that the grid does not have.

    Parameters
    ----------
    wavelength : numpy.ndarray
        Band centres ``(bands,)`` nm; bad bands are simply not there.
    fwhm : numpy.ndarray, optional
        ``(bands,)`` nm; missing ones are 1.1 times the distance to the nearest band.

    Returns
    -------
    Sensor
        The operators; without any band on the grid, all is 0.
    """
    wavelength = np.asarray(wavelength, np.float64)
    width = filled_fwhm(wavelength, fwhm)
    order = np.argsort(wavelength, kind="stable")
    on_grid = np.maximum(np.interp(GRID, wavelength[order], width[order]), _STEP)
    hat = np.clip(1 - np.abs(GRID[:, None] - wavelength) / _STEP, 0, None)
    total = hat.sum(axis=1)
    seen = total > _THIN
    gather = np.where(seen[:, None], hat / np.where(seen, total, 1.0)[:, None], 0.0)
    response = response_matrix(GRID, on_grid, wavelength, width)
    covered = np.isfinite(response).all(axis=1)
    return Sensor(np.where(covered[:, None], response, 0.0), gather, seen, on_grid, covered)

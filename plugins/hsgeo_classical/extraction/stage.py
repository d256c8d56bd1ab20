"""The shared body of the stages that take endmembers from the corners of the data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from hsgeo.plugin import FitContext, FitNeeds, Layout, Memory, Needs, SceneError, VarSpec
from hsgeo.spectra.noise import moments
from hsgeo_classical.counting.auto import count_endmembers
from hsgeo_classical.sample import Pixels, count_wanted, pixels_of, state_of

__all__ = ["ExtractionStage", "Found", "Reduced", "check_span", "reduce_affine"]

_FLAT = 1e-13  # of the energy: float32 rounds spectra by less than this, squared


class Found(NamedTuple):
    """Endmembers, and what to keep of how they were found.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``, units of the data.
    about : dict
        Attributes of the fit state.
    """

    E: np.ndarray
    about: dict[str, str | int | float]


class Reduced(NamedTuple):
    """Pixels in the flat of a simplex.

    Parameters
    ----------
    X : numpy.ndarray
        Affine coordinates ``(count - 1, pixels)`` float64, units of the data.
    basis : numpy.ndarray
        Orthonormal ``(bands, count - 1)``.
    mean : numpy.ndarray
        ``(bands, 1)``.
    rest : float
        Standard deviation along the strongest direction that is left out; 0 when there is none.
    """

    X: np.ndarray
    basis: np.ndarray
    mean: np.ndarray
    rest: float

    def spectra(self, corners: np.ndarray) -> np.ndarray:
        """Return corners ``(count - 1, count)`` as spectra ``(bands, count)``."""
        return np.asarray(self.basis @ corners + self.mean)


def reduce_affine(Y: np.ndarray, count: int) -> Reduced:
    """Reduce pixels to the dimensions of a simplex with ``count`` corners, which leaves most of the noise behind.

    Parameters
    ----------
    Y : numpy.ndarray
        Complete pixels ``(bands, pixels)``.
    count : int
        Corners, at least 2.

    Returns
    -------
    Reduced
        Coordinates along the strongest directions of the centred pixels.

    Raises
    ------
    SceneError
        The pixels do not span that many dimensions.
    """
    _, average, second = moments(Y.T)
    values, vectors = np.linalg.eigh(second - np.outer(average, average))
    _check_span(values, float(np.trace(second)), count)
    first = len(values) - (count - 1)
    basis = vectors[:, first:]
    rest = float(np.sqrt(max(values[first - 1], 0.0))) if first else 0.0
    return Reduced(basis.T @ Y - (basis.T @ average)[:, None], basis, average[:, None], rest)


def check_span(Y: np.ndarray, count: int) -> None:
    """Refuse more endmembers than the pixels span dimensions for: they would be copies, or rounding.

    Parameters
    ----------
    Y : numpy.ndarray
        Complete pixels ``(bands, pixels)``.
    count : int
        Endmembers asked for.

    Raises
    ------
    SceneError
        The pixels span too few dimensions.
    """
    _, average, second = moments(Y.T)
    _check_span(np.linalg.eigvalsh(second - np.outer(average, average)), float(np.trace(second)), count)


def _check_span(values: np.ndarray, energy: float, count: int) -> None:
    spanned = int((values > _FLAT * energy).sum())
    if spanned < count - 1:
        raise SceneError(
            f"the pixels of the fit sample span {spanned} dimensions, too few for {count} endmembers",
            f"at most {spanned + 1} endmembers",
            "Lower count, or give endmembers with --endmembers",
        )


class ExtractionStage:
    """What the stages that look for corners have in common: they fit on pixels and write ``endmembers``.

    Parameters
    ----------
    options : pydantic.BaseModel
        With ``count`` and ``scale``.
    """

    def __init__(self, options: Any) -> None:
        self.options = options

    def find(self, pixels: Pixels, count: int, rng: np.random.Generator) -> Found:
        """Find ``count`` endmembers, at least 2."""
        raise NotImplementedError

    def needs(self, layout: Layout) -> Needs:
        """Ask for nothing on tiles: this stage only fits."""
        return Needs()

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``endmembers (endmember, band)``."""
        return {"endmembers": VarSpec(("endmember", "band"), scope="scene", attrs={"scale": self.options.scale})}

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for 100,000 screened pixels."""
        # a float32 copy of the sample, and coordinates in float64, several times, in at most as many dimensions
        return FitNeeds("pixels", 100_000, memory=Memory(fixed=96 * 2**20, per_pixel=28 * layout.bands))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Find the endmembers of a sample; ``count: auto`` takes the count of an earlier stage, or counts."""
        wanted = count_wanted(self.options.count, sample)
        pixels = pixels_of(sample, wanted)
        Y = pixels.Y
        if wanted is None:
            norm = np.linalg.norm(Y, axis=0)
            wanted = count_endmembers(Y, Y / np.maximum(norm, np.finfo(np.float32).tiny))
        if wanted == 1:
            found = Found(Y.mean(axis=1, dtype=np.float64)[:, None], {})
        else:
            check_span(Y, wanted)
            found = self.find(pixels, wanted, ctx.rng())
        E = found.E / np.abs(found.E).max(axis=0) if self.options.scale == "peak" else found.E
        return state_of(E, sample, scale=self.options.scale, **found.about)

    def setup(self, state: xr.Dataset, device: str) -> None:
        """Nothing to do on tiles."""
        return

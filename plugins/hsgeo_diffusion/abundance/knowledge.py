"""What is known of a scene once the fit is done, and the ways to estimate a window with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.spectra.solvers.estimate import Mixing, mixing
from hsgeo_diffusion.abundance.conditions import Conditions, conditions
from hsgeo_diffusion.abundance.network import ResUNet2D
from hsgeo_diffusion.abundance.refine import posterior_mean
from hsgeo_diffusion.abundance.smooth import Smoother, smoothed, smoother

__all__ = ["CANDIDATES", "Knowledge", "candidates", "knowledge"]

CANDIDATES = ("pixelwise", "vector-tv", "first", "network")
"""What the result is blended of; ``first`` are the abundances of the stage before."""


@dataclass(frozen=True)
class Knowledge:
    """What the fit has found out, ready for use.

    Parameters
    ----------
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    band_weight : numpy.ndarray
        ``(band,)`` float32, above 0, at most 1: what spectra are multiplied with, so that no band is much noisier than
        the others.
    plain, mix : Mixing
        Endmembers, convention, noise: as they are, and multiplied with the weights.
    smooth : Smoother
        Of the second.
    tv_weight : float
        Of the total variation, in units of the told noise.
    informed : bool
        Whether the earlier stage's abundances say more than each pixel does.
    shares : tuple of float
        Of the `CANDIDATES`, sum one.
    """

    wavelength: np.ndarray
    band_weight: np.ndarray
    plain: Mixing
    mix: Mixing
    smooth: Smoother
    tv_weight: float
    informed: bool
    shares: tuple[float, ...]

    def see(self, spectra: np.ndarray, first: np.ndarray | None, *, destripe: bool) -> Conditions:
        """Turn a window ``(band, y, x)`` and earlier abundances ``(endmember, y, x)`` into conditions."""
        if (self.band_weight != 1).any():
            spectra = spectra * self.band_weight[:, None, None]
        return conditions(
            spectra,
            self.wavelength,
            self.mix,
            self.smooth,
            first if self.informed else None,
            destripe=destripe,
        )


def knowledge(
    plain: Mixing,
    wavelength: np.ndarray,
    *,
    band_weight: np.ndarray,
    tv_weight: float,
    informed: bool,
    shares: tuple[float, ...],
) -> Knowledge:
    """Make what was found out ready for use.

    Parameters
    ----------
    plain : Mixing
        Endmembers, convention, noise, without weights.
    wavelength, band_weight, tv_weight, informed, shares
        As in `Knowledge`.

    Returns
    -------
    Knowledge
        With its operators.
    """
    weight = np.asarray(band_weight, np.float64)
    mix = mixing(plain.E * weight[:, None], plain.noise * weight, peak=plain.peak)
    return Knowledge(
        np.asarray(wavelength),
        np.asarray(band_weight, np.float32),
        plain,
        mix,
        smoother(mix),
        tv_weight=tv_weight,
        informed=informed,
        shares=shares,
    )


def candidates(
    network: ResUNet2D | None,
    c: Conditions,
    first: np.ndarray | None,
    known: Knowledge,
    *,
    wanted: tuple[bool, ...],
    turns: int,
    guide: bool,
    device: str,
) -> np.ndarray:
    """Estimate the abundances of a window in every way that is wanted.

    Parameters
    ----------
    network : ResUNet2D or None
        None only where it is not wanted.
    c : Conditions
        The window.
    first : numpy.ndarray or None
        Abundances of the stage before ``(endmember, y, x)``.
    known : Knowledge
        What is known of the scene.
    wanted : tuple of bool
        Which of the `CANDIDATES`.
    turns, guide, device
        As in `hsgeo_diffusion.abundance.refine.posterior_mean`.

    Returns
    -------
    numpy.ndarray
        ``(candidate, endmember, y, x)`` float32; 0 for those that are not wanted.
    """
    out = np.zeros((len(CANDIDATES), *c.closed.shape), np.float32)
    out[0] = c.closed
    if wanted[1]:
        # a pixel whose smoothed amounts are all 0 has no composition there: it keeps its own
        found = smoothed(c.coordinates, known.tv_weight, known.smooth)
        out[1] = np.where(np.isfinite(found), found, c.closed)
    if wanted[2]:
        out[2] = c.closed if first is None else np.where(np.isfinite(first), first, c.closed)
    if wanted[3] and network is not None:
        out[3] = posterior_mean(network, [c], turns=turns, guide=guide, device=device)[0]
    return out

"""Endmembers made again: corners by the evidence of the scene, spectra by a prior, and a check on bands left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from hsgeo_diffusion.endmember.cloud import Cloud, cloud_of
from hsgeo_diffusion.endmember.corners import are_pixels, better_corners
from hsgeo_diffusion.endmember.deviation import Settled

__all__ = ["Prior", "Reconstruction", "reconstruct"]

_BEYOND = 2  # dimensions beyond the count: room for what varies, little for noise
# Up to which signal-to-noise ratio (dB) corners are looked for, and the evidence (nats per pixel) that moves them:
# near, and anew. Endmembers that are single pixels have a pixel's noise: the purest pixels near them are
# better if evidence does not say no. Others are means of many, and there evidence is no safe guide: it halves the
# error of some scenes at 10 dB, doubles that of others, and at 20 dB does as much harm as good. Chosen on 26
# procedural scenes at both levels.
_SINGLE = (32.0, (-0.5, 2.0))
_MEANS = (15.0, (0.5, 0.2))
_NOISE_LIKE = (
    4.0  # noise variances per dimension: a pixel's noise in as many dimensions is one, the largest of many three
)
_QUIET = 50.0  # dB: above, noise is nothing that a prior could mend, and nothing is touched


class Prior(Protocol):
    """What spectra are expected to be like."""

    def settle(self, y: np.ndarray, std: np.ndarray) -> Settled:
        """Return a measured spectrum of known error as the prior would have it."""


class Reconstruction(NamedTuple):
    """Endmembers and how they came about.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``; what was made again is not negative, what was left alone is as given in every bit.
    std : numpy.ndarray
        Standard deviation that the noise leaves in them, same shape; NaN for untouched ones.
    before : numpy.ndarray
        ``(endmembers,)`` standard deviation of the given ones for the noise of their subspace, relative, root mean
        square over the bands.
    moved : bool
        Whether the scene gave better corners.
    gain : float
        Evidence for these, nats per pixel.
    kept : numpy.ndarray
        ``(endmembers,)`` bool: left as given.
    deviation : numpy.ndarray
        ``(endmembers,)`` how far spectra part from what the prior expects, relative; NaN for untouched ones.
    cloud : Cloud or None
        What was seen of the scene.
    """

    E: np.ndarray
    std: np.ndarray
    before: np.ndarray
    moved: bool
    gain: float
    kept: np.ndarray
    deviation: np.ndarray
    cloud: Cloud | None


def reconstruct(
    E: np.ndarray,
    patches: Sequence[np.ndarray],
    prior: Prior,
    *,
    corners: str = "auto",
    rng: np.random.Generator,
) -> Reconstruction:
    """Make noisy or drifted endmembers again.

    1. The pixels, in the subspace of their signal and in units of their noise, are freed of noise by their neighbours
       (`cloud_of`).
    2. If the noise is what limits them, better corners are looked for (`better_corners`): abundances and corners in
       turn, judged by the evidence against the given ones. Single pixels are noisier than means.
    3. The spectra are combined with what the prior expects, by the error that the noise has left in the subspace
       (`hsgeo_diffusion.endmember.deviation.settle`). An endmember for which the prior's estimate of its own error is
       not below that of the measured spectrum stays.

    Parameters
    ----------
    E : numpy.ndarray
        Given endmembers ``(bands, endmembers)``.
    patches : sequence of numpy.ndarray
        Of the scene, ``(bands, rows, cols)`` each; one row of single pixels will do, without neighbours.
    prior : Prior
        In the same bands.
    corners : {"auto", "all", "keep"}
        Whether step 2 is done: for endmembers that are single pixels, for all, for none.
    rng : numpy.random.Generator
        For perturbations and starts.

    Returns
    -------
    Reconstruction
        With the lengths of the given ones.
    """
    E = np.asarray(E, np.float64)
    count = E.shape[1]
    nothing = np.full(count, np.nan)
    same = Reconstruction(E, np.full(E.shape, np.nan), nothing, False, 0.0, np.ones(count, bool), nothing, None)
    size = np.linalg.norm(E, axis=0)
    if not (np.isfinite(E).all() and (size > 0).all()):
        return same
    cloud = cloud_of(patches, count + _BEYOND, rng=rng)
    if cloud is None or cloud.snr > _QUIET:
        return same._replace(cloud=cloud)
    given = cloud.inward(E)
    chosen, moved, gain = given, False, 0.0
    single = are_pixels(E, cloud.pixels, cloud.noise)
    noisiest, margins = _SINGLE if single else _MEANS
    sought = corners == "all" or (corners == "auto" and single)
    if sought and cloud.snr < noisiest and (np.linalg.norm(given, axis=0) > 0).all():
        chosen, gain, moved = better_corners(cloud, given, margins=margins, rng=rng)
    measured, error = cloud.outward(chosen), cloud.error(chosen)
    if (
        not moved
    ):  # what lies outside of the subspace is known of means; of a pixel it is noise, where noise explains it
        beyond = np.square((E - measured) / cloud.noise[:, None]).sum(axis=0)
        measured = np.where(single & (beyond <= _NOISE_LIKE * len(given)), measured, E)
    out, left = E.copy(), np.full(E.shape, np.nan)
    before = np.sqrt(np.mean(error**2, axis=0)) / np.sqrt(np.mean(measured**2, axis=0))
    kept, deviation = np.zeros(count, bool), nothing.copy()
    for p in range(count):
        found = prior.settle(measured[:, p], error[:, p])
        better = bool(np.mean(found.std**2) < np.mean(error[:, p] ** 2)) and np.isfinite(found.mean).all()
        spectrum = found.mean if better else measured[:, p]
        kept[p] = not (better or moved)
        if kept[p]:
            continue
        spectrum = np.maximum(spectrum, 0.0)
        out[:, p] = spectrum * (size[p] / max(float(np.linalg.norm(spectrum)), np.finfo(float).tiny))
        left[:, p], deviation[p] = found.std if better else error[:, p], found.deviation
    return Reconstruction(out, left, before, moved, gain, kept, deviation, cloud)

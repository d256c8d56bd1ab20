"""The sample as a cloud of pixels: in the subspace of its signal, in units of its noise, and freed of it by space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hsgeo.spectra.calibrated import calibrated_noise
from hsgeo.spectra.solvers.vector_rof import vector_rof

__all__ = ["Cloud", "cloud_of"]

_WEIGHTS = (0.35, 0.7, 1.4, 2.8, 5.6)  # of the smoothing, units of the noise; between them little changes
_TRIED = 16_384  # pixels that the weight is chosen on: four patches, where the estimates part by far
_STEP = 0.3  # of the noise: of the perturbation that measures how much of it is kept
_LEAST = 1e-3  # of the noise: smoothing is never taken to be better than that
_EMPTY = 0.05  # of the noise's variance: less of it is no signal
_FEWEST = 30  # complete pixels: fewer do not tell noise from signal


class Cloud(NamedTuple):
    """Pixels of a scene.

    Parameters
    ----------
    noise : numpy.ndarray
        Standard deviation ``(bands,)``, units of the data.
    basis : numpy.ndarray
        Orthonormal ``(bands, K)`` in spectra divided by the noise.
    wrong : numpy.ndarray
        ``(K,)``: variance of the error of every vector of the basis, per band.
    pixels : numpy.ndarray
        ``(bands, pixels)``, the complete ones, units of the data.
    raw, calm : numpy.ndarray
        ``(K, pixels)`` coordinates with noise of variance 1, and the same smoothed over the ground.
    left : float
        Variance of the error that is left in ``calm``, by Stein's estimate.
    weight : float
        Of the smoothing; 0: none helps.
    snr : float
        Of the pixels, dB.
    """

    noise: np.ndarray
    basis: np.ndarray
    wrong: np.ndarray
    pixels: np.ndarray
    raw: np.ndarray
    calm: np.ndarray
    left: float
    weight: float
    snr: float

    def inward(self, E: np.ndarray) -> np.ndarray:
        """Return the coordinates ``(K, endmembers)`` of spectra ``(bands, endmembers)``."""
        return np.asarray(self.basis.T @ (E / self.noise[:, None]))

    def outward(self, c: np.ndarray) -> np.ndarray:
        """Return coordinates as spectra."""
        return np.asarray(self.noise[:, None] * (self.basis @ c))

    def error(self, c: np.ndarray) -> np.ndarray:
        """Tell the standard deviation ``(bands, endmembers)`` of what `outward` returns, for the subspace's noise."""
        return np.asarray(self.noise[:, None] * np.sqrt(self.wrong @ c**2))


def cloud_of(patches: Sequence[np.ndarray], dimensions: int, *, rng: np.random.Generator) -> Cloud | None:
    """Make a cloud of patches of a scene.

    Parameters
    ----------
    patches : sequence of numpy.ndarray
        ``(bands, rows, cols)`` each; pixels with a value that is not finite, and black ones, are left out.
    dimensions : int
        Of the subspace; bounded by the bands.
    rng : numpy.random.Generator
        Draws the perturbation.

    Returns
    -------
    Cloud or None
        None: fewer than 30 complete pixels.
    """
    bands = patches[0].shape[0]
    flat = [np.asarray(patch.reshape(bands, -1), np.float32) for patch in patches]
    known = [np.isfinite(Y).all(axis=0) & (Y != 0).any(axis=0) for Y in flat]
    whole = np.concatenate([Y[:, k] for Y, k in zip(flat, known, strict=True)], axis=1)
    if whole.shape[1] < max(_FEWEST, 2 * dimensions):
        return None
    noise = calibrated_noise(whole.T)
    gram = np.zeros((bands, bands))
    for Y, k in zip(flat, known, strict=True):  # patch by patch: float64 of the whole sample would be twice its size
        gram += np.einsum("an,bn->ab", Y[:, k] / noise[:, None], Y[:, k] / noise[:, None])
    values, vectors = np.linalg.eigh(gram)
    basis = vectors[:, ::-1][:, : min(dimensions, bands)]
    images = []
    for patch, Y, k in zip(patches, flat, known, strict=True):
        C = np.full((Y.shape[1], basis.shape[1]), np.nan, np.float32)
        C[k] = (basis.T @ (Y[:, k] / noise[:, None])).T
        images.append(C.reshape(*patch.shape[1:], -1))
    weight, left = _choose(images, rng)
    calm = images if weight == 0 else [vector_rof(image, weight) for image in images]
    raw, smooth = (
        np.concatenate([image[np.isfinite(image[..., 0])] for image in some]).T.astype(np.float64)
        for some in (images, calm)
    )
    if weight:
        smooth = _full_contrast(raw, smooth)
    power = float(np.diag(gram) @ noise**2) / whole.size
    snr = 10 * np.log10(power / np.mean(noise**2))
    wrong = _errors(values[::-1][: basis.shape[1]] / whole.shape[1], bands, whole.shape[1])
    return Cloud(noise, basis, wrong, whole, raw, smooth, max(left, _LEAST), weight, float(snr))


def _full_contrast(raw: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Give smoothed coordinates the contrast that smoothing took: the regression of the raw ones on them.

    Without it, the cloud would be narrower than the scene, and its corners too far in.
    """
    mean = smooth.mean(axis=1, keepdims=True)
    about = smooth - mean
    slope = np.einsum("kn,ln->kl", raw - raw.mean(axis=1, keepdims=True), about)
    gram = np.einsum("kn,ln->kl", about, about)
    # a direction that smoothing has emptied has no contrast to give back: no more than twice what is left
    values, vectors = np.linalg.eigh(gram)
    kept = values > _EMPTY * raw.shape[1]
    turned = vectors[:, kept]
    factor = np.eye(len(gram)) + (slope - gram) @ (turned / values[kept]) @ turned.T
    left, size, right = np.linalg.svd(factor)
    return np.asarray(mean + (left * np.clip(size, 0.5, 2.0)) @ right @ about)


def _errors(values: np.ndarray, bands: int, pixels: int) -> np.ndarray:
    """Tell how wrong noise makes principal directions: variance per band.

    In noise of variance 1, a variance ``v`` along a direction was ``l`` before it was drawn towards the noise, with
    ``v = l (1 + g / (l - 1))`` and ``g = bands / pixels``, and the squared cosine to the true direction is
    ``(1 - g / (l - 1)^2) / (1 + g / (l - 1))`` (Paul, "Asymptotics of sample eigenstructure for a large dimensional
    spiked covariance model", 2007). Below ``(1 + sqrt(g))^2`` a direction is nothing but noise.
    """
    g = bands / pixels
    half = (values + 1 - g) / 2
    above = values > (1 + np.sqrt(g)) ** 2
    excess = np.where(above, half + np.sqrt(np.maximum(half**2 - values, 0.0)) - 1, np.inf)
    cosine = np.where(above, (1 - g / excess**2) / (1 + g / excess), 0.0)
    return np.asarray((1 - np.clip(cosine, 0.0, 1.0)) / bands)


def _choose(images: Sequence[np.ndarray], rng: np.random.Generator) -> tuple[float, float]:
    """Choose the weight by Stein's estimate of the error, its divergence by one perturbation; and tell the error."""
    best, count = (0.0, 1.0), 0
    some = []
    for image in images:
        if count >= _TRIED:
            break
        some.append(image)
        count += int(np.isfinite(image[..., 0]).sum())
    shakes = [rng.standard_normal(image.shape).astype(np.float32) for image in some]
    for weight in _WEIGHTS:
        total = 0.0
        for image, shake in zip(some, shakes, strict=True):
            calm = vector_rof(image, weight)
            moved = vector_rof(image + np.float32(_STEP) * shake, weight)
            kept = np.nansum(shake * (moved - calm)) / _STEP
            total += float(np.nansum(np.square(calm - image)) + 2 * kept)
        error = total / max(count * images[0].shape[-1], 1) - 1
        if error < best[1]:
            best = (weight, error)
    return best

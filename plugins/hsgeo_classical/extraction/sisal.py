"""The stage ``sisal``: the smallest simplex around the pixels, for scenes without pure pixels."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.noise import noise_std
from hsgeo_classical.extraction.nfindr import largest_of_restarts
from hsgeo_classical.extraction.smallest import sisal, snug_simplex
from hsgeo_classical.extraction.stage import ExtractionStage, Found, Reduced, reduce_affine
from hsgeo_classical.sample import Pixels, keyed_order

__all__ = ["Sisal"]

_MOST = 20_000  # pixels the simplex is fitted to: its faces then move by less than their noise


class Sisal(ExtractionStage):
    """Find endmembers as the corners of the smallest simplex that holds nearly all pixels.

    The corners are no pixels: they may lie outside the data, and a few of their bands below 0.

    Parameters
    ----------
    options : SisalOptions
        Count, scale, restarts, weight.
    """

    def find(self, pixels: Pixels, count: int, rng: np.random.Generator) -> Found:
        """Shrink a simplex from the largest one of pixels (N-FINDR); ``rule: nfindr`` where that escapes."""
        reduced = reduce_affine(pixels.Y, count)
        along = rng.standard_normal((self.options.restarts, count, len(reduced.basis))) @ reduced.basis
        some = np.sort(keyed_order(pixels.key, int(rng.integers(2**31)))[:_MOST])
        start = reduced.X[:, largest_of_restarts(reduced.X, along)]
        noise = _blur(reduced, noise_std(pixels.Y.T), pixels.Y.shape[1])
        if self.options.weight == "auto":
            found = snug_simplex(reduced.X[:, some], start, noise=noise)
        else:
            found = sisal(reduced.X[:, some], start, noise=noise, weight=self.options.weight)
        rule = "sisal" if found.converged else "nfindr"
        return Found(reduced.spectra(found.corners), {"rule": rule, "outside": found.outside})


def _blur(reduced: Reduced, noise: np.ndarray, count: int) -> np.ndarray:
    """Covariance by which pixels stray from a simplex: noise, and what the strongest direction left out says beyond it.

    Real materials vary. Where the pixels leave the flat of the simplex by more than noise does, they will do so within
    it as well, and a simplex that believed in the noise alone would reach for every odd pixel.
    """
    # Marchenko and Pastur: the largest eigenvalue of pure noise, and 5 % for the error of its estimate
    edge = 1.05 * (1 + np.sqrt(len(noise) / count)) ** 2 * float(np.max(noise)) ** 2
    excess = max(reduced.rest**2 - edge, 0.0)
    return (reduced.basis.T * noise**2) @ reduced.basis + excess * np.eye(reduced.basis.shape[1])

"""How well endmembers explain pixels whose abundances nobody knows: the likelihood of an evenly filled cone."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.solvers import nnls

__all__ = ["cone_evidence"]


def cone_evidence(X: np.ndarray, c: np.ndarray, *, variance: float) -> float:
    """Log-likelihood per pixel of a cloud that fills the cone of the corners evenly, up to a constant.

    A pixel is as likely as the cone is narrow (the logarithm of the volume that the corners' directions span), and as
    it is near (half its squared distance over the variance that is left in it). Corners too far out pay by the first,
    too far in by the second. What the noise cannot part spans no volume: the directions' own error is added.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels ``(K, pixels)`` in coordinates of even noise.
    c : numpy.ndarray
        Corners ``(K, endmembers)``.
    variance : float
        Of the noise in each coordinate.

    Returns
    -------
    float
        Nats per pixel; minus infinity for corners without a length.
    """
    size = np.linalg.norm(c, axis=0)
    if not (np.isfinite(size).all() and (size > 0).all()):
        return -np.inf
    far = X - c @ nnls(X.T, c).T
    unit = c / size
    volume = np.linalg.slogdet(unit.T @ unit + np.diag(np.minimum(variance / size**2, 1.0)))[1] / 2
    return float(-np.mean((far**2).sum(axis=0)) / (2 * variance) - volume)

"""Bands grouped to spectral tokens by wavelength: locality kept, any sensor in, one length out."""

from __future__ import annotations

import numpy as np

__all__ = ["DRAWS", "TOKENS", "scene_tokens", "tokens_of"]

TOKENS = 32
"""Spectral tokens; three halvings leave four."""

DRAWS = 4
"""Times that a patch is split into what teaches and what judges; more show the network little that is new."""


def tokens_of(wavelength: np.ndarray) -> np.ndarray:
    """Say which bands make up which token.

    Bands in order of wavelength are dealt into groups of (nearly) equal number, so that a detector with many bands has
    many tokens; with fewer bands than tokens, neighbours share a band.

    Parameters
    ----------
    wavelength : numpy.ndarray
        ``(band,)`` nm.

    Returns
    -------
    numpy.ndarray
        Weights ``(TOKENS, band)`` float32; each row sums to one.
    """
    order = np.argsort(wavelength, kind="stable")
    bands = len(order)
    edges = np.linspace(0, bands, TOKENS + 1)
    place = np.arange(bands)
    # the overlap of [place, place + 1] with the token's share of the bands
    share = np.minimum(place + 1, edges[1:, None]) - np.maximum(place, edges[:-1, None])
    share = np.maximum(share, 0)
    out = np.zeros((TOKENS, bands), np.float32)
    out[:, order] = share / share.sum(axis=1, keepdims=True)
    return out


def scene_tokens(spectra: np.ndarray, groups: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Group the bands of a window.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(band, y, x)`` float32; a missing value counts as 0.
    groups : numpy.ndarray
        ``(TOKENS, band)``, from `tokens_of`, divided by the size of each band.
    valid : numpy.ndarray
        ``(y, x)`` bool; elsewhere the tokens are 0.

    Returns
    -------
    numpy.ndarray
        ``(TOKENS, y, x)`` float32.
    """
    whole = np.where(np.isfinite(spectra) & valid, spectra, 0).astype(np.float32)
    out = np.zeros((len(groups), *whole.shape[1:]), np.float32)
    for token, weights in zip(out, groups.astype(np.float32), strict=True):
        for band in np.flatnonzero(weights):  # in order: BLAS has other bits with other numbers of threads (ADR 0003)
            token += weights[band] * whole[band]
    return out

"""A measured spectrum between what a prior expects and what its noise allows: closed form, strength by evidence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Settled", "settle"]

# How far spectra part from expected ones, as shares of variance by length in nm: broad humps, bands, and single
# channels, so that without noise nothing of a spectrum is taken away.
_LENGTHS = ((200.0, 0.5), (60.0, 0.3), (20.0, 0.18))
_SINGLE = 0.02
_SIZES = 10 ** np.arange(-3.0, 0.3, 0.25)  # of the deviation, relative; the evidence chooses
_FLOOR = 0.1  # of a spectrum's size: dark bands deviate, too


class Settled(NamedTuple):
    """A spectrum.

    Parameters
    ----------
    mean : numpy.ndarray
        Posterior mean ``(bands,)``.
    std : numpy.ndarray
        Posterior standard deviation ``(bands,)``.
    deviation : float
        Relative size of the deviation from the prior that the evidence chose.
    match : int
        Index of the expected spectrum of the largest weight.
    """

    mean: np.ndarray
    std: np.ndarray
    deviation: float
    match: int


def settle(
    y: np.ndarray, std: np.ndarray, expected: np.ndarray, wavelength: np.ndarray, *, free: bool = True
) -> Settled:
    """Combine a measured spectrum with expected ones (empirical Bayes).

    The model is ``y = g l_i + d + n``: any of the expected spectra at a length that fits, a deviation that is smooth in
    wavelength and relative to the spectrum, and noise. The posterior mean over all of them is a softmax of Gaussians,
    as the training-free prior of DiffUn (Deng et al. 2024) is, with a deviation from the library in place of none. The
    size of the deviation has the highest evidence, so that neither a poor library nor low noise is overruled.

    Parameters
    ----------
    y : numpy.ndarray
        ``(bands,)``.
    std : numpy.ndarray
        Its standard deviation ``(bands,)``, not negative.
    expected : numpy.ndarray
        ``(spectra, bands)``, at least one.
    wavelength : numpy.ndarray
        ``(bands,)`` nm.
    free : bool
        Whether the expected spectra may be scaled; else they are taken at their lengths.

    Returns
    -------
    Settled
        Mean, error, and what was chosen; the measured spectrum itself where there is no noise.
    """
    level = float(np.sqrt(np.mean(y**2)))
    if not (level > 0 and np.isfinite(level) and (std > 0).any()):
        return Settled(y.copy(), std.copy(), np.inf, -1)
    scale = _reach(y, std, wavelength, level)
    apart = np.square(wavelength[:, None] - wavelength)
    prior = sum(share * np.exp(-apart / (2 * length**2)) for length, share in _LENGTHS) + _SINGLE * np.eye(len(y))
    prior = scale[:, None] * prior * scale
    noise = np.maximum(std, 1e-9 * level) ** 2
    best = None
    for size in _SIZES:
        half = np.linalg.cholesky(size**2 * prior + np.diag(noise))
        white_y = np.linalg.solve(half, y)
        white = np.linalg.solve(half, expected.T)
        length = white_y @ white / np.maximum((white**2).sum(axis=0), np.finfo(float).tiny) if free else 1.0
        rest = white_y[:, None] - np.maximum(length, 0.0) * white
        log = -0.5 * (rest**2).sum(axis=0)
        total = _log_sum(log) - np.log(np.diag(half)).sum()
        if best is None or total > best[0]:
            best = (total, size, half, log, np.broadcast_to(np.maximum(length, 0.0), log.shape), rest)
    assert best is not None
    _, size, half, log, length, rest = best
    share = np.exp(log - _log_sum(log))
    lift = np.linalg.solve(half, size**2 * prior).T  # (bands, bands): whitened rest to deviation
    mean = (length * expected.T) @ share + lift @ (rest @ share)
    error = np.sqrt(np.maximum(size**2 * np.diag(prior) - (lift**2).sum(axis=1), 0.0))
    return Settled(mean, error, float(size), int(np.argmax(share)))


def _reach(y: np.ndarray, std: np.ndarray, wavelength: np.ndarray, level: float) -> np.ndarray:
    """Tell the size of a spectrum around every band, from it alone: what deviations are relative to."""
    near = np.exp(-np.square(wavelength[:, None] - wavelength) / (2 * 30.0**2)) / np.maximum(std, 1e-6 * level) ** 2
    return np.maximum(np.abs(near @ y / near.sum(axis=1)), _FLOOR * level)


def _log_sum(log: np.ndarray) -> float:
    top = float(log.max())
    return top + float(np.log(np.exp(log - top).sum()))

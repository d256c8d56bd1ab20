"""How noisy each band is, told from the data alone."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["moments", "noise_floor", "noise_std"]

_CHUNK = 8192  # pixels converted to float64 at a time: 15 MB of 230 bands
_PREDICTORS = 3  # pixels per predictor that a regression needs before its residual can be trusted


def moments(Y: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """Sum up pixels: how many are complete, their mean and their second moment.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``; pixels with a non-finite value are left out.

    Returns
    -------
    count : int
        Complete pixels.
    mean : numpy.ndarray
        ``(bands,)`` float64.
    second : numpy.ndarray
        ``(bands, bands)`` float64, mean of ``y y^T`` (not centred).

    Raises
    ------
    ConfigError
        No pixel is complete.
    """
    Y = np.asarray(Y)
    if Y.ndim != 2:
        raise ConfigError(f"the pixels have the shape {Y.shape}", "(pixels, bands)")
    bands = Y.shape[1]
    count, total, second = 0, np.zeros(bands), np.zeros((bands, bands))
    for start in range(0, Y.shape[0], _CHUNK):
        block = np.asarray(Y[start : start + _CHUNK], dtype=np.float64)
        block = block[np.isfinite(block).all(axis=1)]
        count += len(block)
        total += block.sum(axis=0)
        second += block.T @ block
    if not count:
        raise ConfigError("no pixel has all its bands", "at least one", "Drop the bands that are missing everywhere")
    return count, total / count, second / count


def noise_std(Y: np.ndarray) -> np.ndarray:
    """Estimate the noise of every band as what the other bands cannot predict.

    Multiple regression of each band on the others (Bioucas-Dias and Nascimento, HySime, 2008, Algorithm 1),
    all at once through the inverse of the second moment: the residual variance of band ``b`` is
    ``1 / (R^-1)_bb``, corrected for the degrees of freedom. With too few pixels for that, each band is
    regressed on as many spectral neighbours as a third of the pixels; with fewer than four pixels the spread
    of second differences along the spectrum stands in.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``, bands in spectral order; pixels with a non-finite value are left out.

    Returns
    -------
    numpy.ndarray
        Standard deviation ``(bands,)`` float64, in the units of the data; at least 1e-7 of the band's rms (the
        rounding of float32).

    Raises
    ------
    ConfigError
        No pixel is complete.
    """
    count, _, second = moments(Y)
    bands = second.shape[0]
    power = np.diag(second)
    floor = 1e-7 * np.sqrt(power) + np.finfo(np.float64).tiny
    if bands == 1:
        return floor
    if count < 4:
        return np.maximum(_second_differences(Y), floor)
    predictors = min(bands - 1, count // _PREDICTORS)
    if predictors == bands - 1:
        scale = np.sqrt(np.where(power > 0, power, 1.0))
        R = second / scale / scale[:, None]
        R[np.diag_indices(bands)] += 1e-13  # float64 rounding of the sums: keeps exact linear scenes invertible
        residual = scale**2 / np.diag(np.linalg.inv(R))
    else:
        residual = np.empty(bands)
        for band in range(bands):
            start = min(max(band - predictors // 2, 0), bands - predictors - 1)
            near = np.setdiff1d(np.arange(start, start + predictors + 1), band)
            weights = np.linalg.lstsq(second[np.ix_(near, near)], second[near, band], rcond=1e-13)[0]
            residual[band] = power[band] - weights @ second[near, band]
    return np.maximum(np.sqrt(np.maximum(residual, 0) * count / (count - predictors)), floor)


def _second_differences(Y: np.ndarray) -> np.ndarray:
    Y = np.asarray(Y, dtype=np.float64)
    Y = Y[np.isfinite(Y).all(axis=1)]
    if Y.shape[1] < 3:
        return np.zeros(Y.shape[1])
    # independent noise in three neighbours: variance of y[b-1] - 2 y[b] + y[b+1] is (1 + 4 + 1) sigma^2
    spread = np.sqrt(np.mean(np.square(np.diff(Y, 2, axis=1)), axis=0) / 6)
    return np.concatenate([spread[:1], spread, spread[-1:]])


def noise_floor(Y: np.ndarray) -> float:
    """Estimate the standard deviation of white noise from the floor of the covariance's eigenvalues.

    The mean of the lower half of the eigenvalues is compared with what the law of Marchenko and Pastur (1967)
    says for unit noise and this many pixels. Signal, smooth variability included, lives in the upper half;
    the residual of a fit would call it noise.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``; pixels with a non-finite value are left out.

    Returns
    -------
    float
        Standard deviation, in the units of the data. 0 for one pixel or one band.

    Raises
    ------
    ConfigError
        No pixel is complete.
    """
    count, mean, second = moments(Y)
    return float(np.sqrt(_floor(np.linalg.eigvalsh(second - np.outer(mean, mean)), count)))


def _floor(eigenvalues: np.ndarray, count: int) -> float:
    """White noise variance from ascending eigenvalues of a covariance of ``count`` pixels."""
    bands = len(eigenvalues)
    rank = min(bands, count - 1)
    if rank < 2:
        return 0.0
    lower = np.maximum(eigenvalues[bands - rank : bands - rank + (rank + 1) // 2], 0)
    return float(lower.mean() / _lower_half_mean(bands / (count - 1)))


def _lower_half_mean(ratio: float) -> float:
    """Mean of the lower half of the non-zero eigenvalues of unit noise, ``ratio`` = bands / pixels."""
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    # x = middle - half cos(t) takes the square-root ends out of the density; 2000 steps: 1e-6
    t = (np.arange(2000) + 0.5) * np.pi / 2000
    x = (low + high) / 2 - (high - low) / 2 * np.cos(t)
    weight = np.sin(t) ** 2 / x
    share = np.cumsum(weight) / weight.sum()
    half = share <= 0.5
    return float((weight * x)[half].sum() / weight[half].sum())

"""How noisy each band is, told from the data alone."""

from __future__ import annotations

from typing import Literal

import numpy as np

from hsgeo.errors import ConfigError

__all__ = [
    "column_noise",
    "covariance_of_differences",
    "difference_moments",
    "moments",
    "noise_covariance",
    "noise_floor",
    "noise_from_moments",
    "noise_std",
]

Direction = Literal["across", "down", "diagonal"]

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
    if second.shape[0] > 1 and count < 4:
        return np.maximum(_second_differences(Y), _rounding(second))
    return noise_from_moments(count, second)


def _rounding(second: np.ndarray) -> np.ndarray:
    """Noise that float32 alone makes in every band."""
    return np.asarray(1e-7 * np.sqrt(np.diag(second)) + np.finfo(np.float64).tiny)


def noise_from_moments(count: int, second: np.ndarray) -> np.ndarray:
    """Estimate the noise of every band as `noise_std` does, from sums over pixels that need not be at hand.

    Parameters
    ----------
    count : int
        Complete pixels; with fewer than 4 nothing is told and the rounding of float32 returned.
    second : numpy.ndarray
        ``(bands, bands)``, mean of ``y y^T`` (not centred), from `moments`.

    Returns
    -------
    numpy.ndarray
        Standard deviation ``(bands,)`` float64, in the units of the data.
    """
    bands = second.shape[0]
    power = np.diag(second)
    floor = _rounding(second)
    if bands == 1 or count < 4:
        return floor
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


def column_noise(image: np.ndarray) -> np.ndarray:
    """Estimate the noise of every band in every column, where detectors of a push-broom sensor differ.

    What the other bands cannot predict, as in `noise_std`, with one regression for the image and the spread of its
    residual taken column by column.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``; pixels with a non-finite value are left out.

    Returns
    -------
    numpy.ndarray
        Standard deviation ``(cols, bands)`` float64, in the units of the data; NaN for a column without a complete
        pixel. Its mean square over pixels is that of `noise_std`.

    Raises
    ------
    ConfigError
        The image has another shape, or fewer complete pixels than three per band.
    """
    image = _image(image)
    rows, cols, bands = image.shape
    count, _, second = moments(image.reshape(-1, bands))
    if count < _PREDICTORS * bands:
        raise ConfigError(
            f"there are {count} complete pixels of {bands} bands", f"at least {_PREDICTORS} per band", "Use noise_std"
        )
    scale = np.sqrt(np.where(np.diag(second) > 0, np.diag(second), 1.0))
    R = second / scale / scale[:, None]
    R[np.diag_indices(bands)] += 1e-13  # float64 rounding of the sums: keeps exact linear scenes invertible
    inverse = np.linalg.inv(R)
    # the residual of every band's regression on the others, all at once
    filter_ = inverse / np.diag(inverse)[:, None] * scale[:, None] / scale
    power, seen = np.zeros((cols, bands)), np.zeros(cols)
    step = max(1, _CHUNK // cols)
    for start in range(0, rows, step):
        block = np.asarray(image[start : start + step], dtype=np.float64)
        valid = np.isfinite(block).all(axis=2)
        block[~valid] = 0.0
        power += np.square(block @ filter_.T).sum(axis=0)
        seen += valid.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = power / seen[:, None] * (count / (count - bands + 1))
    return np.asarray(np.maximum(np.sqrt(variance), _rounding(second)))


def difference_moments(
    image: np.ndarray, *, direction: Direction = "diagonal", keep: float = 1.0
) -> tuple[int, np.ndarray, np.ndarray]:
    """Sum up differences of neighbouring pixels: sums, so that blocks of an image can be added.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``; pairs with a non-finite value are left out.
    direction : {"across", "down", "diagonal"}
        Neighbours in the same row, in the same column, or below to the right.
    keep : float
        Share of the pairs that is used, the most alike first: edges in the scene are no noise. Below 1, white
        noise is underestimated by a few per cent (4 % at 0.5 of 200 bands).

    Returns
    -------
    count : int
        Pairs.
    total : numpy.ndarray
        ``(bands,)`` float64, sum of the differences.
    second : numpy.ndarray
        ``(bands, bands)`` float64, sum of their products.

    Raises
    ------
    ConfigError
        The image has another shape, or an argument is not accepted.
    """
    image = _image(image)
    if direction not in ("across", "down", "diagonal") or not 0 < keep <= 1:
        raise ConfigError(
            f"direction={direction!r} with keep={keep}", "'across', 'down' or 'diagonal', and a share above 0 up to 1"
        )
    down, across = int(direction != "across"), int(direction != "down")
    rows, cols, bands = image.shape
    first, other = image[: rows - down, : cols - across], image[down:, across:]
    D = (np.asarray(first, np.float64) - other).reshape(-1, bands)
    D = D[np.isfinite(D).all(axis=1)]
    if keep < 1 and len(D):
        spread = np.median(np.abs(D), axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        size = np.square(D / spread).sum(axis=1)
        D = D[np.sort(np.argsort(size, kind="stable")[: max(1, round(keep * len(D)))])]
    return len(D), D.sum(axis=0), D.T @ D


def noise_covariance(image: np.ndarray, *, direction: Direction = "diagonal", keep: float = 1.0) -> np.ndarray:
    """Estimate the covariance of the noise from differences of neighbouring pixels.

    Neighbours see nearly the same ground, so their difference is twice the noise (Green et al., "A transformation
    for ordering multispectral data in terms of image quality", 1988, shift difference). Texture counts as noise.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``; pairs with a non-finite value are left out.
    direction : {"across", "down", "diagonal"}
        Neighbours in the same row, in the same column, or below to the right.
    keep : float
        Share of the pairs that is used, the most alike first.

    Returns
    -------
    numpy.ndarray
        ``(bands, bands)`` float64. With fewer than three pairs per band only the diagonal, the rest 0.

    Raises
    ------
    ConfigError
        There are fewer than two pairs, the image has another shape, or an argument is not accepted.
    """
    return covariance_of_differences(*difference_moments(image, direction=direction, keep=keep))


def covariance_of_differences(count: int, total: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Turn the sums of `difference_moments` into the covariance of the noise.

    Parameters
    ----------
    count : int
        Pairs, at least 2.
    total : numpy.ndarray
        ``(bands,)``, sum of the differences.
    second : numpy.ndarray
        ``(bands, bands)``, sum of their products.

    Returns
    -------
    numpy.ndarray
        ``(bands, bands)``; with fewer than three pairs per band only the diagonal, the rest 0.

    Raises
    ------
    ConfigError
        There are fewer than two pairs.
    """
    if count < 2:
        raise ConfigError(
            f"there are {count} pairs of neighbouring complete pixels", "at least 2", "Use noise_std, which needs none"
        )
    covariance = (second - np.outer(total, total) / count) / (count - 1) / 2
    if count < _PREDICTORS * len(total):
        covariance = np.diag(np.diag(covariance))
    return np.asarray(covariance)


def _image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or 0 in image.shape:
        raise ConfigError(f"the image has the shape {image.shape}", "(rows, cols, bands), at least one of each")
    return image


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

"""Errors of the reconstruction, and of images: PSNR and SSIM. A low one does not mean well unmixed."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.metrics._pairs import unit

__all__ = ["psnr", "re_rmse", "re_sam", "ssim"]

_K1, _K2 = 0.01, 0.03  # of Wang et al. (2004)


def re_rmse(Y: np.ndarray, A: np.ndarray, E: np.ndarray) -> float:
    """Measure the reconstruction: root mean squared residual of ``Y - A E^T``. Low does not mean well unmixed.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``. Non-finite residuals are left out.
    A : numpy.ndarray
        ``(pixels, endmembers)``.
    E : numpy.ndarray
        ``(bands, endmembers)``.

    Returns
    -------
    float
        In the units of the data.
    """
    residual = np.asarray(Y, dtype=np.float64) - np.asarray(A, dtype=np.float64) @ np.asarray(E, dtype=np.float64).T
    return float(np.sqrt(np.mean(np.square(residual[np.isfinite(residual)]))))


def re_sam(Y: np.ndarray, A: np.ndarray, E: np.ndarray) -> float:
    """Measure the reconstruction: mean spectral angle between pixels and ``A E^T``.

    Parameters
    ----------
    Y, A, E : numpy.ndarray
        As in `re_rmse`; pixels with a non-finite value are left out.

    Returns
    -------
    float
        Radians.
    """
    Y = np.asarray(Y, dtype=np.float64)
    fitted = np.asarray(A, dtype=np.float64) @ np.asarray(E, dtype=np.float64).T
    good = np.isfinite(Y).all(axis=1) & np.isfinite(fitted).all(axis=1)
    left, right = unit(Y[good].T), unit(fitted[good].T)
    angles = 2 * np.arctan2(np.linalg.norm(left - right, axis=0), np.linalg.norm(left + right, axis=0))
    return float(angles.mean())


def psnr(image: np.ndarray, truth: np.ndarray, *, data_range: float) -> float:
    """Measure a map or image: peak signal to noise ratio, ``10 log10(data_range^2 / MSE)``.

    Parameters
    ----------
    image, truth : numpy.ndarray
        Any shape, the same. Values not finite in either are left out.
    data_range : float
        Distance from the lowest to the highest possible value: 1 for abundances; for spectra the largest value of
        the noise-free data. There is no default: libraries guess it from the type and get 2 for floats.

    Returns
    -------
    float
        dB; infinite for no error.

    Raises
    ------
    ConfigError
        Shapes differ, nothing is valid in both, or the range is not positive.
    """
    image, truth = _images(image, truth, data_range)
    good = np.isfinite(image) & np.isfinite(truth)
    error = float(np.mean(np.square(image[good] - truth[good])))
    return 10 * float(np.log10(data_range**2 / error)) if error else float("inf")


def ssim(image: np.ndarray, truth: np.ndarray, *, data_range: float, window: int = 7) -> float:
    """Measure a map: mean structural similarity (Wang, Bovik, Sheikh and Simoncelli, 2004).

    Uniform window, sample covariances, ``K1 = 0.01``, ``K2 = 0.03``; windows across the edge or with a missing
    value are left out of the mean.

    Parameters
    ----------
    image, truth : numpy.ndarray
        ``(rows, cols)``. NaN where missing.
    data_range : float
        As in `psnr`: 1 for abundances.
    window : int
        Side of the window, pixels; odd, at least 3.

    Returns
    -------
    float
        At most 1; NaN when no whole window is valid.

    Raises
    ------
    ConfigError
        Shapes differ or are no maps, nothing is valid in both, or range or window do not fit.
    """
    from scipy.ndimage import uniform_filter

    image, truth = _images(image, truth, data_range)
    if image.ndim != 2 or window < 3 or window % 2 == 0:
        raise ConfigError(
            f"shape {image.shape} and window {window}", "(rows, cols) and an odd window of 3 or more", "Give one map"
        )
    if min(image.shape) < window:
        return float("nan")
    good = np.isfinite(image) & np.isfinite(truth)
    x, y = np.where(good, image, 0.0), np.where(good, truth, 0.0)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(uniform_filter(values, size=window, mode="constant"))

    count = window * window
    unbiased = count / (count - 1)
    mx, my = mean(x), mean(y)
    vx, vy = unbiased * (mean(x * x) - mx * mx), unbiased * (mean(y * y) - my * my)
    vxy = unbiased * (mean(x * y) - mx * my)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    similar = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    whole = mean(good.astype(np.float64)) > 1 - 0.5 / count  # outside counts as missing
    return float(similar[whole].mean()) if whole.any() else float("nan")


def _images(image: np.ndarray, truth: np.ndarray, data_range: float) -> tuple[np.ndarray, np.ndarray]:
    image, truth = np.asarray(image, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if image.shape != truth.shape:
        raise ConfigError(f"images of shape {image.shape} and {truth.shape}", "the same shape", "Align them first")
    if not data_range > 0:
        raise ConfigError(f"data_range={data_range}", "a positive number", "Give 1 for abundances")
    if not (np.isfinite(image) & np.isfinite(truth)).any():
        raise ConfigError("no value is valid in both images", "at least one", "See which pixels are NaN")
    return image, truth

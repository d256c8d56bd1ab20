"""Column stripes of push-broom sensors: what each detector adds and multiplies, told from what no material explains."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.mnf import mnf_from_moments
from hsgeo.spectra.noise import noise_from_moments

__all__ = [
    "StripeFrame",
    "Stripes",
    "column_sums",
    "correct_columns",
    "find_stripes",
    "frame_sums",
    "stripe_frame",
    "stripes_of",
]

_SHARE = 10  # bands per direction that is granted to the scene: each keeps its share of the stripes
_CLIP = 4.0  # standard deviations: what a pixel may say at most, so that a rare material in a few rows is outvoted
_SURE = 4.0  # standard deviations above 0 of the agreement of two halves, below which there are no stripes
_ROWS = 8  # rows converted to float64 at a time: 15 MB of 1000 columns and 230 bands
_NARROWER = (101, 31, 11)  # columns of the running mean where the scene shows through; 0.1, 0.2, 0.3 of stripes remain
_SMOOTH = 0.2  # correlation from column to column above which the scene shows through
_COLUMNS = 8  # with fewer, chance agreement passes any threshold
_MAD = 1.4826  # of a normal distribution: standard deviation over median absolute deviation
_MARGIN = 1.5  # eigenvalues spread beyond the asymptotic edge, the more as stripes differ from band to band


class StripeFrame(NamedTuple):
    """What the scene as a whole says before columns are looked at. Built by `stripe_frame`.

    Parameters
    ----------
    basis : numpy.ndarray
        ``(bands, dimensions)`` orthonormal: the directions that belong to the scene.
    level : numpy.ndarray
        ``(bands,)``, mean of the data, where offset and gain are told apart.
    spread : numpy.ndarray
        ``(bands,)``, standard deviation of what the basis leaves over.
    middle : numpy.ndarray
        ``()``, the mean row of complete pixels: rows before it are one half, the others the other.
    """

    basis: np.ndarray
    level: np.ndarray
    spread: np.ndarray
    middle: np.ndarray


class Stripes(NamedTuple):
    """What is wrong with every column: ``measured = true + offset + gain * (measured - level)``.

    Parameters
    ----------
    offset : numpy.ndarray
        ``(bands, cols)``, units of the data, at ``level``.
    gain : numpy.ndarray
        ``(bands, cols)``, 1.
    level : numpy.ndarray
        ``(bands,)``, mean of the data.
    """

    offset: np.ndarray
    gain: np.ndarray
    level: np.ndarray


def frame_sums(image: np.ndarray, *, row: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sum up what `stripe_frame` needs; sums of blocks of rows can be added.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``; pixels with a non-finite value are left out.
    row : int
        Absolute number of the first row.

    Returns
    -------
    count : numpy.ndarray
        ``(cols,)`` float64, complete pixels.
    total : numpy.ndarray
        ``(bands, cols)`` float64.
    products : numpy.ndarray
        ``(bands, bands)`` float64, sum of ``y y^T``.
    rows_total : numpy.ndarray
        ``()`` float64, sum of the absolute rows of the complete pixels.

    Raises
    ------
    ConfigError
        The image has another shape.
    """
    image = np.asarray(image)
    if image.ndim != 3 or 0 in image.shape:
        raise ConfigError(f"the image has the shape {image.shape}", "(rows, cols, bands), at least one of each")
    rows, cols, bands = image.shape
    count, total, products = np.zeros(cols), np.zeros((cols, bands)), np.zeros((bands, bands))
    rows_total = 0.0
    for start in range(0, rows, _ROWS):
        block = np.asarray(image[start : start + _ROWS], np.float64)
        valid = np.asarray(np.isfinite(block).all(axis=2))
        block = np.where(valid[..., None], block, 0.0)
        count += valid.sum(axis=0)
        rows_total += float(valid.sum(axis=1) @ np.arange(row + start, row + start + len(valid)))
        total += block.sum(axis=0)
        flat = block.reshape(-1, bands)
        products += flat.T @ flat
    return count, np.ascontiguousarray(total.T), products, np.asarray(rows_total)


def stripe_frame(count: np.ndarray, total: np.ndarray, products: np.ndarray, rows_total: np.ndarray) -> StripeFrame:
    """Find the directions of the scene: those in which pixels of one column differ, and the mean.

    About the mean of their column, pixels show what an offset does not touch, and of a gain what the contrast within
    the column shows.

    Parameters
    ----------
    count : numpy.ndarray
        ``(cols,)``, complete pixels.
    total : numpy.ndarray
        ``(bands, cols)``, their sum.
    products : numpy.ndarray
        ``(bands, bands)``, sum of ``y y^T`` (not centred).
    rows_total : numpy.ndarray
        ``()``, sum of the absolute rows of the complete pixels.

    Returns
    -------
    StripeFrame
        With as many directions as stand above noise and stripes, at least one and at most a tenth of the bands.
    """
    bands, cols = total.shape
    pixels = float(count.sum())
    mean, middle = total.sum(axis=1) / max(pixels, 1), np.asarray(rows_total / max(pixels, 1))
    if pixels < 4 or bands < 2:
        return StripeFrame(np.eye(bands), mean, np.zeros(bands), middle)
    second = products / pixels
    about = (products - (total / np.maximum(count, 1)) @ total.T) / pixels
    about[np.diag_indices(bands)] = np.maximum(np.diag(about), 0.0)  # a constant band: 0 but for rounding
    transform = mnf_from_moments(int(pixels), np.zeros(bands), about, noise=noise_from_moments(int(pixels), about))
    # stripes are the same in every row, so their eigenvalues spread as those of `cols` samples, not of all pixels
    edge = _MARGIN * (1 + np.sqrt(bands / cols)) ** 2
    # one more than the centred count: the mean is a direction of the scene too
    dimension = min(int((transform.eigenvalues > edge).sum()) + 1, max(1, bands // _SHARE))
    basis = np.linalg.qr(np.column_stack([mean, transform.inverse[: dimension - 1].T]))[0]
    left = second - basis @ (basis.T @ second)
    left = left - (left @ basis) @ basis.T
    return StripeFrame(basis, mean, np.sqrt(np.maximum(np.diag(left), 0.0)), middle)


def column_sums(image: np.ndarray, frame: StripeFrame, *, row: int = 0) -> np.ndarray:
    """Sum up, column by column, what the directions of the scene leave over; sums of blocks of rows can be added.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``; pixels with a non-finite value are left out.
    frame : StripeFrame
        From `stripe_frame`.
    row : int
        Absolute number of the first row.

    Returns
    -------
    numpy.ndarray
        ``(2, 5, bands, cols)`` float64: for two halves of the rows the sums of 1, x, x^2, e, x e, where ``e`` is left
        over (clipped at four times ``frame.spread``) and ``x`` what the scene explains minus ``frame.level``.

    Raises
    ------
    ConfigError
        The image has another shape.
    """
    image = np.asarray(image)
    bands = len(frame.level)
    if image.ndim != 3 or image.shape[2] != bands:
        raise ConfigError(f"the image has the shape {image.shape}", f"(rows, cols, {bands})")
    rows, cols, _ = image.shape
    sums = np.zeros((2, 5, cols, bands))
    limit = _CLIP * frame.spread
    for first in range(0, rows, _ROWS):
        block_rows = np.arange(row + first, row + min(first + _ROWS, rows))
        for half, inside in enumerate((block_rows < frame.middle, block_rows >= frame.middle)):
            block = np.asarray(image[first : first + _ROWS][inside], np.float64)
            valid = np.asarray(np.isfinite(block).all(axis=2))
            block = np.where(valid[..., None], block, frame.level)
            explained = (block @ frame.basis) @ frame.basis.T
            e = np.where(valid[..., None], np.clip(block - explained, -limit, limit), 0.0)
            # not the value itself: its noise is in the remainder too, and would pass for a gain
            x = np.where(valid[..., None], explained - frame.level, 0.0)
            for place, term in enumerate((np.broadcast_to(valid[..., None], x.shape), x, x * x, e, x * e)):
                sums[half, place] += term.sum(axis=0)
    return np.ascontiguousarray(np.moveaxis(sums, -1, -2))


def stripes_of(sums: np.ndarray, frame: StripeFrame, *, window: int = 401, gain: bool = True) -> Stripes:
    """Turn sums over columns into what each column adds and multiplies.

    What a column leaves over is regressed on what is explained. The upper and the lower half of the image are
    measured apart: where they do not agree, there are no stripes and the band is not touched; else the variance that
    they share is the stripes', and every column is shrunk by its own uncertainty (Wiener). Patterns wider than
    ``window`` are left to the scene, and narrower ones as long as they go on from column to column.

    Parameters
    ----------
    sums : numpy.ndarray
        ``(2, 5, bands, cols)`` from `column_sums`.
    frame : StripeFrame
        The one that the sums were made with.
    window : int
        Most columns of the running mean that is taken off; about ``window ** -0.5`` of white stripes remains.
    gain : bool
        Whether columns may multiply as well as add.

    Returns
    -------
    Stripes
        Exactly 0 in bands without stripes.

    Raises
    ------
    ConfigError
        Shapes do not fit or the window is smaller than 3.
    """
    sums = np.asarray(sums, np.float64)
    if sums.ndim != 4 or sums.shape[:3] != (2, 5, len(frame.level)) or window < 3:
        raise ConfigError(
            f"sums of the shape {sums.shape} with window={window}",
            f"(2, 5, {len(frame.level)}, cols) and a window of at least 3 columns",
        )
    offset, slope = np.zeros(sums.shape[2:]), np.zeros(sums.shape[2:])
    whole = sums.sum(axis=0)
    for b in range(sums.shape[2]):
        n, x, xx = whole[:3, b]
        inner = xx - x * x / np.maximum(n, 1)  # what the slope is told from
        found = _wiener([_slope(*half[:, b]) for half in (*sums, whole)], inner, window=window) if gain else None
        if found is not None:
            slope[b] = found
        # the offset at the level of the band, with whatever slope was believed
        values = []
        for half in (*sums, whole):
            count = np.maximum(half[0, b], 1)
            values.append(np.where(half[0, b] > 0, half[3, b] / count - slope[b] * half[1, b] / count, np.nan))
        found = _wiener(values, n, window=window)
        if found is not None:
            offset[b] = found
    return Stripes(offset, slope, frame.level)


def _slope(n: np.ndarray, x: np.ndarray, xx: np.ndarray, e: np.ndarray, xe: np.ndarray) -> np.ndarray:
    """Return the slope of ``e`` along ``x`` from sums, NaN where it cannot be told."""
    with np.errstate(invalid="ignore", divide="ignore"):
        inner = xx - x * x / n
        return np.where((n > 2) & (inner > 1e-9 * xx), (xe - x * e / n) / inner, np.nan)


def _wiener(values: list[np.ndarray], weight: np.ndarray, *, window: int) -> np.ndarray | None:
    """Shrink ``values[2] (cols,)`` by what ``values[0]`` and ``values[1]`` of two halves confirm; None: no stripes.

    The variance of the error of ``values[2]`` goes with ``1 / weight``; how large it is, the halves tell too. Stripes
    differ from column to column: where what the halves share is smooth, a narrower running mean is taken off.
    """
    known = np.isfinite(values).all(axis=0) & (weight > 0)
    if known.sum() < _COLUMNS:
        return None
    for size in (window, *(narrower for narrower in _NARROWER if narrower < window)):
        one, other, both = (_high_pass(value, weight * known, size) for value in values)
        # every column weighs as it is told, but none more than a wild one may say
        w = np.sqrt(weight * known)
        a, c = _clipped(one * w, known), _clipped(other * w, known)
        shared, power = float(a @ c), float(np.sqrt((a @ a) * (c @ c)))
        if power <= 0 or shared < _SURE / np.sqrt(known.sum()) * power:
            return None
        if float(a[1:] @ c[:-1] + a[:-1] @ c[1:]) / 2 < _SMOOTH * shared:
            break
    else:
        return None
    variance = shared / float(w @ w)
    noise = float(np.mean(np.square(a - c)[known])) / 4  # each half has twice the variance of both together
    return np.asarray(np.where(known, variance * both / (variance + noise / np.where(known, weight, 1.0)), 0.0))


def _clipped(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    spread = _MAD * float(np.median(np.abs(values[known] - np.median(values[known]))))
    return np.asarray(np.where(known, np.clip(values, -_CLIP * spread, _CLIP * spread), 0.0))


def _high_pass(values: np.ndarray, weight: np.ndarray, window: int) -> np.ndarray:
    """Take the weighted running mean off; windows shrink at the ends."""
    values = np.where(weight > 0, values, 0.0)
    place = np.arange(len(values))
    start, stop = np.maximum(place - window // 2, 0), np.minimum(place + window // 2 + 1, len(values))
    above, below = (np.concatenate([[0.0], np.cumsum(part)]) for part in (weight * values, weight))
    total = below[stop] - below[start]
    return np.asarray(values - np.where(total > 0, (above[stop] - above[start]) / np.where(total > 0, total, 1.0), 0.0))


def find_stripes(image: np.ndarray, *, window: int = 401, gain: bool = True) -> Stripes:
    """Find the column stripes of an image.

    After Acito, Diani and Corsini, "Subspace-based striping noise reduction in hyperspectral images" (2011): the
    materials of a scene span few directions, stripes differ from band to band and so leave that subspace. What they
    have inside it stays: of independent stripes a share of about ``sqrt(dimensions / bands)``, and all of those that
    are alike in every band (a speck on the slit).

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``; pixels with a non-finite value are left out. Columns are detectors: an image in
        sensor geometry.
    window : int
        Most columns of the running mean that is taken off; wider patterns are left to the scene.
    gain : bool
        Whether columns may multiply as well as add.

    Returns
    -------
    Stripes
        For `correct_columns`; exactly 0 in bands without stripes.

    Raises
    ------
    ConfigError
        The image has another shape.
    """
    frame = stripe_frame(*frame_sums(image))
    return stripes_of(column_sums(image, frame), frame, window=window, gain=gain)


def correct_columns(Y: np.ndarray, stripes: Stripes, *, col: np.ndarray) -> np.ndarray:
    """Take the stripes out of pixels, each by itself.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)``; missing values stay missing.
    stripes : Stripes
        From `find_stripes`.
    col : numpy.ndarray
        ``(pixels,)``, the column of each pixel; negative for padding, which stays as it is.

    Returns
    -------
    numpy.ndarray
        ``(bands, pixels)`` float32.

    Raises
    ------
    ConfigError
        There is a column beyond those that were measured, or the bands differ.
    """
    Y, col = np.asarray(Y, np.float64), np.asarray(col)
    bands, cols = stripes.offset.shape
    if Y.ndim != 2 or len(Y) != bands or (col >= cols).any():
        raise ConfigError(
            f"pixels of the shape {Y.shape} up to column {int(col.max(initial=-1))}",
            f"(bands, pixels) with {bands} bands, within the {cols} columns that stripes are known of",
            "Find the stripes on images of the same sensor and width",
        )
    excess = stripes.offset[:, col] + stripes.gain[:, col] * (Y - stripes.level[:, None])
    return np.asarray(Y - np.where(col >= 0, excess, 0.0), np.float32)

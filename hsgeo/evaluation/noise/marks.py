"""Marks that a method leaves in maps: stripes along the columns, and the lattice of its windows."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["border_measure", "stripe_measure"]


def stripe_measure(image: np.ndarray) -> float:
    """Tell how striped a map is: high-pass power of its column means over that of its row means.

    Column means average what differs from row to row, so that a stripe remains while texture fades; their first
    differences leave out what changes slowly. Means over ``n`` pixels of independent values have a power of ``1 / n``
    of theirs, which is divided out: 1 where columns are like rows, above where the columns are striped.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols)``; pixels that are not finite are left out.

    Returns
    -------
    float
        The ratio; infinity where only columns differ, 1 where nothing does.

    Raises
    ------
    ConfigError
        The map has fewer than two rows or columns, or no two finite pixels side by side in either direction.
    """
    image = _checked(image)
    if min(image.shape) < 2:
        raise ConfigError(f"a map of {image.shape[0]} x {image.shape[1]} pixels", "at least two rows and columns")
    columns, rows = _power(image), _power(image.T)
    if rows == 0:
        return 1.0 if columns == 0 else float("inf")
    return columns / rows


def _power(image: np.ndarray) -> float:
    """Mean squared first difference along a row, of the mean over the rows, times their number."""
    steps = np.diff(image, axis=1)
    count = np.isfinite(steps).sum(axis=0)
    if not count.any():
        raise ConfigError("no two finite pixels side by side", "a map with some", "Mask less")
    means = np.nansum(steps, axis=0)[count > 0] / np.sqrt(count[count > 0])  # of variance that of a single step
    return float(np.mean(means**2))


def border_measure(image: np.ndarray, window: int) -> float:
    """Tell how visible the borders of windows are: mean gradient across them over that elsewhere.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols)``; pixels that are not finite are left out.
    window : int
        Side of the windows whose lattice begins at the first pixel: borders lie before rows and columns
        ``window``, ``2 * window`` and so on.

    Returns
    -------
    float
        The ratio of the mean absolute differences of neighbours; 1 where the lattice leaves no mark, infinity where
        the map changes at borders alone, 1 where it changes nowhere.

    Raises
    ------
    ConfigError
        The window has fewer than two pixels, or the map has no border or nothing else.
    """
    image = _checked(image)
    if window < 2:
        raise ConfigError(f"windows of {window} pixels", "at least 2")
    total, count = np.zeros(2), np.zeros(2)
    for axis in (0, 1):
        steps = np.abs(np.diff(image, axis=axis))
        at = np.arange(1, image.shape[axis]) % window == 0
        for k, chosen in enumerate((at, ~at)):
            part = np.compress(chosen, steps, axis=axis)
            total[k] += np.nansum(part)
            count[k] += np.isfinite(part).sum()
    if not count.all():
        raise ConfigError(
            f"a map of {image.shape[0]} x {image.shape[1]} pixels with windows of {window}",
            "finite pixels on both sides of a border, and elsewhere",
            "Use a smaller window",
        )
    border, inside = total / count
    if inside == 0:
        return 1.0 if border == 0 else float("inf")
    return float(border / inside)


def _checked(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image, np.float64)
    if image.ndim != 2:
        raise ConfigError(f"a map of shape {image.shape}", "(rows, cols)")
    return np.where(np.isfinite(image), image, np.nan)

"""Marks that a method leaves in maps: stripes along the columns, and the lattice of its windows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["Borders", "border_measure", "borders", "stripe_measure"]


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
        ``(rows, cols)``, or maps ``(maps, rows, cols)`` that are measured together; pixels that are not finite are
        left out.
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
    total, count = _steps(image, window)
    border, inside = _ratios(total, count)
    if np.isnan(border[0]) or np.isnan(inside[0]):
        raise ConfigError(
            f"a map of {image.shape[-2]} x {image.shape[-1]} pixels with windows of {window}",
            "finite pixels on both sides of a border, and elsewhere",
            "Use a smaller window",
        )
    if inside[0] == 0:
        return 1.0 if border[0] == 0 else float("inf")
    return float(border[0] / inside[0])


class Borders(NamedTuple):
    """What the lattice of the windows leaves in maps.

    Parameters
    ----------
    estimate, truth : float
        Gradient at the borders over that inside (`border_measure`), of the estimate and of the truth: edges of the
        land on the lattice are in both.
    spread : float
        Standard deviation of their quotient over all other places of the lattice, where no window ends: what content
        and noise alone make of it.
    """

    estimate: float
    truth: float
    spread: float


def borders(estimate: np.ndarray, truth: np.ndarray, window: int) -> Borders | None:
    """Measure the marks of windows beside what the truth has at the same places.

    Parameters
    ----------
    estimate, truth : numpy.ndarray
        Maps ``(maps, rows, cols)``.
    window : int
        As in `border_measure`.

    Returns
    -------
    Borders or None
        None where the maps have fewer than two borders in each direction, or no contrast.

    Raises
    ------
    ConfigError
        The window has fewer than two pixels.
    """
    if 2 * window >= min(estimate.shape[-2:]):
        return None
    ratios = []
    for maps in (estimate, truth):
        border, inside = _ratios(*_steps(maps, window))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(border / inside)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = (ratios[0] / ratios[1])[1:]
    quotient = quotient[np.isfinite(quotient)]
    if not np.isfinite([ratios[0][0], ratios[1][0]]).all() or not quotient.size:
        return None
    return Borders(float(ratios[0][0]), float(ratios[1][0]), float(quotient.std()))


def _steps(image: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum up absolute differences of neighbours, and count them, by their place in the window: ``(window,)`` each."""
    image = np.asarray(image, np.float64)
    if image.ndim not in (2, 3):
        raise ConfigError(f"a map of shape {image.shape}", "(rows, cols) or (maps, rows, cols)")
    if window < 2:
        raise ConfigError(f"windows of {window} pixels", "at least 2")
    image = np.where(np.isfinite(image), image, np.nan)
    total, count = np.zeros(window), np.zeros(window)
    for axis in (-2, -1):
        steps = np.abs(np.diff(image, axis=axis))
        others = tuple(k for k in range(steps.ndim) if k != steps.ndim + axis)
        place = np.arange(1, image.shape[axis]) % window
        np.add.at(total, place, np.nansum(steps, axis=others))
        np.add.at(count, place, np.isfinite(steps).sum(axis=others))
    return total, count


def _ratios(total: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean step at each place in the window, and that at all other places; NaN where there is none."""
    with np.errstate(invalid="ignore"):
        return total / count, (total.sum() - total) / (count.sum() - count)


def _checked(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image, np.float64)
    if image.ndim != 2:
        raise ConfigError(f"a map of shape {image.shape}", "(rows, cols)")
    return np.where(np.isfinite(image), image, np.nan)

"""Noise levels: the tables that a network is trained on, and the falling levels that a sampler walks down."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = [
    "alpha_bar_of",
    "checked_levels",
    "cosine_vp",
    "edm_levels",
    "entered",
    "linear_vp",
    "sigma_of",
    "sub_levels",
]

Floats = npt.NDArray[np.float64]


def sigma_of(alpha_bar: npt.ArrayLike) -> Floats:
    """Turn the share of signal of a variance-preserving step into a level: ``sqrt((1 - alpha_bar) / alpha_bar)``.

    Parameters
    ----------
    alpha_bar : array_like
        Above 0, at most 1; any shape.

    Returns
    -------
    numpy.ndarray
        Standard deviation of the noise beside data of weight one, float64, same shape.

    Raises
    ------
    ConfigError
        If a value is outside.
    """
    share = np.asarray(alpha_bar, dtype=np.float64)
    if not np.all((share > 0) & (share <= 1)):
        raise ConfigError(f"alpha_bar has values from {_range(share)}", "values above 0, at most 1")
    return np.sqrt((1 - share) / share)


def alpha_bar_of(sigma: npt.ArrayLike) -> Floats:
    """Turn a level into the share of signal of a variance-preserving step: ``1 / (1 + sigma**2)``.

    Parameters
    ----------
    sigma : array_like
        0 or more, finite; any shape.

    Returns
    -------
    numpy.ndarray
        The share, float64, same shape; `sigma_of` takes it back.

    Raises
    ------
    ConfigError
        If a level is negative or not finite.
    """
    level = np.asarray(sigma, dtype=np.float64)
    if not np.all((level >= 0) & np.isfinite(level)):
        raise ConfigError(f"noise levels from {_range(level)}", "finite values, 0 or more")
    return 1 / (1 + level**2)


def linear_vp(steps: int = 1000, *, beta: tuple[float, float] = (1e-4, 2e-2)) -> Floats:
    """Make the table of DDPM: the variance added per step grows linearly (Ho et al., 2020).

    Parameters
    ----------
    steps : int
        Number of steps, 2 or more.
    beta : tuple of float
        Variance that the first and the last step add, between 0 and 1. The default belongs to 1000 steps.

    Returns
    -------
    numpy.ndarray
        Levels ``(steps,)``, rising.

    Raises
    ------
    ConfigError
        If steps or variances are outside.
    """
    _steps(steps)
    first, last = beta
    if not 0 < first <= last < 1:
        raise ConfigError(f"beta from {first} to {last}", "0 < first <= last < 1")
    return _of_betas(np.linspace(first, last, steps))


def cosine_vp(steps: int = 1000, *, offset: float = 0.008, most: float = 0.999) -> Floats:
    """Make the table whose share of signal falls like a squared cosine (Nichol and Dhariwal, 2021, eq. 17).

    Parameters
    ----------
    steps : int
        Number of steps, 2 or more.
    offset : float
        Keeps the first steps from being too small to learn from, 0 or more.
    most : float
        Largest variance that a step adds, between 0 and 1: the cosine itself would leave no signal at the end.

    Returns
    -------
    numpy.ndarray
        Levels ``(steps,)``, rising.

    Raises
    ------
    ConfigError
        If a parameter is outside.
    """
    _steps(steps)
    if not (offset >= 0 and math.isfinite(offset)) or not 0 < most < 1:
        raise ConfigError(f"offset {offset} and most {most}", "an offset of 0 or more, and most between 0 and 1")
    angle = (np.linspace(0, 1, steps + 1) + offset) / (1 + offset) * (math.pi / 2)
    share = np.cos(angle) ** 2
    return _of_betas(np.minimum(1 - share[1:] / share[:-1], most))


def edm_levels(n: int, *, low: float = 0.002, high: float = 80.0, rho: float = 7.0) -> Floats:
    """Make the falling levels of EDM, evenly spaced in ``sigma ** (1 / rho)`` (Karras et al., 2022, eq. 5).

    Parameters
    ----------
    n : int
        Number of levels above zero, which is the number of steps, 1 or more; one level is ``high``.
    low : float
        Last level above zero.
    high : float
        First level.
    rho : float
        How much the levels crowd towards ``low``, 1 or more; 7 balances the errors of the steps on images.

    Returns
    -------
    numpy.ndarray
        Levels ``(n + 1,)``, falling from ``high`` to 0.

    Raises
    ------
    ConfigError
        If a parameter is outside.
    """
    if n < 1:
        raise ConfigError(f"{n} noise levels", "1 or more")
    if not 0 < low < high < math.inf or not 1 <= rho < math.inf:
        raise ConfigError(f"levels from {high} down to {low}, rho {rho}", "0 < low < high, and rho of 1 or more")
    part = np.linspace(0, 1, n) if n > 1 else np.zeros(1)
    levels = (high ** (1 / rho) + part * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    levels[0] = high  # not what the powers round to
    if n > 1:
        levels[-1] = low
    return np.append(levels, 0.0)


def sub_levels(table: npt.ArrayLike, *, n: int, spacing: str = "trailing") -> Floats:
    """Choose the levels of a sampler of few steps from a training table.

    Parameters
    ----------
    table : array_like
        Rising levels ``(steps,)``, as of `linear_vp`.
    n : int
        Number of levels chosen, 1 to ``steps``.
    spacing : {"trailing", "quad", "root"}
        Where in the table: ``trailing`` evenly, with the last (Lin et al., 2024: a start at less noise than the pure
        noise one begins with is a bias); ``quad`` the square of even steps, close together where there is little
        noise (DDIM); ``root`` their root, close together where there is much (what DiffPIR's code calls quad).

    Returns
    -------
    numpy.ndarray
        Levels ``(n + 1,)``, falling from the table's last to 0.

    Raises
    ------
    ConfigError
        If the table does not rise, or there is no such number or spacing.
    """
    levels = np.asarray(table, dtype=np.float64)
    if levels.ndim != 1 or not levels.size or not np.all(np.isfinite(levels)) or levels[0] <= 0:
        raise ConfigError(f"a table of shape {levels.shape}", "rising levels (steps,) above 0")
    if np.any(np.diff(levels) <= 0):
        raise ConfigError("a table that does not rise", "levels from the least to the most noise")
    steps = levels.size
    if not 1 <= n <= steps:
        raise ConfigError(f"{n} levels of a table of {steps}", f"1 to {steps}")
    powers = {"trailing": 1.0, "quad": 2.0, "root": 0.5}
    if spacing not in powers:
        raise ConfigError(f"spacing {spacing!r}", ", ".join(powers))
    places = np.round(steps * (np.arange(1, n + 1) / n) ** powers[spacing]).astype(int) - 1
    least = np.arange(n)
    # Where the places crowd they would fall on each other: each is moved up or down to the next free one.
    places = np.maximum.accumulate(np.maximum(places, least) - least) + least
    places = np.minimum(places, steps - n + least)
    return np.append(levels[places[::-1]], 0.0)


def entered(levels: npt.ArrayLike, *, sigma: float) -> Floats:
    """Cut levels so that they begin at the noise that an estimate has already (SDEdit).

    Parameters
    ----------
    levels : array_like
        Falling levels.
    sigma : float
        Level to begin with, above 0 and at most the first.

    Returns
    -------
    numpy.ndarray
        ``sigma``, and the levels below it.

    Raises
    ------
    ConfigError
        If the levels do not fall or ``sigma`` is outside.
    """
    falling = checked_levels(levels)
    if not 0 < sigma <= falling[0]:
        raise ConfigError(f"an entry at noise level {sigma}", f"above 0, at most {falling[0]:.6g}")
    below = falling[falling < sigma]
    if not below.size:
        raise ConfigError(
            f"an entry at noise level {sigma}, where the levels end",
            f"above {falling[-1]:.6g}",
            "End the levels with 0",
        )
    return np.concatenate([[sigma], below])


def checked_levels(levels: npt.ArrayLike | Sequence[float]) -> Floats:
    """Take the levels of a sampler, or say what is wrong with them.

    Parameters
    ----------
    levels : array_like
        Two or more, falling; only the last may be 0, and then the result is clean.

    Returns
    -------
    numpy.ndarray
        The levels, float64.

    Raises
    ------
    ConfigError
        If they are fewer, do not fall, or are not finite and positive.
    """
    try:
        found = np.asarray(levels, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"noise levels {levels!r}", "falling numbers, the last may be 0") from error
    if found.ndim != 1 or found.size < 2:
        raise ConfigError(f"noise levels of shape {found.shape}", "two or more levels, one after the other")
    if not np.all(np.isfinite(found)) or found[-1] < 0 or np.any(np.diff(found) >= 0):
        raise ConfigError(
            f"noise levels {np.array2string(found, threshold=6, precision=4)}",
            "finite levels, each below the one before, the last 0 or more",
        )
    return found


def _of_betas(betas: Floats) -> Floats:
    return sigma_of(np.cumprod(1 - betas))


def _steps(steps: int) -> None:
    if steps < 2:
        raise ConfigError(f"a table of {steps} steps", "2 or more")


def _range(values: Floats) -> str:
    return f"{values.min():.6g} to {values.max():.6g}" if values.size else "none"

"""Which noise levels a training step sees: drawn by a generator that is passed in, spread evenly over the batch."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["lognormal_sigmas", "table_sigmas"]

Floats = npt.NDArray[np.float64]


def lognormal_sigmas(
    count: int,
    *,
    rng: np.random.Generator,
    mean: float = -1.2,
    std: float = 1.2,
    low: float = 0.002,
    high: float = 80.0,
    stratified: bool = True,
) -> Floats:
    """Draw levels whose logarithm is normal (Karras et al., 2022, table 1).

    Parameters
    ----------
    count : int
        Number of examples in the batch, 1 or more.
    rng : numpy.random.Generator
        Where the random numbers come from.
    mean : float
        Mean of the natural logarithm of the level.
    std : float
        Its standard deviation, above 0.
    low : float
        Least level; what falls below is moved there.
    high : float
        Largest level; what falls above is moved there.
    stratified : bool
        Whether each example of the batch has an equal part of the distribution to itself, in random order: the loss
        of a step then varies less with the levels that happen to be drawn.

    Returns
    -------
    numpy.ndarray
        Levels ``(count,)``.

    Raises
    ------
    ConfigError
        If a parameter is outside.
    """
    from scipy.special import ndtri

    if not std > 0 or not math.isfinite(mean + std) or not 0 < low < high:
        raise ConfigError(
            f"mean {mean}, std {std}, levels {low} to {high}", "finite numbers, std above 0, and 0 < low < high"
        )
    return np.clip(np.exp(mean + std * ndtri(_uniform(count, rng=rng, stratified=stratified))), low, high)


def table_sigmas(count: int, *, rng: np.random.Generator, table: npt.ArrayLike, stratified: bool = True) -> Floats:
    """Draw levels of a table, each step of it with the same probability (Ho et al., 2020, algorithm 1).

    Parameters
    ----------
    count : int
        Number of examples in the batch, 1 or more.
    rng : numpy.random.Generator
        Where the random numbers come from.
    table : array_like
        Levels ``(steps,)``, as of `hsgeo.nn.diffusion.linear_vp`.
    stratified : bool
        Whether each example of the batch has an equal part of the table to itself, in random order.

    Returns
    -------
    numpy.ndarray
        Levels ``(count,)``.

    Raises
    ------
    ConfigError
        If the table is empty or has a level that is not finite and positive, or ``count`` is below 1.
    """
    levels = np.asarray(table, dtype=np.float64)
    if levels.ndim != 1 or not levels.size or not np.all(np.isfinite(levels) & (levels > 0)):
        raise ConfigError(f"a table of shape {levels.shape}", "finite levels (steps,) above 0")
    return levels[(_uniform(count, rng=rng, stratified=stratified) * levels.size).astype(int)]


def _uniform(count: int, *, rng: np.random.Generator, stratified: bool) -> Floats:
    """Draw numbers between 0 and 1, neither included."""
    if count < 1:
        raise ConfigError(f"{count} noise levels", "1 or more")
    u = rng.random(count)
    if stratified:
        u = (rng.permutation(count) + u) / count
    return np.clip(u, np.finfo(float).tiny, 1 - np.finfo(float).epsneg)

"""Heun's method with optional churn: EDM's sampler, of order two."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.denoiser import Model
from hsgeo.nn.diffusion.steps import Noise, begun, drawn, evaluated

__all__ = ["heun"]


def heun(
    model: Model,
    x: Tensor,
    *,
    levels: npt.ArrayLike,
    cond: Any = None,
    churn: float = 0.0,
    churn_range: tuple[float, float] = (0.0, math.inf),
    churn_noise: float = 1.0,
    noise: Noise | None = None,
) -> Tensor:
    """Sample with EDM's stochastic sampler (Karras et al., 2022, algorithms 1 and 2).

    Two evaluations per step, one for the step that reaches 0.

    Parameters
    ----------
    model : callable
        ``model(x, sigma, cond) -> x0``.
    x : torch.Tensor
        State at ``levels[0]``, ``(batch, ...)``; from nothing, ``levels[0] * noise(0)``.
    levels : array_like
        Falling levels; the last may be 0.
    cond : object
        Handed on to the model; None: unconditional.
    churn : float
        How much noise is added and taken away again over all steps, 0 (none: algorithm 1) or more.
    churn_range : tuple of float
        Least and largest level at which that is done.
    churn_noise : float
        Standard deviation of that noise, above 0; a little over 1 makes up for denoisers that take away too much.
    noise : callable, optional
        ``noise(step)``, of unit variance, for steps 1, 2, ...; not asked for without churn.

    Returns
    -------
    torch.Tensor
        State at the last level, with shape, dtype and device of ``x``.

    Raises
    ------
    ConfigError
        If levels do not fall, an argument is outside, or model or noise return another shape.
    """
    if not 0 <= churn < math.inf:
        raise ConfigError(f"churn is {churn}", "0 or more, and finite")
    least, most = churn_range
    if not 0 <= least <= most:
        raise ConfigError(f"churn_range is {least} to {most}", "0 <= least <= most")
    if not 0 < churn_noise < math.inf:
        raise ConfigError(f"churn_noise is {churn_noise}", "a number above 0")
    falling = begun(x, levels=levels)
    rise = min(churn / (len(falling) - 1), math.sqrt(2) - 1)  # never more new noise than there is
    with torch.no_grad():
        for step, (level, low) in enumerate(pairwise(falling), start=1):
            high = level
            if rise and least <= level <= most:
                high = level * (1 + rise)
                x = x + churn_noise * math.sqrt(high**2 - level**2) * drawn(noise, step, like=x)
            x0 = evaluated(model, x, sigma=high, cond=cond)
            ahead = x0 + (low / high) * (x - x0)  # Euler's step; written so, it ends on x0 in every bit
            if low:
                there = evaluated(model, ahead, sigma=low, cond=cond)
                ahead = x + (low - high) / 2 * ((x - x0) / high + (ahead - there) / low)
            x = ahead
    return x

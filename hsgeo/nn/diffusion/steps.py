"""What all samplers share: a checked start, a checked evaluation, checked noise, and the step between two levels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
from torch import Tensor

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.denoiser import Model
from hsgeo.nn.diffusion.levels import checked_levels

__all__ = ["Noise", "ancestral", "begun", "drawn", "evaluated", "moved_to"]

Noise = Callable[[int], Tensor]
"""Noise of unit variance by the number of the level at which it arrives, shaped like the state.

Number 0 is left to the caller, whose start usually is ``levels[0] * noise(0)``, so that no noise is used twice. It
must give the same tensor whenever it is asked for the same number; that the samplers ask in order is no promise.
"""


def begun(x: Tensor, *, levels: npt.ArrayLike) -> list[float]:
    """Check the start of a sampler.

    Parameters
    ----------
    x : torch.Tensor
        State at the first level, ``(batch, ...)``.
    levels : array_like
        Falling levels.

    Returns
    -------
    list of float
        The levels.

    Raises
    ------
    ConfigError
        If the levels do not fall or the state is not floating point.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.dim() < 1:
        found = f"a tensor {tuple(x.shape)} of {x.dtype}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise ConfigError(f"the start of a sampler is {found}", "a floating-point tensor (batch, ...)")
    return [float(level) for level in checked_levels(levels)]


def evaluated(model: Model, x: Tensor, *, sigma: float, cond: Any) -> Tensor:
    """Denoise, and check what comes back.

    Parameters
    ----------
    model : callable
        ``model(x, sigma, cond) -> x0``.
    x : torch.Tensor
        State ``(batch, ...)``.
    sigma : float
        Its level.
    cond : object
        Handed on to the model.

    Returns
    -------
    torch.Tensor
        x0, with shape and dtype of ``x``.

    Raises
    ------
    ConfigError
        If the model returns another shape.
    """
    found = model(x, sigma, cond)
    if found.shape != x.shape:
        raise ConfigError(
            f"a denoiser that makes {tuple(found.shape)} of {tuple(x.shape)}", "a result shaped like the state"
        )
    return found.to(x.dtype)


def drawn(noise: Noise | None, step: int, *, like: Tensor) -> Tensor:
    """Ask for the noise of a step.

    Parameters
    ----------
    noise : callable or None
        ``noise(step)``.
    step : int
        Number of the level at which it arrives.
    like : torch.Tensor
        The state.

    Returns
    -------
    torch.Tensor
        With shape, dtype and device of ``like``.

    Raises
    ------
    ConfigError
        If there is no noise, or it has another shape.
    """
    if noise is None:
        raise ConfigError("a sampler that needs noise, and no noise", "noise(step) -> tensor", "Pass noise=")
    found = noise(step)
    if found.shape != like.shape:
        raise ConfigError(
            f"noise {tuple(found.shape)} in step {step}, for a state {tuple(like.shape)}", "noise shaped like the state"
        )
    return found.to(like)


def ancestral(high: float, low: float, *, sigma_data: float | None = None) -> float:
    """Say how much noise the reverse process adds between two levels (Ho et al., 2020, section 3.2).

    Parameters
    ----------
    high : float
        Level before the step.
    low : float
        Level after it, below ``high``.
    sigma_data : float, optional
        None: the lower bound of the variance, right for data that are known exactly. A number: the upper bound, right
        for Gaussian data of that standard deviation (with 1 the two choices of DDPM are these two).

    Returns
    -------
    float
        Standard deviation of the added noise.
    """
    gained = (1 - (low / high) ** 2) * low**2  # of q(x_low | x_high, x0)
    if sigma_data is None:
        return math.sqrt(gained)
    # Law of total variance: x0 itself is uncertain, and weighs 1 - low^2 / high^2.
    left = 1 / (1 / sigma_data**2 + 1 / high**2)
    return math.sqrt(gained + (1 - (low / high) ** 2) ** 2 * left)


def moved_to(low: float, x: Tensor, *, x0: Tensor, high: float, noise_std: float) -> Tensor:
    """Go to a lower level along the line through state and denoised state, leaving room for fresh noise.

    Parameters
    ----------
    low : float
        Level to go to.
    x : torch.Tensor
        State.
    x0 : torch.Tensor
        What the state looks like without its noise.
    high : float
        Level of the state.
    noise_std : float
        Standard deviation of the noise that is added afterwards, at most ``low``.

    Returns
    -------
    torch.Tensor
        State at ``sqrt(low**2 - noise_std**2)``.
    """
    left = math.sqrt(max(low**2 - noise_std**2, 0.0))
    return x0 + (left / high) * (x - x0)

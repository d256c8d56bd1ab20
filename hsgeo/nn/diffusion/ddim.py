"""DDIM: few steps from noise to a sample, with as much fresh noise as wanted."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.denoiser import Model
from hsgeo.nn.diffusion.steps import Noise, ancestral, begun, drawn, evaluated, moved_to

__all__ = ["ddim"]


def ddim(
    model: Model,
    x: Tensor,
    *,
    levels: npt.ArrayLike,
    cond: Any = None,
    eta: float = 0.0,
    noise: Noise | None = None,
) -> Tensor:
    """Sample with DDIM (Song et al., 2021, eq. 12 and 16), in the variance-exploding form.

    There a step is ``x0 + sqrt(s**2 - u**2) (x - x0) / t + u n`` from level t to s, with
    ``u = eta s sqrt(1 - s**2 / t**2)``: the same numbers as in the variance-preserving form, divided by
    ``sqrt(alpha_bar)``. With ``eta=0`` it is Euler's method for the probability flow, of order one.

    Parameters
    ----------
    model : callable
        ``model(x, sigma, cond) -> x0``.
    x : torch.Tensor
        State at ``levels[0]``, ``(batch, ...)``; from nothing, ``levels[0] * noise(0)``.
    levels : array_like
        Falling levels; the last may be 0. One evaluation each, the last excepted.
    cond : object
        Handed on to the model; None: unconditional.
    eta : float
        Share of fresh noise, 0 (the start decides everything) to 1 (DDPM).
    noise : callable, optional
        ``noise(step)``, of unit variance, for steps 1, 2, ...; not asked for with ``eta=0``, nor to reach level 0.

    Returns
    -------
    torch.Tensor
        State at the last level, with shape, dtype and device of ``x``.

    Raises
    ------
    ConfigError
        If levels do not fall, ``eta`` is outside, or model or noise return another shape.
    """
    if not 0 <= eta <= 1:
        raise ConfigError(f"eta is {eta}", "0 to 1")
    falling = begun(x, levels=levels)
    with torch.no_grad():
        for step, (high, low) in enumerate(pairwise(falling), start=1):
            x0 = evaluated(model, x, sigma=high, cond=cond)
            fresh = eta * ancestral(high, low)
            x = moved_to(low, x, x0=x0, high=high, noise_std=fresh)
            if fresh:
                x = x + fresh * drawn(noise, step, like=x)
    return x

"""DDPM: the ancestral sampler, which adds all the noise that the reverse process has."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.denoiser import Model
from hsgeo.nn.diffusion.steps import Noise, ancestral, begun, drawn, evaluated

__all__ = ["ddpm"]


def ddpm(
    model: Model,
    x: Tensor,
    *,
    levels: npt.ArrayLike,
    noise: Noise,
    cond: Any = None,
    sigma_data: float | None = None,
) -> Tensor:
    """Sample with DDPM (Ho et al., 2020, algorithm 2), in the variance-exploding form.

    From level t to s the mean is ``x0 + (s / t)**2 (x - x0)``. As there, the step that reaches 0 adds no noise.

    Parameters
    ----------
    model : callable
        ``model(x, sigma, cond) -> x0``.
    x : torch.Tensor
        State at ``levels[0]``, ``(batch, ...)``; from nothing, ``levels[0] * noise(0)``.
    levels : array_like
        Falling levels; the last may be 0. One evaluation each, the last excepted.
    noise : callable
        ``noise(step)``, of unit variance, for steps 1, 2, ...
    cond : object
        Handed on to the model; None: unconditional.
    sigma_data : float, optional
        None: the lower bound of the added variance, which is DDIM's with ``eta=1``. The standard deviation of the data:
        the upper bound, which makes up for few steps where the data are about Gaussian.

    Returns
    -------
    torch.Tensor
        State at the last level, with shape, dtype and device of ``x``.

    Raises
    ------
    ConfigError
        If levels do not fall, ``sigma_data`` is not positive, or model or noise return another shape.
    """
    if sigma_data is not None and not 0 < sigma_data < math.inf:
        raise ConfigError(f"sigma_data is {sigma_data}", "the standard deviation of the data, above 0, or None")
    falling = begun(x, levels=levels)
    with torch.no_grad():
        for step, (high, low) in enumerate(pairwise(falling), start=1):
            x0 = evaluated(model, x, sigma=high, cond=cond)
            x = x0 + (low / high) ** 2 * (x - x0)
            if low:
                x = x + ancestral(high, low, sigma_data=sigma_data) * drawn(noise, step, like=x)
    return x

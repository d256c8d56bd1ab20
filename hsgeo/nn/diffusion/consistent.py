"""DiffPIR: sample from a prior while every clean estimate is pulled towards the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.denoiser import Model
from hsgeo.nn.diffusion.steps import Noise, begun, drawn, evaluated, moved_to

__all__ = ["DataStep", "diffpir", "with_data"]

DataStep = Callable[[Tensor, float], Tensor]
"""``data_step(z, rho)``: the x that minimises ``|y - H x|**2 + rho |x - z|**2``, shaped like ``z``."""


def with_data(
    model: Model, *, data_step: DataStep, noise_level: float, lam: float = 1.0, floor: float | None = None
) -> Model:
    """Make a denoiser that listens to the data, for any sampler: what the prior says, then the data step.

    The weight of the prior is ``rho = lam * noise_level**2 / sigma**2`` (Zhu et al., 2023, eq. 13): the data rule while
    the state is noisier than they are, and fade below.

    Parameters
    ----------
    model : callable
        ``model(x, sigma, cond) -> x0``.
    data_step : callable
        ``data_step(z, rho)``, the x that minimises ``|y - H x|**2 + rho |x - z|**2``.
    noise_level : float
        Standard deviation of the noise of the data, in units of ``y``, above 0.
    lam : float
        Weight of the prior, above 0; 1 is what the noise asks for if the denoiser errs by ``sigma``.
    floor : float, optional
        Levels of the state at and below which the data step is left out; by default ``noise_level`` (as DiffPIR:
        what is left of the noise there is less than the data could tell). 0: never.

    Returns
    -------
    callable
        ``model(x, sigma, cond) -> x0``; ``sigma`` has to be one number.

    Raises
    ------
    ConfigError
        If an argument is outside, or the data step returns another shape.
    """
    for label, value in (("noise_level", noise_level), ("lam", lam)):
        if not 0 < value < math.inf:
            raise ConfigError(f"{label} is {value}", "a number above 0")
    least = noise_level if floor is None else floor
    if not 0 <= least < math.inf:
        raise ConfigError(f"floor is {floor}", "0 or more, or None")

    def listening(x: Tensor, sigma: float | Tensor, cond: Any, /) -> Tensor:
        if isinstance(sigma, Tensor) and sigma.numel() != 1:
            raise ConfigError(f"{sigma.numel()} noise levels in one data step", "one level for the whole batch")
        level = float(sigma)
        z = evaluated(model, x, sigma=level, cond=cond)
        return fitted(data_step, z, rho=lam * (noise_level / level) ** 2) if level > least else z

    return listening


def diffpir(
    model: Model,
    x: Tensor,
    *,
    levels: npt.ArrayLike,
    data_step: DataStep,
    noise_level: float,
    noise: Noise | None = None,
    cond: Any = None,
    lam: float = 7.0,
    zeta: float = 0.3,
    floor: float | None = None,
    end_on_data: bool = False,
) -> Tensor:
    """Sample with DiffPIR (Zhu et al., 2023, algorithm 1), in the variance-exploding form.

    From level t to s: ``x0' = data_step(x0, rho)``, then ``x0' + s (sqrt(1 - zeta) (x - x0') / t + sqrt(zeta) n)``.

    Parameters
    ----------
    model : callable
        ``model(x, sigma, cond) -> x0``.
    x : torch.Tensor
        State at ``levels[0]``, ``(batch, ...)``; from an estimate, ``estimate + levels[0] * noise(0)``.
    levels : array_like
        Falling levels; the last may be 0. One evaluation each, the last excepted.
    data_step : callable
        ``data_step(z, rho)``, the x that minimises ``|y - H x|**2 + rho |x - z|**2``.
    noise_level : float
        Standard deviation of the noise of the data, in units of ``y``, above 0.
    noise : callable, optional
        ``noise(step)``, of unit variance, for steps 1, 2, ...; not asked for with ``zeta=0``, nor to reach level 0.
    cond : object
        Handed on to the model; None: unconditional.
    lam : float
        Weight of the prior, above 0.
    zeta : float
        Share of the noise that is fresh, 0 to 1. The defaults of ``lam`` and ``zeta`` are the authors', for pictures.
    floor : float, optional
        Levels at and below which the data step is left out; by default ``noise_level``.
    end_on_data : bool
        Whether a last data step follows, with ``rho = lam``: the end is then never far from the data, where a prior
        alone would harm data that have little noise.

    Returns
    -------
    torch.Tensor
        State at the last level, with shape, dtype and device of ``x``.

    Raises
    ------
    ConfigError
        If levels do not fall, an argument is outside, or a callable returns another shape.
    """
    if not 0 <= zeta <= 1:
        raise ConfigError(f"zeta is {zeta}", "0 to 1")
    listening = with_data(model, data_step=data_step, noise_level=noise_level, lam=lam, floor=floor)
    falling = begun(x, levels=levels)
    with torch.no_grad():
        for step, (high, low) in enumerate(pairwise(falling), start=1):
            x0 = evaluated(listening, x, sigma=high, cond=cond)
            fresh = math.sqrt(zeta) * low
            x = moved_to(low, x, x0=x0, high=high, noise_std=fresh)
            if fresh:
                x = x + fresh * drawn(noise, step, like=x)
        return fitted(data_step, x, rho=lam) if end_on_data else x


def fitted(data_step: DataStep, z: Tensor, *, rho: float) -> Tensor:
    """Do a data step, and check what comes back.

    Parameters
    ----------
    data_step : callable
        ``data_step(z, rho)``.
    z : torch.Tensor
        Where the prior is, ``(batch, ...)``.
    rho : float
        Weight of the prior.

    Returns
    -------
    torch.Tensor
        The minimiser, with shape and dtype of ``z``.

    Raises
    ------
    ConfigError
        If the data step returns another shape.
    """
    found = data_step(z, rho)
    if found.shape != z.shape:
        raise ConfigError(f"a data step that makes {tuple(found.shape)} of {tuple(z.shape)}", "a result shaped like z")
    return found.to(z.dtype)

"""The loss by which a network learns to denoise, whatever it is to predict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.denoiser import Preconditioned, quarter_log, spread

__all__ = ["denoising_loss", "wanted"]


def wanted(x0: Tensor, *, sigma: float | Tensor, noise: Tensor, target: str, sigma_data: float = 1.0) -> Tensor:
    """Say what a perfect network would predict of ``x0 + sigma * noise``, knowing both parts.

    Written out for each target, for ``(x0 - c_skip * x) / c_out`` loses its digits where there is little noise.

    Parameters
    ----------
    x0 : torch.Tensor
        Clean tensor ``(batch, ...)``.
    sigma : float or torch.Tensor
        Level, one or ``(batch,)``, above 0.
    noise : torch.Tensor
        Noise of unit variance, shaped like ``x0``.
    target : {"epsilon", "v", "x0", "edm"}
        What is predicted.
    sigma_data : float
        Standard deviation of the data.

    Returns
    -------
    torch.Tensor
        The prediction, shaped like ``x0``.

    Raises
    ------
    ConfigError
        If there is no such target.
    """
    if target == "epsilon":
        return noise
    if target == "x0":
        return x0
    if target not in ("v", "edm"):
        raise ConfigError(f"a network that predicts {target!r}", "epsilon, v, x0, edm")
    level = spread(sigma, x0)
    velocity = (sigma_data * noise - level * (x0 / sigma_data)) / torch.sqrt(level**2 + sigma_data**2)
    return velocity if target == "v" else -velocity


def denoising_loss(
    network: Callable[[Tensor, Tensor, Any], Tensor],
    x0: Tensor,
    cond: Any = None,
    *,
    sigma: float | Tensor,
    noise: Tensor,
    target: str = "edm",
    sigma_data: float = 1.0,
    weights: Tensor | None = None,
    label: Callable[[Tensor], Tensor] = quarter_log,
) -> Tensor:
    """Measure how well a network predicts its target of ``x0 + sigma * noise``, example by example.

    Per example the mean of the weighted squared error of the *prediction*: Ho et al. (2020, eq. 14) for ``epsilon``,
    Karras et al. (2022, eq. 8, with their weight) for ``edm``. Levels are drawn with `hsgeo.nn.diffusion.draws`; what
    is trained here is used with `Preconditioned` of the same ``target``, ``sigma_data`` and ``label``.

    Parameters
    ----------
    network : callable
        ``network(scaled, label (batch,), cond) -> prediction``.
    x0 : torch.Tensor
        Clean tensor ``(batch, ...)``.
    cond : object
        What else the network is told, handed on as it is; None for an unconditional one.
    sigma : float or torch.Tensor
        Level, one or ``(batch,)``, above 0.
    noise : torch.Tensor
        Noise of unit variance, shaped like ``x0``.
    target : {"edm", "epsilon", "v", "x0"}
        What is predicted.
    sigma_data : float
        Standard deviation of the data.
    weights : torch.Tensor, optional
        Weights of the squared errors, which broadcast to ``x0``: 0 where a value is masked. The mean is over all
        values of an example, so weights that sum to another number than there are values scale it.
    label : callable
        How the network is told the level.

    Returns
    -------
    torch.Tensor
        Losses ``(batch,)``, at least float32.

    Raises
    ------
    ConfigError
        If shapes do not fit or an argument is outside.
    """
    if noise.shape != x0.shape:
        raise ConfigError(f"noise {tuple(noise.shape)} for data {tuple(x0.shape)}", "noise shaped like the data")
    model = Preconditioned(network, sigma_data=sigma_data, target=target, label=label)
    found = model.raw(x0 + spread(sigma, x0) * noise, sigma, cond)
    truth = wanted(x0, sigma=sigma, noise=noise, target=target, sigma_data=sigma_data)
    error = torch.square(found - truth)
    if error.dtype in (torch.float16, torch.bfloat16):
        error = error.float()
    if weights is not None:
        try:
            weighted = error * weights
        except RuntimeError as problem:
            raise _bad_weights(weights, x0) from problem
        if weighted.shape != error.shape:
            raise _bad_weights(weights, x0)
        error = weighted
    return error.flatten(1).mean(dim=1) if error.dim() > 1 else error


def _bad_weights(weights: Tensor, x0: Tensor) -> ConfigError:
    return ConfigError(
        f"weights {tuple(weights.shape)} for data {tuple(x0.shape)}", "weights that broadcast to the data"
    )

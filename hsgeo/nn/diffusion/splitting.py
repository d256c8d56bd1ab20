"""Plug-and-play splitting: alternate denoiser and data step until they agree (HQS, ADMM, RED)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.consistent import DataStep, fitted
from hsgeo.nn.diffusion.denoiser import Model
from hsgeo.nn.diffusion.steps import Noise, drawn, evaluated

__all__ = ["plug_and_play"]


def plug_and_play(
    model: Model,
    x: Tensor,
    *,
    levels: npt.ArrayLike | Sequence[float],
    data_step: DataStep,
    noise_level: float,
    cond: Any = None,
    lam: float = 1.0,
    share: float = 1.0,
    dual: bool = False,
    noise: Noise | None = None,
) -> Tensor:
    """Solve ``min |y - H x|**2 + prior`` with a denoiser in place of the prior's proximal step.

    With the defaults half-quadratic splitting (Zhang et al., 2021): ``z = D(x, sigma)``, then
    ``x = argmin |y - H x|**2 + rho |x - z|**2`` with ``rho = lam * noise_level**2 / sigma**2``. Where it stands still,
    ``H^T (H x - y) + share * rho * (x - D(x, sigma)) = 0``, which is RED's condition (Romano et al., 2017); the prior
    is that of data blurred by ``sigma``. With ``dual=True`` (ADMM, Venkatakrishnan et al., 2013) it is not blurred.
    With ``noise`` and ``share=0.25``, z is where a gradient step of length one of RED-diff (Mardani et al., 2023) leads
    under the authors' weights.

    Parameters
    ----------
    model : callable
        ``model(x, sigma, cond) -> x0``.
    x : torch.Tensor
        First estimate, ``(batch, ...)``: clean, not noisy as for the samplers.
    levels : array_like
        Levels above 0 of the denoiser, one per iteration, none above the one before; a repeated level is iterated on.
    data_step : callable
        ``data_step(z, rho)``, the x that minimises ``|y - H x|**2 + rho |x - z|**2``.
    noise_level : float
        Standard deviation of the noise of the data, in units of ``y``, above 0.
    cond : object
        Handed on to the model; None: unconditional.
    lam : float
        Weight of the prior, above 0.
    share : float
        How far z goes from x to the denoised x, above 0, at most 1.
    dual : bool
        Whether the disagreement is summed up and held against both (ADMM). The sum is scaled when the level changes.
    noise : callable, optional
        ``noise(step)``, of unit variance, for steps 1, 2, ...: the denoiser then sees ``x + sigma * noise``, which is
        what it was trained on.

    Returns
    -------
    torch.Tensor
        The estimate after the last data step, with shape, dtype and device of ``x``.

    Raises
    ------
    ConfigError
        If an argument is outside, or a callable returns another shape.
    """
    for label, value in (("noise_level", noise_level), ("lam", lam)):
        if not 0 < value < math.inf:
            raise ConfigError(f"{label} is {value}", "a number above 0")
    if not 0 < share <= 1:
        raise ConfigError(f"share is {share}", "above 0, at most 1")
    found = np.asarray(levels, dtype=np.float64)
    if found.ndim != 1 or not found.size or not np.all(np.isfinite(found) & (found > 0)) or np.any(np.diff(found) > 0):
        raise ConfigError(f"levels {np.array2string(found, threshold=6)}", "levels above 0, none above the one before")
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.dim() < 1:
        raise ConfigError("a first estimate that is no tensor of numbers", "a floating-point tensor (batch, ...)")
    sum_ = torch.zeros_like(x)
    before = float(found[0])
    with torch.no_grad():
        for step, sigma in enumerate(map(float, found), start=1):
            sum_ = sum_ * (sigma / before) ** 2  # the multiplier, rho times this, is what keeps its meaning
            start = x + sum_
            seen = start if noise is None else start + sigma * drawn(noise, step, like=x)
            z = start + share * (evaluated(model, seen, sigma=sigma, cond=cond) - start)
            x = fitted(data_step, z - sum_, rho=lam * (noise_level / sigma) ** 2)
            if dual:
                sum_ = sum_ + x - z
            before = sigma
    return x

"""From a network to a denoiser: what it is fed, what its output means, whatever it was trained to predict."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from hsgeo.errors import ConfigError

__all__ = ["TARGETS", "Model", "Preconditioned", "from_x0", "scaling", "spread", "to_x0"]

TARGETS = ("epsilon", "v", "x0", "edm")
"""What a network may predict: the noise; the velocity; the clean tensor; EDM's mixture, which is ``-v``."""


class Model(Protocol):
    """A denoiser: the expected clean tensor, given a noisy one, its noise level and what else is known."""

    def __call__(self, x: Tensor, sigma: float | Tensor, cond: Any, /) -> Tensor:
        """Take ``x (batch, ...)``, ``sigma`` a number or ``(batch,)``, and ``cond``; return x0, shaped like ``x``."""


def spread(sigma: float | Tensor, x: Tensor) -> Tensor:
    """Shape a noise level so that it multiplies a batch.

    Parameters
    ----------
    sigma : float or torch.Tensor
        Level, above 0: one for all, or ``(batch,)``.
    x : torch.Tensor
        ``(batch, ...)``.

    Returns
    -------
    torch.Tensor
        ``(batch, 1, ...)`` or a scalar, with the dtype and on the device of ``x``.

    Raises
    ------
    ConfigError
        If a level is not finite and positive, or there is not one for each example.
    """
    if not x.is_floating_point() or x.dim() < 1:
        raise ConfigError(f"a tensor {tuple(x.shape)} of {x.dtype}", "floating point, (batch, ...)")
    level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if level.dim() and level.shape != x.shape[:1]:
        raise ConfigError(f"noise levels of shape {tuple(level.shape)}", f"one number, or ({x.shape[0]},)")
    if not bool(((level > 0) & torch.isfinite(level)).all()):
        raise ConfigError("a noise level that is not above 0", "finite levels above 0")
    return level.reshape(level.shape + (1,) * (x.dim() - 1)) if level.dim() else level


def scaling(sigma: Tensor, *, target: str, sigma_data: float = 1.0) -> tuple[Tensor, Tensor]:
    """Say how a prediction becomes the clean tensor: ``x0 = c_skip * x + c_out * prediction``.

    Karras et al. (2022), table 1, column "Ours" for ``edm``; the others follow from what they predict. ``v`` is
    Salimans and Ho's (2022) velocity, for data of standard deviation ``sigma_data``.

    Parameters
    ----------
    sigma : torch.Tensor
        Levels above 0, any shape.
    target : {"epsilon", "v", "x0", "edm"}
        What is predicted.
    sigma_data : float
        Standard deviation of the data. With 1, everything is as in the variance-preserving convention.

    Returns
    -------
    tuple of torch.Tensor
        ``c_skip`` and ``c_out``, shaped like ``sigma``.

    Raises
    ------
    ConfigError
        If there is no such target, or ``sigma_data`` is not positive.
    """
    _check(target, sigma_data)
    if target == "epsilon":
        return torch.ones_like(sigma), -sigma
    if target == "x0":
        return torch.zeros_like(sigma), torch.ones_like(sigma)
    length = torch.sqrt(sigma**2 + sigma_data**2)
    c_out = sigma * sigma_data / length
    return (sigma_data / length) ** 2, c_out if target == "edm" else -c_out


def to_x0(prediction: Tensor, *, x: Tensor, sigma: float | Tensor, target: str, sigma_data: float = 1.0) -> Tensor:
    """Turn a prediction into the clean tensor.

    Parameters
    ----------
    prediction : torch.Tensor
        What a network predicted, shaped like ``x``.
    x : torch.Tensor
        Noisy tensor ``(batch, ...)``, ``x0 + sigma * noise``.
    sigma : float or torch.Tensor
        Its level, one or ``(batch,)``, above 0.
    target : {"epsilon", "v", "x0", "edm"}
        What was predicted.
    sigma_data : float
        Standard deviation of the data.

    Returns
    -------
    torch.Tensor
        x0, shaped like ``x``.

    Raises
    ------
    ConfigError
        If an argument is outside.
    """
    c_skip, c_out = scaling(spread(sigma, x), target=target, sigma_data=sigma_data)
    return c_skip * x + c_out * prediction


def from_x0(x0: Tensor, *, x: Tensor, sigma: float | Tensor, target: str, sigma_data: float = 1.0) -> Tensor:
    """Turn the clean tensor into a prediction: the inverse of `to_x0`.

    Parameters
    ----------
    x0 : torch.Tensor
        Clean tensor, shaped like ``x``.
    x : torch.Tensor
        Noisy tensor ``(batch, ...)``, ``x0 + sigma * noise``.
    sigma : float or torch.Tensor
        Its level, one or ``(batch,)``, above 0.
    target : {"epsilon", "v", "x0", "edm"}
        What is to be predicted.
    sigma_data : float
        Standard deviation of the data.

    Returns
    -------
    torch.Tensor
        The prediction, shaped like ``x``.

    Raises
    ------
    ConfigError
        If an argument is outside.
    """
    c_skip, c_out = scaling(spread(sigma, x), target=target, sigma_data=sigma_data)
    return (x0 - c_skip * x) / c_out


def quarter_log(sigma: Tensor) -> Tensor:
    """Tell a network the level as ``ln(sigma) / 4`` (Karras et al., 2022): about -1.5 to 1 over the useful range.

    Parameters
    ----------
    sigma : torch.Tensor
        Levels ``(batch,)``, above 0.

    Returns
    -------
    torch.Tensor
        Labels ``(batch,)``.
    """
    return torch.log(sigma) / 4


@dataclass(frozen=True)
class Preconditioned:
    """A network made a denoiser ``model(x, sigma, cond) -> x0`` (Karras et al., 2022, eq. 7 and 8).

    The network is called as ``network(c_in * x, label, cond)``: its input has unit variance at every level, and with
    ``target="edm"`` so has its best output. With ``sigma_data=1`` the input is that of the variance-preserving
    convention, so that a network trained there serves too, with its own ``label``.

    Parameters
    ----------
    network : callable
        ``network(scaled (batch, ...), label (batch,), cond) -> prediction``, shaped like its input.
    sigma_data : float
        Standard deviation of the data, above 0.
    target : {"edm", "epsilon", "v", "x0"}
        What the network predicts.
    label : callable
        How the network is told the level: ``label(sigma (batch,)) -> (batch,)``.

    Raises
    ------
    ConfigError
        If there is no such target, or ``sigma_data`` is not positive.
    """

    network: Callable[[Tensor, Tensor, Any], Tensor]
    sigma_data: float = 1.0
    target: str = "edm"
    label: Callable[[Tensor], Tensor] = quarter_log

    def __post_init__(self) -> None:
        _check(self.target, self.sigma_data)

    def raw(self, x: Tensor, sigma: float | Tensor, cond: Any = None) -> Tensor:
        """Return what the network predicts of ``x (batch, ...)``, which is what it is trained on."""
        level = spread(sigma, x)
        c_in = 1 / torch.sqrt(level**2 + self.sigma_data**2)
        label = self.label(level.reshape(-1).expand(x.shape[0]))
        found = self.network(c_in * x, label, cond)
        if found.shape != x.shape:
            raise ConfigError(
                f"a network that makes {tuple(found.shape)} of {tuple(x.shape)}", "an output shaped like the input"
            )
        return found.to(x.dtype)  # under autocast the network answers in fewer bits

    def __call__(self, x: Tensor, sigma: float | Tensor, cond: Any = None) -> Tensor:
        """Return the expected clean tensor, shaped like ``x (batch, ...)``."""
        found = self.raw(x, sigma, cond)
        return to_x0(found, x=x, sigma=sigma, target=self.target, sigma_data=self.sigma_data)


def _check(target: str, sigma_data: float) -> None:
    if target not in TARGETS:
        raise ConfigError(f"a network that predicts {target!r}", ", ".join(TARGETS))
    if not 0 < sigma_data < math.inf:
        raise ConfigError(f"sigma_data is {sigma_data}", "the standard deviation of the data, above 0")

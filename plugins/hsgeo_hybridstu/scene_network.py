"""The network of the mode scene: tokens through 3-D, then 2-D convolutions, one correction per endmember."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hsgeo_hybridstu.tokens import TOKENS

__all__ = ["SceneNetwork", "beginning", "packed", "unpacked"]

_SPECTRAL = ((1, 8, 7), (8, 16, 5), (16, 32, 3))  # channels in, out, bands of the kernel; each halves the tokens
_WIDTH = 64


class SceneNetwork(nn.Module):
    """Correct first abundances with what this scene's spectra and neighbours say.

    Parameters
    ----------
    endmembers : int
        Number of endmembers; their order is that of the fit.
    """

    def __init__(self, endmembers: int) -> None:
        super().__init__()
        self.spectral = nn.ModuleList(
            nn.Conv3d(a, b, (k, 3, 3), stride=(2, 1, 1), padding=(k // 2, 1, 1)) for a, b, k in _SPECTRAL
        )
        flat = _SPECTRAL[-1][1] * TOKENS // 2 ** len(_SPECTRAL)
        self.first = nn.Conv2d(flat, _WIDTH, 1)
        self.second = nn.Conv2d(_WIDTH + 2 * endmembers, _WIDTH, 3, padding=1)
        self.third = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)
        self.last = nn.Conv2d(_WIDTH, endmembers, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, tokens: Tensor, first: Tensor, reach: Tensor) -> Tensor:
        """Give the correction in units of the reach.

        Parameters
        ----------
        tokens : torch.Tensor
            ``(batch, TOKENS, y, x)``, about unit size, 0 in invalid pixels.
        first, reach : torch.Tensor
            ``(batch, endmember, y, x)``: abundances so far, and how far each may move.

        Returns
        -------
        torch.Tensor
            ``(batch, endmember, y, x)``.
        """
        h = tokens.unsqueeze(1).contiguous(memory_format=torch.channels_last_3d)
        for layer in self.spectral:
            h = functional.silu(layer(h))
        h = functional.silu(self.first(h.flatten(1, 2).contiguous(memory_format=torch.channels_last)))
        h = functional.silu(self.second(torch.cat([h, first, 10 * reach], dim=1)))  # 10: an error of 0.1 counts as one
        h = h + functional.silu(self.third(h))
        return self.last(h)


def beginning(endmembers: int, *, seed: int) -> SceneNetwork:
    """Make the network with random weights that correct nothing yet; torch's global generator is left as it was.

    Parameters
    ----------
    endmembers : int
        Number of endmembers.
    seed : int
        Of the weights.

    Returns
    -------
    SceneNetwork
        Untrained.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SceneNetwork(endmembers)


def packed(module: nn.Module) -> np.ndarray:
    """Lay all weights end to end: a plain array that survives Zarr.

    Parameters
    ----------
    module : torch.nn.Module
        Any.

    Returns
    -------
    numpy.ndarray
        ``(weight,)`` float32.
    """
    return np.concatenate([p.detach().cpu().contiguous().view(-1).numpy() for p in module.parameters()])


def unpacked(weights: np.ndarray, endmembers: int) -> SceneNetwork:
    """Make the network of `packed` weights.

    Parameters
    ----------
    weights : numpy.ndarray
        ``(weight,)`` float32.
    endmembers : int
        Number of endmembers.

    Returns
    -------
    SceneNetwork
        Ready to predict.
    """
    network: Any = beginning(endmembers, seed=0)
    torch.nn.utils.vector_to_parameters(torch.from_numpy(np.array(weights, np.float32)), network.parameters())
    return network.eval().requires_grad_(False)

"""The kernel of the mode zero: windows through the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr

from hsgeo.nn.filled import filled_part
from hsgeo.nn.simplex import onto_simplex
from hsgeo.nn.threads import one_thread
from hsgeo.plugin import ApplyContext
from hsgeo.spectra.solvers.estimate import Mixing, residual
from hsgeo_hybridstu.features import Features, features
from hsgeo_hybridstu.network import HybridSTU
from hsgeo_hybridstu.scene_network import SceneNetwork
from hsgeo_hybridstu.tokens import scene_tokens

__all__ = ["HybridStuKernel", "SceneCorrection", "corrected"]

_CELL = 16  # pixels: four halvings


@dataclass(frozen=True)
class SceneCorrection:
    """What the mode scene adds.

    Parameters
    ----------
    network : SceneNetwork
        Fitted to the scene.
    strength : float
        How much of its correction is used, 0 to 1.
    tokens : numpy.ndarray
        ``(TOKENS, band)``: how the data, divided by their size, are grouped.
    """

    network: SceneNetwork
    strength: float
    tokens: np.ndarray

    def apply(self, spectra: np.ndarray, first: torch.Tensor, f: Features) -> torch.Tensor:
        """Correct the abundances ``(endmember, y, x)`` of a window with ``spectra (band, y, x)``."""
        tokens = scene_tokens(spectra, self.tokens, f.valid)
        reach = torch.from_numpy(f.reach)
        move = self.network(torch.from_numpy(tokens)[None], first[None], reach[None])
        return onto_simplex(first[None] + self.strength * reach[None] * move)[0]


def corrected(network: HybridSTU, inputs: list[Features], device: str) -> torch.Tensor:
    """Run the network on windows.

    Parameters
    ----------
    network : HybridSTU
        The network.
    inputs : list of Features
        Windows of equal shape.
    device : {"cpu", "cuda"}
        Where it runs; on CUDA all at once, in bfloat16.

    Returns
    -------
    torch.Tensor
        Abundances before the projection ``(window, endmember, y, x)`` float32.
    """

    def stacked(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(f, name) for f in inputs])).to(device)

    closed, reach = stacked("closed"), stacked("reach")
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        move = network(stacked("maps"), stacked("volume"), stacked("correlation"))
    return closed + reach * move


class HybridStuKernel:
    """Correct the closed-form abundances of windows.

    Parameters
    ----------
    network : HybridSTU
        Trained.
    mix : Mixing
        Endmembers, convention, noise.
    names : numpy.ndarray
        Of the endmembers.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    scene : SceneCorrection, optional
        Of the mode scene.
    device : {"cpu", "cuda"}
        Where the network runs.
    """

    def __init__(
        self,
        network: HybridSTU,
        mix: Mixing,
        *,
        names: np.ndarray,
        wavelength: np.ndarray,
        scene: SceneCorrection | None = None,
        device: str = "cpu",
    ) -> None:
        self._network, self._mix, self._names, self._wavelength = network, mix, names, wavelength
        self._scene, self._device = scene, device

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance (window, endmember, y, x)``, ``rmse`` and, with a gain per pixel, ``gain``."""
        Y = windows["spectra"].transpose("window", "band", "y", "x").values
        E = self._mix.E
        A = np.full((len(Y), E.shape[1], *Y.shape[2:]), np.nan, np.float32)
        gain, rmse = np.full((2, len(Y), *Y.shape[2:]), np.nan, np.float32)
        with one_thread():
            # one by one on a CPU: a window's bits must not depend on its place in the batch
            size = len(Y) if self._device == "cuda" else 1
            for start in range(0, len(Y), size):
                box = filled_part(Y[start : start + size], _CELL)
                if box is None:
                    continue
                part = Y[(slice(start, start + size), slice(None), *box)]
                inputs = [features(y, self._wavelength, self._mix) for y in part]
                with torch.inference_mode():
                    found = onto_simplex(corrected(self._network, inputs, self._device)).cpu()
                    if self._scene is not None:
                        each = zip(part, found, inputs, strict=True)
                        found = torch.stack([self._scene.apply(y, first, f) for y, first, f in each])
                for k, f in enumerate(inputs):
                    a, at = found[k].numpy(), (start + k, *box)
                    a[:, ~f.valid] = np.nan
                    A[(start + k, slice(None), *box)] = a
                    gain[at], rmse[at] = residual(part[k], a, self._mix)
        out: dict[str, Any] = {
            "abundance": (("window", "endmember", "y", "x"), A),
            "rmse": (("window", "y", "x"), rmse),
        }
        if self._mix.peak:
            out["gain"] = (("window", "y", "x"), gain)
        return xr.Dataset(out, {"endmember": self._names})

    def close(self) -> None:
        """Let the network go."""
        del self._network

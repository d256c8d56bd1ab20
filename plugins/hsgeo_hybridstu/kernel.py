"""The kernel of the mode zero: windows through the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from hsgeo.nn import Weights, fill, load_weights
from hsgeo.nn.simplex import onto_simplex
from hsgeo.nn.threads import one_thread
from hsgeo.plugin import ApplyContext, ConfigError
from hsgeo.spectra.solvers.estimate import Mixing, product
from hsgeo_hybridstu.features import Features, features
from hsgeo_hybridstu.network import ARCHITECTURE, HybridSTU
from hsgeo_hybridstu.scene_network import SceneNetwork
from hsgeo_hybridstu.tokens import scene_tokens

__all__ = ["HybridStuKernel", "SceneCorrection", "corrected", "load_network", "network_of"]

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


def load_network(path: Path, *, sha256: str | None = None, device: str = "cpu") -> HybridSTU:
    """Read weights and make the network of them.

    Parameters
    ----------
    path : pathlib.Path
        A file that `hsgeo train hybridstu` wrote.
    sha256 : str, optional
        What its hash must be.
    device : {"cpu", "cuda"}
        Where it runs.

    Returns
    -------
    HybridSTU
        Ready to predict.

    Raises
    ------
    ConfigError
        The file is not what it should be.
    """
    return network_of(load_weights(path, architecture=ARCHITECTURE, sha256=sha256)).to(device)


def network_of(weights: Weights) -> HybridSTU:
    """Make the network of weights that were read.

    Parameters
    ----------
    weights : Weights
        From `hsgeo.nn.load_weights`.

    Returns
    -------
    HybridSTU
        Ready to predict, on the CPU.

    Raises
    ------
    ConfigError
        The configuration makes no network, or one of other tensors.
    """
    try:
        with torch.random.fork_rng(devices=[]):  # first values are drawn and dropped: not from the user's generator
            network = HybridSTU(**weights.config)
    except (TypeError, ValueError, IndexError, RuntimeError, MemoryError) as error:  # whatever the file says is tried
        raise ConfigError(
            f"the configuration of weights {weights.path} makes no network: {' '.join(str(error).split())[:200]}",
            f"the configuration of {ARCHITECTURE}",
            "Use a file that `hsgeo train` wrote, or leave the option out to use the shipped weights",
        ) from error
    fill(network, weights)
    return network.eval().requires_grad_(False)


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


def _filled(Y: np.ndarray) -> tuple[slice, slice] | None:
    """Find the part of windows ``(window, band, y, x)`` that has data, and a margin; the same for the same windows."""
    some = ~np.isnan(Y).all(axis=(0, 1))
    if not some.any():
        return None
    return _reaching(some.any(axis=1)), _reaching(some.any(axis=0))


def _reaching(some: np.ndarray) -> slice:
    """Widen the range of what is there to whole cells of the coarsest level, and one more at either side."""
    at = np.flatnonzero(some)
    first, last = at[0] // _CELL - 1, at[-1] // _CELL + 2
    return slice(max(first, 0) * _CELL, min(last * _CELL, some.size))


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
                box = _filled(Y[start : start + size])
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
                    gain[at], rmse[at] = self._residual(part[k], a)
        out: dict[str, Any] = {
            "abundance": (("window", "endmember", "y", "x"), A),
            "rmse": (("window", "y", "x"), rmse),
        }
        if self._mix.peak:
            out["gain"] = (("window", "y", "x"), gain)
        return xr.Dataset(out, {"endmember": self._names})

    def _residual(self, Y: np.ndarray, A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fit the gain of every pixel, and tell what is left: ``gain`` and ``rmse``, both ``(y, x)``."""
        shape = A.shape[1:]
        Y, model = Y.reshape(len(Y), -1), product(self._mix.E.astype(np.float32), A.reshape(len(A), -1))
        seen = np.isfinite(Y)
        Y, model = np.where(seen, Y, 0), np.where(seen, model, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            square = np.einsum("bn,bn->n", model, model)
            gain = np.maximum(np.einsum("bn,bn->n", Y, model) / square, 0) if self._mix.peak else np.ones_like(square)
            left = Y - gain * model
            rmse = np.sqrt(np.einsum("bn,bn->n", left, left) / seen.sum(axis=0))
        known = np.isfinite(A[0].ravel())
        return np.where(known, gain, np.nan).reshape(shape), np.where(known, rmse, np.nan).reshape(shape)

    def close(self) -> None:
        """Let the network go."""
        del self._network

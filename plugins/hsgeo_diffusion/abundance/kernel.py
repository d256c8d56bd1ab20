"""The kernel of ``abundance-diffusion``: windows through the network, blended with what needs none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.nn.filled import filled_part
from hsgeo.nn.threads import one_thread
from hsgeo.plugin import ApplyContext
from hsgeo.spectra.simplex import project_simplex
from hsgeo.spectra.solvers.estimate import residual
from hsgeo_diffusion.abundance.conditions import Conditions
from hsgeo_diffusion.abundance.knowledge import Knowledge, candidates
from hsgeo_diffusion.abundance.network import ResUNet2D
from hsgeo_diffusion.abundance.refine import CELL, posterior_mean, posterior_samples
from hsgeo_diffusion.config import AbundanceDiffusionOptions

__all__ = ["AbundanceDiffusionKernel"]


class AbundanceDiffusionKernel:
    """Refine the abundances of windows.

    Parameters
    ----------
    network : ResUNet2D or None
        Trained; None only where it has no share and no samples are asked for.
    known : Knowledge
        Of the scene.
    names : numpy.ndarray
        Of the endmembers.
    options : AbundanceDiffusionOptions
        Turns, samples, quantiles.
    device : {"cpu", "cuda"}
        Where the network runs.
    """

    def __init__(
        self,
        network: ResUNet2D | None,
        known: Knowledge,
        *,
        names: np.ndarray,
        options: AbundanceDiffusionOptions,
        device: str = "cpu",
    ) -> None:
        self._network, self._known, self._names = network, known, names
        self._options, self._device = options, device

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance (window, endmember, y, x)``, what it rests on, and samples where they are asked for."""
        Y = windows["spectra"].transpose("window", "band", "y", "x").values
        first = None
        if "abundance" in windows:
            first = windows["abundance"].transpose("window", "endmember", "y", "x").values
        count, samples = self._known.mix.E.shape[1], self._options.samples
        shape = (len(Y), count, *Y.shape[2:])
        A = np.full(shape, np.nan, np.float32)
        S = np.full((shape[0], samples, *shape[1:]), np.nan, np.float32)
        gain, rmse, influence = np.full((3, len(Y), *Y.shape[2:]), np.nan, np.float32)
        with one_thread():
            # one by one: a window's bits must not depend on its place in the batch
            for k in range(len(Y)):
                box = filled_part(Y[k], CELL)
                if box is None:
                    continue
                at = (k, slice(None), *box)
                guess = None if first is None else project_simplex(first[at], axis=0)
                c = self._known.see(Y[at], guess, destripe=self._options.destripe)
                found = self._blended(c, guess)
                found[:, ~c.valid] = np.nan
                A[at] = found
                gain[(k, *box)], rmse[(k, *box)] = residual(Y[at], found, self._known.plain)
                influence[(k, *box)] = 0.5 * np.abs(found - c.closed).sum(axis=0)
                if samples:
                    corner = (int(windows["row"][k]) + box[0].start, int(windows["col"][k]) + box[1].start)
                    drawn = self._drawn(c, found, corner, ctx)
                    drawn[:, :, ~c.valid] = np.nan
                    S[(k, slice(None), slice(None), *box)] = drawn
        return self._dataset(A, S, gain, rmse, influence)

    def _blended(self, c: Conditions, first: np.ndarray | None) -> np.ndarray:
        o, shares = self._options, np.asarray(self._known.shares, np.float32)
        found = candidates(
            self._network,
            c,
            first,
            self._known,
            wanted=tuple(shares > 0),
            turns=o.turns,
            guide=o.guide,
            device=self._device,
        )
        return np.asarray(np.einsum("k,kpyx->pyx", shares, found), np.float32)

    def _drawn(self, c: Conditions, found: np.ndarray, corner: tuple[int, int], ctx: ApplyContext) -> np.ndarray:
        """Draw samples around the result: the network says how they part, the blend where they are."""
        assert self._network is not None  # the stage loads it where samples are asked for
        count, height, width = c.closed.shape
        told = {"guide": self._options.guide, "device": self._device}
        shift = found - posterior_mean(self._network, [c], **told)[0]
        out = np.empty((self._options.samples, count, height, width), np.float32)
        for s in range(len(out)):
            draw: Callable[[int], np.ndarray] = partial(_noise, ctx, corner, (count, height, width), s)
            drawn = posterior_samples(self._network, [c], noise=[draw], steps=self._options.steps, **told)[0]
            out[s] = project_simplex(drawn + shift, axis=0)
        return out

    def _dataset(
        self, A: np.ndarray, S: np.ndarray, gain: np.ndarray, rmse: np.ndarray, influence: np.ndarray
    ) -> xr.Dataset:
        dims = ("window", "endmember", "y", "x")
        out: dict[str, Any] = {
            "abundance": (dims, A),
            "rmse": (("window", "y", "x"), rmse),
            "prior_influence": (("window", "y", "x"), influence),
        }
        coords: dict[str, Any] = {"endmember": self._names}
        if self._known.mix.peak:
            out["gain"] = (("window", "y", "x"), gain)
        if self._options.samples:
            # such that new draws fall below as often as they say (hsgeo.spectra.metrics.sample_quantile)
            quantiles = np.asarray(self._options.quantiles, np.float64)
            out["abundance_std"] = (dims, S.std(axis=1, ddof=1))
            out["abundance_quantile"] = (
                ("window", "quantile", *dims[1:]),
                np.moveaxis(np.quantile(S, quantiles, axis=1, method="weibull"), 0, 1).astype(np.float32),
            )
            coords["quantile"] = list(self._options.quantiles)
            if self._options.keep_samples:
                out["abundance_sample"] = (("window", "sample", *dims[1:]), S)
                coords["sample"] = np.arange(self._options.samples)
        return xr.Dataset(out, coords)

    def close(self) -> None:
        """Let the network go."""
        self._network = None


def _noise(
    ctx: ApplyContext, corner: tuple[int, int], shape: tuple[int, int, int], sample: int, step: int
) -> np.ndarray:
    count, height, width = shape
    # every sample has its own steps: 1000 are more than anyone takes
    return ctx.noise(*corner, height, width, channels=count, step=1000 * sample + step)

"""Stages for the tests of `ctx.again`: a linear one, one that notes what it gets, one that counts threads."""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from hsgeo.plugin import FitNeeds, Memory, Needs, StageRecord, VarSpec, Window, hookimpl, tile

MIX = 1.0 / (1.0 + np.arange(3)[:, None] + np.arange(40)[None] % 7)  # (score, band): any linear map


@hookimpl
def hsgeo_stages():
    here, spectra, score = __name__, tile("spectra"), tile("score")
    yield StageRecord("linear", f"{here}:Linear", "scores", f"{here}:LinearOptions", (spectra,), (score,))
    yield StageRecord("probe", f"{here}:Probe", "notes", f"{here}:ProbeOptions", (spectra, score), (tile("same"),))
    yield StageRecord("blas-threads", f"{here}:Threads", "counts", None, (spectra,), (tile("blas"),))


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Base:
    def __init__(self, options):
        self.options = options

    def needs(self, layout):
        return Needs(batch=512, memory=Memory(fixed=1 << 20, per_pixel=1024))

    def fit_needs(self, layout):
        return None

    def fit(self, sample, ctx):
        raise AssertionError("never called: fit_needs is None")

    def setup(self, state, device):
        return self

    def close(self):
        pass


class LinearOptions(Options):
    window: bool = Field(False, description="Whether scores are sums over 3 x 3 pixels.")


def scores(Y):
    """Scores of spectra ``(band, ...)``, in a fixed order."""
    total = np.zeros((len(MIX), *Y.shape[1:]))
    for b, band in enumerate(Y):
        total += MIX[:, b].reshape(-1, *[1] * (Y.ndim - 1)) * band
    return total


class Linear(Base):
    def needs(self, layout):
        return Needs(window=Window(10, 8), batch=4) if self.options.window else super().needs(layout)

    def outputs(self, layout):
        return {"score": VarSpec(("score_band", "y", "x"), coords={"score_band": (0, 1, 2)})}

    def apply(self, windows, ctx):
        if not self.options.window:
            return xr.Dataset({"score": (("score_band", "pixel"), scores(windows["spectra"].values).astype("f4"))})
        Y = np.moveaxis(windows["spectra"].values, 1, 0)
        return xr.Dataset({"score": (("window", "score_band", "y", "x"), np.moveaxis(smooth(scores(Y)), 0, 1))})


def smooth(x):
    """Sum over 3 x 3 pixels; beyond the edge, and where nothing was measured, is zero."""
    padded = np.pad(np.nan_to_num(x), [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)])
    total = sum(padded[..., y : y + x.shape[-2], k : k + x.shape[-1]] for y, k in product(range(3), range(3)))
    return np.where(np.isnan(x), np.nan, total).astype(np.float32)


class ProbeOptions(Options):
    kind: Literal["pixels", "patches", "reduce"] = Field("pixels", description="Of the fit.")
    change: Literal["none", "noise", "hole", "double"] = Field("noise", description="Of the spectra.")


STEP = np.float32(0.01)  # of the noise that is added


def noisy(ctx):
    """Add pinned noise to every band."""
    return lambda Y, row, col: Y + STEP * ctx.noise(row, col, *Y.shape[1:], channels=len(Y))


class Probe(Base):
    """Keeps its sample, and the sample again, in its state."""

    def outputs(self, layout):
        return {"same": VarSpec(("y", "x"))}

    def fit_needs(self, layout):
        return FitNeeds(kind=self.options.kind, patch=16, pixels=1500, memory=Memory(1 << 20, 4096))

    def fit(self, sample, ctx):
        change = {
            "none": lambda Y, row, col: Y,
            "noise": noisy(ctx),
            "hole": lambda Y, row, col: np.where(np.arange(len(Y))[:, None, None] == 2, np.float32(np.nan), Y),
            "double": lambda Y, row, col: Y.astype(float),
        }[self.options.change]
        first, again = (data.drop_vars(["wavelength", "fwhm"], errors="ignore") for data in (sample, ctx.again(change)))
        return first.merge(
            again.rename({name: f"{name}_again" for name in {*again.data_vars, *again.coords} - {"score_band"}})
        )

    def partial(self, block, previous, ctx):
        return xr.Dataset({"rows": block.sizes["y"]})

    def combine(self, left, right):
        return left + right

    def apply(self, windows, ctx):
        return xr.Dataset({"same": windows["score"].isel(score_band=0, drop=True).variable})


class Threads(Base):
    def outputs(self, layout):
        return {"blas": VarSpec(("y", "x"))}

    def apply(self, windows, ctx):
        from threadpoolctl import threadpool_info

        most = max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return xr.Dataset({"blas": xr.full_like(windows["spectra"][0], most).variable})

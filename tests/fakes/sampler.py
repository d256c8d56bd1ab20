"""A sampler whose posterior is known exactly: least squares with sum one, and the Gaussian that white noise makes.

Flat prior and linear mixture, so with ``bounded=false`` the truth is one more draw from what it samples; ``stretch``
makes it bold or shy by a known amount.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from hsgeo.plugin import Memory, Needs, StageRecord, VarSpec, Window, hookimpl, scene, tile

WROTE = tuple(tile(name) for name in ("abundance", "abundance_std", "abundance_sample", "prior_influence"))


@hookimpl
def hsgeo_stages():
    yield StageRecord(
        "fake-sampler",
        f"{__name__}:Sampler",
        "draws from a known posterior",
        f"{__name__}:SamplerOptions",
        (tile("spectra"), scene("endmembers")),
        (*WROTE, tile("abundance_quantile", optional=True)),
    )


class SamplerOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int = Field(4, ge=2, description="Number of samples.")
    noise: float = Field(0.01, gt=0, description="Standard deviation of the noise, reflectance.")
    stretch: float = Field(1.0, gt=0, description="Standard deviation stated over the right one.")
    quantiles: tuple[float, ...] = Field((), description="Levels to write; none: no quantiles.")
    bounded: bool = Field(True, description="Clip draws at 0 and divide by their sum.")
    blur: bool = Field(False, description="Mean over 3 x 3 pixels inside a window, so that windows disagree at edges.")


class Sampler:
    def __init__(self, options):
        self.options = options

    def needs(self, layout):
        per_pixel = 8 * (len(layout.endmembers or ()) + 1) * 4 * self.options.samples
        return Needs(window=Window(12, 8), batch=3, memory=Memory(fixed=1 << 16, per_pixel=per_pixel))

    def outputs(self, layout):
        maps = ("endmember", "y", "x")
        rule = {"range": (0.0, 1.0), "sum": "one"} if self.options.bounded else {"sum": "free"}
        specs = {
            "abundance": VarSpec(maps, **rule),
            "abundance_std": VarSpec(maps, range=(0.0, np.inf)),
            "abundance_sample": VarSpec(
                ("sample", *maps), coords={"sample": tuple(range(self.options.samples))}, **rule
            ),
            "prior_influence": VarSpec(("y", "x"), range=(0.0, 1.0)),
        }
        if self.options.quantiles:
            specs["abundance_quantile"] = VarSpec(("quantile", *maps), coords={"quantile": self.options.quantiles})
        return specs

    def fit_needs(self, layout):
        return None

    def fit(self, sample, ctx):
        raise AssertionError("never called: fit_needs is None")

    def setup(self, state, device):
        return Kernel(self.options, state["endmembers"].values.T.astype(float))


class Kernel:
    def __init__(self, options, E):
        inverse = np.linalg.inv(E.T @ E)
        share = inverse.sum(1) / inverse.sum()
        self.options, self.offset = options, share
        self.pull = (inverse - np.outer(share, inverse.sum(0))) @ E.T
        values, Q = np.linalg.eigh(self.pull @ self.pull.T)
        self.spread = options.stretch * options.noise * Q * np.sqrt(np.maximum(values, 0))

    def apply(self, windows, ctx):
        Y = windows["spectra"].values.astype(float)
        count, side = len(self.offset), Y.shape[-1]
        plain = np.einsum("pb,wbyx->wpyx", self.pull, Y) + self.offset[:, None, None]
        draws = np.empty((len(Y), self.options.samples, count, side, side))
        for w, (row, col) in enumerate(zip(windows["row"].values, windows["col"].values, strict=True)):
            z = ctx.noise(int(row), int(col), side, side, channels=self.options.samples * count).astype(float)
            z = z.reshape(self.options.samples, count, side, side)
            draws[w] = plain[w] + np.einsum("pq,kqyx->kpyx", self.spread, z)
        if self.options.blur:
            draws = blurred(draws)
        closed = bounded(plain, 1)
        if self.options.bounded:
            draws = bounded(draws, 2)
        mean = draws.mean(1)
        lead = ("window", "endmember", "y", "x")
        out = {
            "abundance": (lead, mean),
            "abundance_std": (lead, draws.std(1)),
            "abundance_sample": (("window", "sample", *lead[1:]), draws),
            "prior_influence": (("window", "y", "x"), np.clip(np.abs(mean - closed).sum(1) / 2, 0, 1)),
        }
        if self.options.quantiles:
            levels = np.quantile(draws, self.options.quantiles, axis=1, method="weibull")
            out["abundance_quantile"] = (("window", "quantile", *lead[1:]), np.moveaxis(levels, 0, 1))
        return xr.Dataset({name: (dims, values.astype(np.float32)) for name, (dims, values) in out.items()})

    def close(self):
        pass


def bounded(A, axis):
    """Clip and divide by the sum; exact where nothing is clipped."""
    A = np.clip(A, 0, None)
    return A / A.sum(axis, keepdims=True)


def blurred(A):
    """Mean over the valid ones of 3 x 3 pixels; beyond the window there is nothing."""
    valid = np.isfinite(A)
    n = A.shape[-1]

    def total(values):
        padded = np.pad(values, [(0, 0)] * (A.ndim - 2) + [(1, 1), (1, 1)])
        return sum(padded[..., dy : dy + n, dx : dx + n] for dy in range(3) for dx in range(3))

    return np.where(valid, total(np.where(valid, A, 0.0)) / np.maximum(total(valid * 1.0), 1.0), np.nan)

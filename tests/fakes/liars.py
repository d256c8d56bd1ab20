"""Planted liars: each is an honest stage but for one lie, and one law of the kit is meant to catch it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import xarray as xr
from pydantic import BaseModel

from hsgeo.plugin import FitNeeds, Needs, StageRecord, VarSpec, hookimpl, scene, tile
from hsgeo.plugin.onefile import load_file

trial = load_file(Path(__file__).with_name("trial.py"))[0]

LIES = {}  # name of the liar: name of the law


def lie(law):
    def keep(cls):
        LIES[f"liar-{cls.__name__.lower()}"] = (cls.__name__, law)
        return cls

    return keep


class Loose(BaseModel):
    """Neither frozen nor strict."""

    count: int = 3


@hookimpl
def hsgeo_stages():
    reads = (tile("spectra"), scene("endmembers"))
    writes = (tile("abundance"), tile("rmse"), scene("learnt", optional=True))
    for name, (cls, _) in LIES.items():
        options = f"{__name__}:Loose" if cls == "Options" else None
        yield StageRecord(name, f"{__name__}:{cls}", "a lie", options, reads, writes)


class Honest(trial.Solve):
    batch = 96  # divides the pixels of the kit's scene: no padding, except where a law wants it

    def needs(self, layout):
        return Needs(batch=self.batch, memory=super().needs(layout).memory)


@lie("window_is_honest")
class Window(Honest):
    """Says pixelwise and looks at its left neighbour."""

    batch = 512  # the whole scene in one block, so that the neighbour is there in any order

    @staticmethod
    def apply(windows, ctx, E):
        out = Honest.apply(windows, ctx, E)
        A = out["abundance"].values
        at = {(r, c): k for k, (r, c) in enumerate(zip(windows["row"].values, windows["col"].values, strict=True))}
        mixed = A.copy()
        for (row, col), k in at.items():
            left = at.get((row, col - 1))
            if left is not None and row >= 0 and np.isfinite(A[0, left]):
                mixed[:, k] = np.float32(0.75) * A[:, k] + np.float32(0.25) * A[:, left]
        return out.assign(abundance=(("endmember", "pixel"), mixed))


@lie("seeds_are_declared")
class Random(Honest):
    """Draws from numpy's global generator."""

    def outputs(self, layout):
        return super().outputs(layout) | {"learnt": VarSpec((), dtype="float64", scope="scene")}

    def fit_needs(self, layout):
        return FitNeeds()

    def fit(self, sample, ctx):
        return xr.Dataset({"learnt": np.random.uniform()})  # noqa: NPY002  the lie


@lie("input_is_untouched")
class InPlace(Honest):
    """Scales its input in place."""

    @staticmethod
    def apply(windows, ctx, E):
        windows["spectra"].values[...] *= 2
        return Honest.apply(windows, ctx, 2 * E)


@lie("nan_stays_where_it_is")
class Nan(Honest):
    """Adds zero times the sum of a band over the block."""

    @staticmethod
    def apply(windows, ctx, E):
        out = Honest.apply(windows, ctx, E)
        return out.assign(abundance=out["abundance"] + np.float32(0) * windows["spectra"].values[-1].sum())


@lie("position_in_the_batch_means_nothing")
class Shape(Honest):
    """Sums in another order at every other place of the block, as vectorised loops do with what is left over."""

    @staticmethod
    def apply(windows, ctx, E):
        out = Honest.apply(windows, ctx, E)
        other = trial.fractions(windows["spectra"].values[::-1], E[::-1])
        odd = np.arange(windows.sizes["pixel"]) % 2 == 1
        return out.assign(abundance=(("endmember", "pixel"), np.where(odd, other, out["abundance"].values)))


@lie("kernel_is_thread_safe")
class Threads(Honest):
    """Keeps scratch on itself between two steps."""

    def setup(self, state, device):
        scratch = {}

        def work(windows, ctx, E):
            scratch["windows"] = windows
            time.sleep(0.002)  # lets other threads in, as releasing the lock in numba or BLAS would
            return Honest.apply(scratch["windows"], ctx, E)

        return trial.Work(work, state["endmembers"].values)


@lie("memory_estimate_holds")
class MemoryHog(Honest):
    """Takes 8 MiB that it does not declare."""

    @staticmethod
    def apply(windows, ctx, E):
        scratch = np.ones(1 << 20)
        return Honest.apply(windows, ctx, E * scratch[0])


@lie("outputs_are_as_declared")
class Dtype(Honest):
    """Declares float32 and returns float64."""

    @staticmethod
    def apply(windows, ctx, E):
        return Honest.apply(windows, ctx, E).astype("float64")


@lie("sum_and_range_are_as_declared")
class Sum(Honest):
    """Declares a sum of one and is a little off."""

    @staticmethod
    def apply(windows, ctx, E):
        out = Honest.apply(windows, ctx, E)
        return out.assign(abundance=out["abundance"] * np.float32(0.999))


@lie("truth_is_recovered")
class Truth(Honest):
    """Gives the fractions of one endmember to the next."""

    @staticmethod
    def apply(windows, ctx, E):
        out = Honest.apply(windows, ctx, E)
        return out.assign(abundance=(("endmember", "pixel"), out["abundance"].values[[1, 2, 0]]))


@lie("options_round_trip")
class Options(Honest):
    """Has options that anybody can change and misspell."""


@lie("definition_is_cheap_and_picklable")
class Weights(Honest):
    """Carries its weights in the definition."""

    def __init__(self, options):
        super().__init__(options)
        self.weights = np.zeros(100_000)


@lie("partial_pixels_are_solved")
class Partial(Honest):
    """Gives up on a pixel that lacks one band."""

    @staticmethod
    def apply(windows, ctx, E):
        out = Honest.apply(windows, ctx, E)
        return out.where(np.isfinite(windows["spectra"].values).all(0))


@lie("fit_ignores_excluded_pixels")
class Excluded(Honest):
    """Takes a plain mean of patches that may hold NaN."""

    def outputs(self, layout):
        return super().outputs(layout) | {"learnt": VarSpec((), dtype="float32", scope="scene")}

    def fit_needs(self, layout):
        return FitNeeds(kind="patches", patch=8)

    def fit(self, sample, ctx):
        return xr.Dataset({"learnt": sample["spectra"].values[:, :, :5, :4].mean()})


@lie("state_survives_zarr")
class State(Honest):
    """Keeps what it learnt in a masked value that Zarr reads back as NaN."""

    def outputs(self, layout):
        return super().outputs(layout) | {"learnt": VarSpec((), dtype="float64", scope="scene")}

    def fit_needs(self, layout):
        return FitNeeds()

    def fit(self, sample, ctx):
        return xr.Dataset({"learnt": ((), 1.5, {"_FillValue": 1.5})})

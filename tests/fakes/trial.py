"""Trial plugins: the real contract with trivial maths, one for each kind of method in the design.

They prove that the contract can carry the methods to come: a fit that needs earlier kernels on its sample, a windowed
sampler with pinned noise, class fractions from a library, a fit that alternates, a reduction in two passes, patches and
an output that depends on a mode.
"""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from hsgeo.plugin import FitNeeds, Memory, Needs, StageRecord, VarSpec, Window, hookimpl, scene, tile


@hookimpl
def hsgeo_stages():
    here, spectra, endmembers, abundance = __name__, tile("spectra"), scene("endmembers"), tile("abundance")
    yield StageRecord("trial-pick", f"{here}:Pick", "extreme pixels", f"{here}:PickOptions", (spectra,), (endmembers,))
    yield StageRecord("trial-noise", f"{here}:Noise", "noise in two passes", None, (spectra,), (scene("noise"),))
    yield StageRecord(
        "trial-solve", f"{here}:Solve", "pixelwise fractions", None, (spectra, endmembers), (abundance, tile("rmse"))
    )
    yield StageRecord(
        "trial-endmember-diffusion",
        f"{here}:EndmemberDiffusion",
        "endmembers from earlier abundances",
        f"{here}:EndmemberDiffusionOptions",
        (spectra, endmembers, abundance),
        (endmembers,),
    )
    yield StageRecord(
        "trial-abundance-diffusion",
        f"{here}:AbundanceDiffusion",
        "a windowed sampler",
        f"{here}:AbundanceDiffusionOptions",
        (spectra, endmembers, abundance),
        (abundance, tile("abundance_std"), tile("abundance_sample")),
    )
    yield StageRecord(
        "trial-mesma",
        f"{here}:Mesma",
        "class fractions",
        None,
        (spectra, scene("library")),
        (abundance, tile("abundance_std"), tile("model"), tile("rmse")),
    )
    yield StageRecord("trial-urdm", f"{here}:Urdm", "alternates", None, (spectra, endmembers), (endmembers, abundance))
    yield StageRecord(
        "trial-hybrid",
        f"{here}:Hybrid",
        "patches, two modes",
        f"{here}:HybridOptions",
        (spectra, endmembers),
        (scene("endmembers", optional=True), abundance),
    )


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def fractions(Y, E, sweeps=60):
    """Fractions (endmember, ...) of Y (band, ...): non-negative least squares by coordinate descent, scaled to sum 1.

    Elementwise in a fixed order, so bits do not depend on the place; missing bands are left out.
    """
    Y = Y.astype(np.float64)
    there = np.isfinite(Y)
    Y = np.where(there, Y, 0.0)
    count, shape = len(E), Y.shape[1:]
    gram = np.zeros((count, count, *shape))
    right = np.zeros((count, *shape))
    for b in range(len(Y)):
        for i in range(count):
            right[i] += float(E[i, b]) * Y[b]
            for j in range(count):
                gram[i, j] += float(E[i, b]) * float(E[j, b]) * there[b]
    A = np.full((count, *shape), 1.0 / count)
    empty = ~there.any(0)
    for _ in range(sweeps):
        for i in range(count):
            rest = right[i].copy()
            for j in range(count):
                if j != i:
                    rest -= gram[i, j] * A[j]
            A[i] = np.maximum(rest / np.where(empty, 1.0, gram[i, i]), 0.0)
    return np.where(empty, np.nan, shares(A)).astype(np.float32)


def shares(A):
    total = np.zeros(A.shape[1:])
    for a in A:
        total += a
    return np.where(total > 0, A / np.where(total > 0, total, 1.0), 1.0 / len(A))


def residual(Y, E, A):
    total, count = np.zeros(Y.shape[1:]), np.zeros(Y.shape[1:])
    for b in range(len(Y)):
        fit = np.zeros(Y.shape[1:])
        for i in range(len(E)):
            fit += float(E[i, b]) * A[i]
        there = np.isfinite(Y[b])
        total += np.where(there, (Y[b] - fit) ** 2, 0.0)
        count += there
    return np.sqrt(total / np.where(count > 0, count, np.nan)).astype(np.float32)


def better(E, A, Y, damping):
    """One damped least-squares step for E (endmember, band), given A (endmember, pixel), Y (band, pixel)."""
    ok = np.isfinite(Y).all(0) & np.isfinite(A).all(0)
    solved = np.linalg.lstsq(A[:, ok].T.astype(float), Y[:, ok].T.astype(float), rcond=None)[0]
    return (damping * E + (1 - damping) * solved).astype(np.float32)


def memory(layout, copies=1):
    count = max(len(layout.endmembers or layout.classes or ()), 1)
    return Memory(fixed=1 << 16, per_pixel=copies * 8 * (3 * layout.bands + 2 * count * count + 12 * count))


def abundance_spec(sum_="one", **more):
    return VarSpec(("endmember", "y", "x"), range=(0.0, 1.0), sum=sum_, **more)


def named(E, like):
    return xr.Dataset({"endmembers": (("endmember", "band"), E)}, coords={"endmember": like["endmember"].values})


class FitOnly:
    def __init__(self, options):
        self.options = options

    def needs(self, layout):
        return Needs()

    def setup(self, state, device):
        return None


class Work:
    """A kernel: a function of a batch."""

    def __init__(self, function, *constants):
        self.function, self.constants = function, constants

    def apply(self, windows, ctx):
        return self.function(windows, ctx, *self.constants)

    def close(self):
        pass


class PickOptions(Options):
    count: int = Field(3, ge=1, description="Number of endmembers.")


class Pick(FitOnly):
    def outputs(self, layout):
        return {"endmembers": VarSpec(("endmember", "band"), scope="scene")}

    def fit_needs(self, layout):
        return FitNeeds(memory=Memory(fixed=1 << 20, per_pixel=40 * layout.bands))

    def fit(self, sample, ctx):
        Y = sample["spectra"].values.astype(float)
        chosen = [int(np.argmax((Y**2).sum(0)))]
        while len(chosen) < self.options.count:
            basis = np.linalg.qr(Y[:, chosen])[0]
            chosen.append(int(np.argmax(((Y - basis @ (basis.T @ Y)) ** 2).sum(0))))
        names = [f"e{k + 1}" for k in range(len(chosen))]
        E = sample["spectra"].values[:, chosen].T
        return xr.Dataset({"endmembers": (("endmember", "band"), E)}, coords={"endmember": names})


class Noise(FitOnly):
    """Pass 1: the mean difference of neighbours; pass 2: its variance around it."""

    def outputs(self, layout):
        return {"noise": VarSpec(("band",), dtype="float64", scope="scene", range=(0.0, np.inf))}

    def fit_needs(self, layout):
        return FitNeeds(kind="reduce", passes=2)

    def partial(self, tile, previous, ctx):
        step = np.diff(tile["spectra"].values.astype(float), axis=-1)
        mean = 0.0 if previous is None else previous["mean"].values[:, None, None]
        power = 1 if previous is None else 2
        ok = np.isfinite(step)
        total = np.where(ok, (step - mean) ** power, 0.0).sum((1, 2))
        done = {"power": power, "sum": ("band", total), "count": ("band", ok.sum((1, 2)))}
        return xr.Dataset(done if previous is None else {**done, "mean": ("band", previous["mean"].values)})

    def combine(self, left, right):
        joined = left.copy()
        for name in ("sum", "count"):
            joined[name] = ("band", left[name].values + right[name].values)
        return joined

    def fit(self, sample, ctx):
        moment = sample["sum"].values / sample["count"].values
        if int(sample["power"]) == 1:
            return xr.Dataset({"mean": ("band", moment)})
        return xr.Dataset({"mean": ("band", sample["mean"].values), "noise": ("band", np.sqrt(moment / 2))})


class Solve(FitOnly):
    def needs(self, layout):
        return Needs(batch=128, memory=memory(layout))

    def outputs(self, layout):
        return {"abundance": abundance_spec(), "rmse": VarSpec(("y", "x"), range=(0.0, np.inf))}

    def fit_needs(self, layout):
        return None

    def fit(self, sample, ctx):
        raise AssertionError("never called: fit_needs is None")

    def setup(self, state, device):
        return Work(self.apply, state["endmembers"].values)

    @staticmethod
    def apply(windows, ctx, E):
        Y = windows["spectra"].values
        A = fractions(Y, E)
        return xr.Dataset({"abundance": (("endmember", "pixel"), A), "rmse": ("pixel", residual(Y, E, A))})


class EndmemberDiffusionOptions(Options):
    damping: float = Field(0.5, ge=0, le=1, description="Share of the old spectrum that is kept, no unit.")


class EndmemberDiffusion(FitOnly):
    def outputs(self, layout):
        return {"endmembers": VarSpec(("endmember", "band"), scope="scene")}

    def fit_needs(self, layout):
        return FitNeeds(memory=Memory(fixed=1 << 20, per_pixel=64 * layout.bands))

    def fit(self, sample, ctx):
        E, A, Y = (sample[name].values for name in ("endmembers", "abundance", "spectra"))
        return named(better(E, A, Y, self.options.damping), sample)


class AbundanceDiffusionOptions(Options):
    samples: int = Field(2, ge=2, description="Number of samples.")
    steps: int = Field(3, ge=1, description="Number of sampling steps.")
    sigma: float = Field(0.02, ge=0, description="Noise of the first step, abundance.")


class AbundanceDiffusion(FitOnly):
    """Each step adds pinned noise and smooths, so its receptive field outgrows the margin: the window must pin it."""

    def needs(self, layout):
        per_pixel = 8 * len(layout.endmembers or (1,)) * 14 * self.options.samples
        return Needs(window=Window(12, 8), batch=2, memory=Memory(fixed=1 << 16, per_pixel=per_pixel))

    def outputs(self, layout):
        k = tuple(range(self.options.samples))
        return {
            "abundance": abundance_spec(),
            "abundance_std": VarSpec(("endmember", "y", "x"), range=(0.0, 1.0)),
            "abundance_sample": VarSpec(
                ("sample", "endmember", "y", "x"), coords={"sample": k}, range=(0.0, 1.0), sum="one"
            ),
        }

    def fit_needs(self, layout):
        return None

    def fit(self, sample, ctx):
        raise AssertionError("never called: fit_needs is None")

    def setup(self, state, device):
        return Work(self.apply, state.sizes["endmember"])

    def apply(self, windows, ctx, count):
        start = windows["abundance"].values.astype(float)
        out = [
            self.sample(start[w], int(windows["row"].values[w]), int(windows["col"].values[w]), ctx)
            for w in range(len(start))
        ]
        draws = np.stack(out)  # (window, sample, endmember, y, x)
        mean = draws.sum(1) / draws.shape[1]
        std = np.sqrt(((draws - mean[:, None]) ** 2).sum(1) / draws.shape[1])
        lead = ("window", "endmember", "y", "x")
        return xr.Dataset(
            {
                "abundance": (lead, mean.astype(np.float32)),
                "abundance_std": (lead, std.astype(np.float32)),
                "abundance_sample": (("window", "sample", *lead[1:]), draws.astype(np.float32)),
            }
        )

    def sample(self, start, row, col, ctx):
        count, side = start.shape[0], start.shape[-1]
        valid = np.isfinite(start).all(0)
        mean = np.where(valid, start, 0.0)
        x = np.broadcast_to(mean, (self.options.samples, *mean.shape)).copy()
        for step in range(self.options.steps):
            drawn = ctx.noise(row, col, side, side, channels=self.options.samples * count, step=step)
            x += self.options.sigma / (step + 1) * drawn.reshape(x.shape)
            x = 0.5 * np.where(valid, smooth(x * valid) / np.maximum(smooth(valid * 1.0), 1.0), 0.0) + 0.5 * mean
            x = np.moveaxis(shares(np.maximum(np.moveaxis(x, 1, 0), 0.0)), 0, 1)
        return np.where(valid, x, np.nan)


def smooth(x):
    """Sum over 3 x 3 pixels, in a fixed order; beyond the edge there is nothing."""
    padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)])
    total = np.zeros(x.shape)
    for dy, dx in product(range(3), range(3)):
        total += padded[..., dy : dy + x.shape[-2], dx : dx + x.shape[-1]]
    return total


class Mesma(FitOnly):
    """Every choice of one spectrum per class is tried; the best one wins, the spread of the two best is the std."""

    def needs(self, layout):
        return Needs(batch=128, memory=memory(layout, copies=2))

    def outputs(self, layout):
        classes = {"endmember": layout.classes}
        return {
            "abundance": abundance_spec(coords=classes),
            "abundance_std": VarSpec(("endmember", "y", "x"), coords=classes, range=(0.0, 1.0)),
            "model": VarSpec(("y", "x"), dtype="int16"),
            "rmse": VarSpec(("y", "x"), range=(0.0, np.inf)),
        }

    def fit_needs(self, layout):
        return None

    def fit(self, sample, ctx):
        raise AssertionError("never called: fit_needs is None")

    def setup(self, state, device):
        labels = state["class"].values.astype(str)
        groups = [np.flatnonzero(labels == name) for name in dict.fromkeys(labels)]
        return Work(self.apply, state["library"].values, list(product(*groups)))

    @staticmethod
    def apply(windows, ctx, library, choices):
        Y = windows["spectra"].values
        best = second = None
        for number, choice in enumerate(choices):
            E = library[list(choice)]
            A = fractions(Y, E)
            found = (residual(Y, E, A), A, np.full(Y.shape[1], number, np.int16))
            if best is None:
                best = second = found
                continue
            wins = found[0] < best[0]
            second = tuple(np.where(wins, b, s) for b, s in zip(best, second, strict=True))
            best = tuple(np.where(wins, f, b) for f, b in zip(found, best, strict=True))
        return xr.Dataset(
            {
                "abundance": (("endmember", "pixel"), best[1]),
                "abundance_std": (("endmember", "pixel"), np.abs(best[1] - second[1]) / 2),
                "model": ("pixel", best[2]),
                "rmse": ("pixel", best[0]),
            }
        )


class Urdm(FitOnly):
    """The fit alternates endmembers and fractions on the sample; tiles keep the endmembers and smooth a little."""

    def needs(self, layout):
        return Needs(window=Window(8, 4), batch=4, memory=memory(layout))

    def outputs(self, layout):
        return {"endmembers": VarSpec(("endmember", "band"), scope="scene"), "abundance": abundance_spec()}

    def fit_needs(self, layout):
        return FitNeeds(memory=memory(layout, copies=2))

    def fit(self, sample, ctx):
        E, Y = sample["endmembers"].values, sample["spectra"].values
        start = ctx.rng().uniform(0.99, 1.01, E.shape[0]).astype(np.float32)
        E = E * start[:, None]
        for turn in range(3):
            E = better(E, fractions(Y, E), Y, 0.5)
            ctx.report((turn + 1) / 3)
        return named(E, sample)

    def setup(self, state, device):
        return Work(self.apply, state["endmembers"].values)

    @staticmethod
    def apply(windows, ctx, E):
        A = fractions(np.moveaxis(windows["spectra"].values, 1, 0), E)  # (endmember, window, y, x)
        valid = np.isfinite(A[0])
        near = smooth(np.where(valid, A, 0.0)) / np.maximum(smooth(valid * 1.0), 1.0)
        mixed = np.where(valid, shares(0.9 * np.where(valid, A, 0.0) + 0.1 * near), np.nan)
        return xr.Dataset(
            {"abundance": (("window", "endmember", "y", "x"), np.moveaxis(mixed, 0, 1).astype("float32"))}
        )


class HybridOptions(Options):
    mode: Literal["blind", "supervised"] = Field("blind", description="Whether the endmembers are refined.")


class Hybrid(FitOnly):
    """Learns one weight per band from patches; in blind mode it also writes endmembers."""

    def needs(self, layout):
        return Needs(window=Window(8, 8), batch=2, memory=memory(layout))

    def outputs(self, layout):
        specs = {"abundance": abundance_spec()}
        if self.options.mode == "blind":
            specs["endmembers"] = VarSpec(("endmember", "band"), scope="scene")
        return specs

    def fit_needs(self, layout):
        return FitNeeds(kind="patches", patch=8, pixels=1024, memory=memory(layout, copies=2))

    def fit(self, sample, ctx):
        E, Y = (
            sample["endmembers"].values,
            np.moveaxis(sample["spectra"].values, 1, 0).reshape(sample.sizes["band"], -1),
        )
        Y = Y[:, np.isfinite(Y).all(0)]
        state = xr.Dataset({"weight": ("band", 1.0 / (0.1 + Y.std(1)))})
        if self.options.mode == "blind":
            return state.merge(named(better(E, fractions(Y, E), Y, 0.5), sample))
        return state

    def setup(self, state, device):
        return Work(self.apply, state["endmembers"].values, state["weight"].values)

    @staticmethod
    def apply(windows, ctx, E, weight):
        Y = np.moveaxis(windows["spectra"].values, 1, 0) * weight[:, None, None, None]
        A = fractions(Y, E * weight)
        return xr.Dataset({"abundance": (("window", "endmember", "y", "x"), np.moveaxis(A, 0, 1))})

"""The stage ``denoise``: spectra projected on the components that hold more than noise."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ApplyContext, ConfigError, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo.spectra.mnf import Mnf, denoise_block, mnf_from_moments
from hsgeo_classical.cleaning.sums import Moments, add, moment_sums, noise_of
from hsgeo_classical.config import DenoiseOptions

__all__ = ["Denoise", "DenoiseKernel"]

_BATCH = 4096  # 3 MB of 200 bands: large enough to hide the call, small enough for a core's cache


class DenoiseKernel:
    """Project blocks of pixels.

    Parameters
    ----------
    transform : Mnf
        Minimum noise fraction of the scene.
    count : int
        Components kept.
    """

    def __init__(self, transform: Mnf, count: int) -> None:
        self._transform, self._count = transform, count

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give the corrected ``spectra (band, pixel)``; missing bands stay missing."""
        Y = denoise_block(windows["spectra"].transpose("band", "pixel").values, self._transform, count=self._count)
        return xr.Dataset({"spectra": (("band", "pixel"), Y)})

    def close(self) -> None:
        """Nothing is held."""


class Denoise:
    """Take out what lies outside of the signal's subspace (`hsgeo.spectra.mnf`).

    Parameters
    ----------
    options : DenoiseOptions
        Components kept, and how noise is measured.
    """

    def __init__(self, options: DenoiseOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for blocks of 4096 pixels."""
        # the transform both ways, 256 pixels in float64, and the block made contiguous
        fixed = 2**22 + 4 * 8 * layout.bands**2 + 8 * 512 * layout.bands
        return Needs(batch=_BATCH, memory=Memory(fixed=fixed, per_pixel=8 * layout.bands))

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``spectra (band, y, x)``: later stages see what this one returns."""
        return {"spectra": VarSpec(("band", "y", "x"))}

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for the whole scene, block by block."""
        return FitNeeds(kind="reduce")

    def partial(self, tile: xr.Dataset, previous: xr.Dataset | None, ctx: FitContext) -> xr.Dataset:
        """Sum up a block."""
        return moment_sums(tile, differences=self.options.noise == "differences")

    def combine(self, left: xr.Dataset, right: xr.Dataset) -> xr.Dataset:
        """Add two parts."""
        return add(left, right)

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the transform and how many components to keep."""
        sums = Moments(sample)
        found = mnf_from_moments(sums.count, sums.mean, sums.second, noise=noise_of(sums, self.options.noise))
        bands = len(found.mean)
        count = found.dimension if self.options.components == "auto" else self.options.components
        if count > bands:
            raise ConfigError(f"components={count} are asked of {bands} good bands", f"at most {bands}")
        return xr.Dataset(
            {
                "mean": ("band", found.mean),
                "forward": (("band", "component"), found.forward[:, :count]),
                "inverse": (("component", "band"), found.inverse[:count]),
                "eigenvalues": ("component", found.eigenvalues[:count]),
            },
            attrs={"components": count, "edge": found.edge},
        )

    def setup(self, state: xr.Dataset, device: str) -> DenoiseKernel:
        """Take the transform out of the state."""
        values = {name: np.asarray(state[name].values) for name in ("mean", "forward", "inverse", "eigenvalues")}
        return DenoiseKernel(Mnf(**values, edge=0.0), len(values["eigenvalues"]))

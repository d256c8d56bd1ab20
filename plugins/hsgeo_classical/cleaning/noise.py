"""The stage ``noise``: how noisy every band is, from every pixel of the scene."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import FitContext, FitNeeds, Layout, Needs, VarSpec
from hsgeo_classical.cleaning.sums import Moments, add, moment_sums, noise_of
from hsgeo_classical.config import NoiseOptions

__all__ = ["Noise"]


class Noise:
    """Measure the noise of every band in one pass over the scene.

    Parameters
    ----------
    options : NoiseOptions
        The method.
    """

    def __init__(self, options: NoiseOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for nothing special: no tile is written."""
        return Needs()

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``noise (band)``."""
        attrs = {"long_name": "standard deviation of the noise", "units": layout.units}
        return {"noise": VarSpec(("band",), scope="scene", attrs=attrs, range=(0.0, float("inf")))}

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for the whole scene, block by block."""
        return FitNeeds(kind="reduce")

    def partial(self, tile: xr.Dataset, previous: xr.Dataset | None, ctx: FitContext) -> xr.Dataset:
        """Sum up a block."""
        return moment_sums(tile, differences=self.options.method == "differences")

    def combine(self, left: xr.Dataset, right: xr.Dataset) -> xr.Dataset:
        """Add two parts."""
        return add(left, right)

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Give ``noise (band)``."""
        found = noise_of(Moments(sample), self.options.method)
        std = np.sqrt(np.maximum(np.diag(found), 0.0)) if found.ndim == 2 else found
        return xr.Dataset({"noise": ("band", std.astype(np.float32))})

    def setup(self, state: xr.Dataset, device: str) -> None:
        """Make no kernel: the stage only fits."""
        return

"""The stage ``fcls``: non-negative abundances that sum to one, with the shade and the gain that real light brings."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, FitContext, FitNeeds, Layout, VarSpec
from hsgeo_classical.abundance.kernel import Problem
from hsgeo_classical.abundance.stage import AbundanceStage
from hsgeo_classical.config import FclsOptions

__all__ = ["SHADE", "Fcls"]

SHADE = "shade"
"""Name of the zero spectrum in products with explicit shade."""


class Fcls(AbundanceStage):
    """Estimate non-negative abundances that sum to one (`hsgeo.spectra.solvers.fcls`, `scls`).

    Parameters
    ----------
    options : FclsOptions
        Gain, shade, weights, errors.
    """

    name = "fcls"
    options: FclsOptions

    def problem(self, scale: str) -> Problem:
        """Solve with a gain per pixel, with shade, or plainly."""
        options = self.options
        # endmembers of unit peak have lost their lengths: only a gain lets a pixel be as bright as it is
        auto = scale == "peak" and options.shade == "none"
        if options.gain == "pixel" or (options.gain == "auto" and auto):
            return Problem("nnls", gain=True)
        return Problem("fcls", shade=options.shade)

    def abundance(self, layout: Layout) -> VarSpec:
        """Declare abundances that sum to one; under explicit shade, together with it."""
        return VarSpec(
            ("endmember", "y", "x"),
            attrs={"long_name": "abundance", "units": "1", "shade": self.options.shade},
            range=(0.0, 1.0),
            sum="one",
        )

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare what all stages do, and the endmembers with the shade among them."""
        out = super().outputs(layout)
        if self.options.shade == "explicit":
            out["endmembers"] = VarSpec(("endmember", "band"), scope="scene", attrs={"scale": layout.scale})
        return out

    def fit_needs(self, layout: Layout) -> FitNeeds | None:
        """Ask for pixels to learn the noise from, or for one, as only a fit can name an endmember."""
        needs = super().fit_needs(layout)
        return FitNeeds("pixels", 1) if needs is None and self.options.shade == "explicit" else needs

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the noise if it is needed, and add the shade to the endmembers."""
        state = super().fit(sample, ctx)
        if self.options.shade != "explicit":
            return state
        E = sample["endmembers"].transpose("endmember", "band")
        names = [str(name) for name in E["endmember"].values]
        if SHADE in names:
            raise ConfigError(
                f"an endmember is called {SHADE!r} already",
                "endmembers without shade; fcls adds it",
                "Leave it out (--drop shade), or say -o fcls.shade=none",
            )
        values = np.r_[E.values, np.zeros((1, E.sizes["band"]), E.dtype)].astype(np.float32)
        return state.assign(endmembers=(("endmember", "band"), values)).assign_coords(endmember=[*names, SHADE])

"""The stage ``bvls``: abundances between bounds, sum free."""

from __future__ import annotations

from hsgeo.plugin import Layout, VarSpec
from hsgeo_classical.abundance.kernel import Problem
from hsgeo_classical.abundance.stage import AbundanceStage
from hsgeo_classical.config import BvlsOptions

__all__ = ["Bvls"]


class Bvls(AbundanceStage):
    """Estimate abundances between a lower and an upper bound (`hsgeo.spectra.solvers.bvls`).

    Parameters
    ----------
    options : BvlsOptions
        Bounds, weights, errors.
    """

    name = "bvls"
    options: BvlsOptions

    def problem(self, scale: str) -> Problem:
        """Solve between the bounds."""
        return Problem("bvls", lower=self.options.lower, upper=self.options.upper)

    def abundance(self, layout: Layout) -> VarSpec:
        """Declare abundances of any sum, within the bounds."""
        return VarSpec(
            ("endmember", "y", "x"),
            attrs={"long_name": "abundance", "units": "1"},
            range=(self.options.lower, self.options.upper),
            sum="free",
        )

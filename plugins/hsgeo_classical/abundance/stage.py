"""The shared body of the abundance stages: one exact solve per pixel."""

from __future__ import annotations

from typing import ClassVar, Literal

import xarray as xr

from hsgeo.plugin import ApplyContext, ConfigError, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo.spectra.solvers import mixing_model, solve_block

__all__ = ["AbundanceKernel", "AbundanceStage"]

_BATCH = 4096  # 3 MB of 200 bands: large enough to hide the call, small enough for a core's cache


class AbundanceKernel:
    """Solve blocks of pixels with fixed endmembers.

    Parameters
    ----------
    endmembers : xarray.DataArray
        ``(endmember, band)``.
    constraint : {"fcls", "nnls", "ucls"}
        The problem.
    """

    def __init__(self, endmembers: xr.DataArray, constraint: Literal["fcls", "nnls", "ucls"]) -> None:
        E = endmembers.transpose("endmember", "band")
        self._names = E["endmember"].values
        self._model = mixing_model(E.values.T, constraint)

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance (endmember, pixel)`` and ``rmse (pixel)``; missing bands are left out of the solve."""
        A, rmse = solve_block(windows["spectra"].transpose("band", "pixel").values, self._model)
        return xr.Dataset(
            {"abundance": (("endmember", "pixel"), A), "rmse": ("pixel", rmse)}, {"endmember": self._names}
        )

    def close(self) -> None:
        """Nothing is held."""


class AbundanceStage:
    """What `fcls`, `nnls` and `ucls` have in common.

    Parameters
    ----------
    options : None
        These stages have none.
    """

    constraint: ClassVar[Literal["fcls", "nnls", "ucls"]]
    total: ClassVar[Literal["one", "free"]]
    range: ClassVar[tuple[float, float] | None]

    def __init__(self, options: object = None) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for blocks of 4096 pixels."""
        count = len(layout.endmembers or ()) or 16
        return Needs(batch=_BATCH, memory=Memory(fixed=2**24, per_pixel=4 * (count + 1) + 4 * layout.bands))

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``abundance (endmember, y, x)`` and ``rmse (y, x)``."""
        units = "1" if layout.quantity == "reflectance" else layout.quantity
        return {
            "abundance": VarSpec(
                ("endmember", "y", "x"),
                attrs={"long_name": "abundance", "units": "1"},
                range=self.range,
                sum=self.total,
            ),
            "rmse": VarSpec(
                ("y", "x"),
                attrs={"long_name": "root mean square residual over the valid bands", "units": units},
                range=(0.0, float("inf")),
            ),
        }

    def fit_needs(self, layout: Layout) -> FitNeeds | None:
        """Ask for nothing: there is nothing to learn."""
        return None

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn nothing."""
        return xr.Dataset()

    def setup(self, state: xr.Dataset, device: str) -> AbundanceKernel:
        """Factorise for the endmembers in ``state``."""
        if "endmembers" not in state:
            raise ConfigError(
                f"{self.constraint} has no endmembers to solve with",
                "a stage before it that writes endmembers, or a library",
                "Put archetypes before it in the recipe, or give --endmembers",
            )
        return AbundanceKernel(state["endmembers"], self.constraint)

"""The stage ``sunsal``: few of many endmembers in every pixel."""

from __future__ import annotations

import xarray as xr

from hsgeo.plugin import ApplyContext, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo.spectra.solvers.sunsal import SparseModel, solve_sparse_block, sparse_model
from hsgeo_classical.abundance.sparse import SPARSE, noise_fit_needs, noise_level, price, spectra_of
from hsgeo_classical.config import SunsalOptions

__all__ = ["Sunsal", "SunsalKernel"]

_BATCH = 4096  # 3 MB of 200 bands: large enough to hide the call, small enough for a core's cache


class SunsalKernel:
    """Solve blocks of pixels with a fixed library.

    Parameters
    ----------
    model : SparseModel
        The library made ready.
    names : sequence of str
        Of its spectra.
    """

    def __init__(self, model: SparseModel, names: object) -> None:
        self._model, self._names = model, names

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance (endmember, pixel)`` and ``rmse (pixel)``; missing bands are left out of the solve."""
        A, rmse = solve_sparse_block(windows["spectra"].transpose("band", "pixel").values, self._model)
        return xr.Dataset(
            {"abundance": (("endmember", "pixel"), A), "rmse": ("pixel", rmse)}, {"endmember": self._names}
        )

    def close(self) -> None:
        """Nothing is held."""


class Sunsal:
    """Estimate sparse abundances (`hsgeo.spectra.solvers.sunsal`).

    Parameters
    ----------
    options : SunsalOptions
        The price, and whether abundances sum to one.
    """

    def __init__(self, options: SunsalOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for blocks of 4096 pixels."""
        count = len(layout.endmembers or ()) or 16
        # the Gram matrix, the Cholesky factor, and the right sides of 256 pixels
        fixed = 2**24 + 16 * count**2 + 8 * 256 * (count + layout.bands)
        return Needs(batch=_BATCH, memory=Memory(fixed=fixed, per_pixel=4 * (count + 1) + 4 * layout.bands))

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``abundance (endmember, y, x)`` and ``rmse (y, x)``."""
        one = self.options.sum_to_one
        return {
            "abundance": VarSpec(
                ("endmember", "y", "x"),
                attrs={"long_name": "abundance", "units": "1"},
                range=(0.0, 1.0 if one else float("inf")),
                sum="one" if one else "free",
            ),
            "rmse": VarSpec(
                ("y", "x"),
                attrs={"long_name": "root mean square residual over the valid bands", "units": layout.units},
                range=(0.0, float("inf")),
            ),
        }

    def fit_needs(self, layout: Layout) -> FitNeeds | None:
        """Ask for pixels to learn the noise from, if the price follows it."""
        return noise_fit_needs(layout) if self.options.lam == "auto" and not self.options.sum_to_one else None

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the noise."""
        return noise_level(sample)

    def setup(self, state: xr.Dataset, device: str) -> SunsalKernel:
        """Make the library in ``state`` ready."""
        E = spectra_of(state, "sunsal")
        level = float(state["noise_level"]) if "noise_level" in state else 0.0
        lam = price(self.options.lam, E, level=level, share=SPARSE)
        model = sparse_model(E, lam=lam, sum_to_one=self.options.sum_to_one)
        return SunsalKernel(model, state["endmember"].values)

"""The stage ``sma``: random combinations of library spectra, mean or best, with their spread."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ApplyContext, FitContext, Layout, VarSpec
from hsgeo_classical.config import SmaOptions
from hsgeo_classical.mesma.montecarlo import (
    MonteCarloModel,
    draw_combinations,
    monte_carlo_block,
    monte_carlo_model,
    pixel_keys,
)
from hsgeo_classical.mesma.stage import LibraryStage, library_of

__all__ = ["Sma"]


class _Kernel:
    """Unmix blocks of pixels with every draw.

    Parameters
    ----------
    model : MonteCarloModel
        Library and draws made ready.
    """

    def __init__(self, model: MonteCarloModel) -> None:
        self._model = model

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance``, ``gain``, ``rmse`` and, for more than one draw, ``abundance_std``."""
        Y = np.ascontiguousarray(windows["spectra"].transpose("band", "pixel").values, dtype=np.float32)
        keys = pixel_keys(windows["row"].values, windows["col"].values, ctx.seed)
        F, std, gain, rmse = monte_carlo_block(Y, self._model, keys)
        found = {
            "abundance": (("endmember", "pixel"), F.astype(np.float32)),
            "gain": ("pixel", gain.astype(np.float32)),
            "rmse": ("pixel", rmse.astype(np.float32)),
        }
        if len(self._model.draws) > 1:
            found["abundance_std"] = (("endmember", "pixel"), std.astype(np.float32))
        return xr.Dataset(found)

    def close(self) -> None:
        """Nothing is held."""


class Sma(LibraryStage):
    """Unmix with random combinations of spectra (`hsgeo_classical.mesma.montecarlo.monte_carlo`).

    Parameters
    ----------
    options : SmaOptions
        Mode, draws, normalization, uncertainty.
    """

    def __init__(self, options: SmaOptions) -> None:
        super().__init__(options)
        self.options: SmaOptions = options

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``gain (y, x)`` and, for more than one draw, ``abundance_std (endmember, y, x)`` besides."""
        what = "sum of the coefficients before they were made fractions"
        more = {"gain": VarSpec(("y", "x"), attrs={"long_name": what, "units": "1"}, range=(0.0, float("inf")))}
        if self.options.draws > 1:
            text = "standard deviation of the fraction over the draws"
            more["abundance_std"] = VarSpec(
                ("endmember", "y", "x"), attrs={"long_name": text, "units": "1"}, range=(0.0, 1.0)
            )
        return super().outputs(layout) | more

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Name the classes and draw the combinations, the same for all pixels."""
        o = self.options
        draws = draw_combinations(
            library_of(sample, shade=False),
            ctx.rng(),
            mode="sma" if o.mode.startswith("sma") else "mesma",
            draws=o.draws,
            num_endmembers=o.num_endmembers,
            max_combinations=o.max_combinations,
        )
        self._model(sample, draws)  # what cannot be normalised is refused before a tile is begun
        return super().fit(sample, ctx).assign(draws=(("draw", "combination", "pick"), draws))

    def setup(self, state: xr.Dataset, device: str) -> _Kernel:
        """Make library and draws ready."""
        return _Kernel(self._model(state, np.ascontiguousarray(state["draws"].values, dtype=np.int64)))

    def _model(self, state: xr.Dataset, draws: np.ndarray) -> MonteCarloModel:
        o = self.options
        return monte_carlo_model(
            library_of(state, shade=False),
            draws,
            best=o.mode.endswith("-best"),
            normalization=o.normalization,
            wavelength=state["wavelength"].values,
            uncertainty=o.uncertainty,
        )

"""The stage ``mesma``: the best model with one spectrum per class, for every pixel."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ApplyContext, FitContext, Layout, VarSpec
from hsgeo_classical.config import MesmaOptions
from hsgeo_classical.mesma.search import Limits, MesmaModel, mesma_block, mesma_model, without_shade
from hsgeo_classical.mesma.stage import LibraryStage, library_of, one_sum

__all__ = ["Mesma"]


class _Kernel:
    """Search blocks of pixels.

    Parameters
    ----------
    model : MesmaModel
        The library made ready.
    options : MesmaOptions
        Of the stage.
    """

    def __init__(self, model: MesmaModel, options: MesmaOptions) -> None:
        self._model, self._options = model, options

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance``, ``model`` and ``rmse``; NaN and -1 where no model keeps the limits."""
        Y = np.ascontiguousarray(windows["spectra"].transpose("band", "pixel").values, dtype=np.float32)
        F, models, rmse = mesma_block(Y, self._model)
        if self._options.shade == "normalised":
            F = without_shade(F.T).T
        else:
            models = np.vstack([models, np.full((1, models.shape[1]), -1, models.dtype)])
        if self._options.bounded:
            F = one_sum(F)
        return xr.Dataset(
            {
                "abundance": (("endmember", "pixel"), F.astype(np.float32)),
                "model": (("endmember", "pixel"), models),
                "rmse": ("pixel", rmse.astype(np.float32)),
            }
        )

    def close(self) -> None:
        """Nothing is held."""


class Mesma(LibraryStage):
    """Take the best model of every pixel (`hsgeo_classical.mesma.search.mesma`).

    Parameters
    ----------
    options : MesmaOptions
        Levels, limits, shade.
    """

    def __init__(self, options: MesmaOptions) -> None:
        super().__init__(options)
        self.options: MesmaOptions = options
        self.shade = options.shade
        self.total = "one" if options.bounded else "free"

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``model (endmember, y, x)`` besides."""
        name = "position in the library, from 0, of the spectrum that stands for the class; -1: none"
        return super().outputs(layout) | {
            "model": VarSpec(("endmember", "y", "x"), dtype="int32", attrs={"long_name": name})
        }

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Name the classes, and refuse levels that they do not suffice for before a tile is begun."""
        self._model(sample)
        return super().fit(sample, ctx)

    def setup(self, state: xr.Dataset, device: str) -> _Kernel:
        """Make the library ready."""
        return _Kernel(self._model(state), self.options)

    def _model(self, state: xr.Dataset) -> MesmaModel:
        o = self.options
        limits = Limits(
            (o.min_fraction, o.max_fraction), (o.min_shade, o.max_shade), o.max_rmse, o.max_residual, o.residual_bands
        )
        library = library_of(state, shade=self.shade == "explicit")
        return mesma_model(library, levels=o.levels, limits=limits, fusion=o.fusion)

"""The shared body of the counting stages: they look at pixels and write ``count`` and ``noise``."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin import FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo_classical.sample import pixels_of

__all__ = ["CountingStage"]


class CountingStage:
    """What ``hysime`` and ``nwhfc`` have in common.

    Parameters
    ----------
    options : pydantic.BaseModel
        With ``most``.
    """

    def __init__(self, options: Any) -> None:
        self.options = options

    def find(self, Y: np.ndarray) -> tuple[int, np.ndarray]:
        """Count in pixels ``(pixels, bands)``: how many, and the noise of every band ``(bands,)``."""
        raise NotImplementedError

    def needs(self, layout: Layout) -> Needs:
        """Ask for nothing on tiles: this stage only fits."""
        return Needs()

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``count`` and ``noise (band)``."""
        return {
            "count": VarSpec(
                (), dtype="int64", scope="scene", attrs={"long_name": "number of endmembers found in the data"}
            ),
            "noise": VarSpec(
                ("band",), scope="scene", attrs={"long_name": "standard deviation of the noise, units of the spectra"}
            ),
        }

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for 100,000 screened pixels."""
        return FitNeeds("pixels", 100_000, memory=Memory(fixed=64 * 2**20, per_pixel=12 * layout.bands))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Count in the sample; ``dimension`` keeps what was found before the bounds."""
        Y = pixels_of(sample).Y
        found, noise = self.find(Y.T)
        count = max(1, min(found, self.options.most, *Y.shape))
        return xr.Dataset(
            {"count": ((), np.int64(count)), "noise": ("band", noise.astype(np.float32))}, attrs={"dimension": found}
        )

    def setup(self, state: xr.Dataset, device: str) -> None:
        """Nothing to do on tiles."""
        return

"""The stage ``hybridstu``: what it needs, what it learns of the scene, and its kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec, Window
from hsgeo.spectra.noise import noise_std
from hsgeo_hybridstu.config import HybridstuOptions
from hsgeo_hybridstu.estimate import mixing

__all__ = ["HybridStuStage"]

_WINDOW = Window(128, 96)  # 16 pixels are blended at every border; larger windows gain little and hold more memory
_BATCH = 4  # windows: what a GPU takes at once; a CPU takes them one by one
_SAMPLE = 20_000  # pixels of the noise estimate: a band's noise within 0.5 %
_QUIETEST = 0.01  # of the median noise: a band quieter than that is dead or made up
WEIGHTS = "hybridstu-zero"


class HybridStuStage:
    """Estimate abundances from each pixel and its neighbours with a 3-D and 2-D convolutional network.

    It starts from the closed form of the convention (`fcls`, with a gain per pixel if the endmembers are scaled to
    peak 1), and moves it by no more than the noise allows, so that without noise it is the closed form.

    Parameters
    ----------
    options : HybridstuOptions
        Mode, gain, weights.
    """

    def __init__(self, options: HybridstuOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for windows of 128 pixels, 96 of which are kept."""
        count = len(layout.endmembers or ()) or 16
        # float32: the maps, a quarter of the volume's 80 channels, and about ten layers of 32 channels; the data thrice
        per_pixel = 4 * (count * (8 + 20 + 320) + 3 * layout.bands)
        fixed = 2**26 + _BATCH * per_pixel * 128**2 // 4
        return Needs(
            window=_WINDOW,
            batch=_BATCH,
            device=("cpu", "cuda"),
            memory=Memory(fixed=fixed, per_pixel=4 * (count + 3)),
            tolerance=2e-2,  # bfloat16 on a GPU: a correction of 0.5 at most, with 8 bits
        )

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``abundance (endmember, y, x)``, ``rmse`` and, with a gain per pixel, ``gain (y, x)``."""
        units = "1" if layout.quantity == "reflectance" else layout.quantity
        out = {
            "abundance": VarSpec(
                ("endmember", "y", "x"),
                attrs={"long_name": "abundance", "units": "1", "shade": "none"},
                range=(0.0, 1.0),
                sum="one",
            ),
            "rmse": VarSpec(
                ("y", "x"),
                attrs={"long_name": "root mean square residual over the valid bands", "units": units},
                range=(0.0, float("inf")),
            ),
        }
        if self._peak(layout.scale):
            out["gain"] = VarSpec(
                ("y", "x"),
                attrs={"long_name": "per-pixel gain: spectrum = gain * sum of abundance * endmember"},
                range=(0.0, float("inf")),
            )
        return out

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for pixels to learn the noise from."""
        fixed = 2**22 + 3 * 8192 * 8 * layout.bands + 8 * 8 * layout.bands**2
        return FitNeeds("pixels", _SAMPLE, memory=Memory(fixed=fixed, per_pixel=4 * layout.bands))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the noise of every band, and which weights are used."""
        noise = noise_std(sample["spectra"].transpose("pixel", "band").values)
        return xr.Dataset({"band_noise": ("band", _not_dead(noise))})

    def setup(self, state: xr.Dataset, device: str) -> object:
        """Load the network."""
        from hsgeo_hybridstu.kernel import ZeroKernel, load_network

        if "endmembers" not in state:
            raise ConfigError(
                "hybridstu has no endmembers to start from",
                "a stage before it that writes endmembers, or a library",
                "Put archetypes before it in the recipe, or give --endmembers",
            )
        endmembers = state["endmembers"].transpose("endmember", "band")
        mix = mixing(
            endmembers.values.T,
            state["band_noise"].values,
            peak=self._peak(str(endmembers.attrs.get("scale", "physical"))),
        )
        return ZeroKernel(
            load_network(self._weights(), device=device),
            mix,
            names=endmembers["endmember"].values,
            wavelength=state["wavelength"].values,
            device=device,
        )

    def _peak(self, scale: str) -> bool:
        return self.options.gain == "pixel" or (self.options.gain == "auto" and scale == "peak")

    def _weights(self) -> Path:
        from hsgeo.plugin import shipped_weights

        return Path(self.options.weights) if self.options.weights else shipped_weights(WEIGHTS)


def _not_dead(noise: np.ndarray) -> np.ndarray:
    quietest = max(_QUIETEST * float(np.median(noise)), float(np.finfo(np.float32).tiny))
    return np.asarray(np.maximum(noise, quietest))

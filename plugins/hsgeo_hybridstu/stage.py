"""The stage ``hybridstu``: what it needs, what it learns of the scene, and its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec, Window
from hsgeo.spectra.calibrated import told_noise
from hsgeo.spectra.solvers.estimate import Mixing, mixing
from hsgeo_hybridstu.config import HybridstuOptions
from hsgeo_hybridstu.tokens import DRAWS, TOKENS
from hsgeo_hybridstu.weights import NETWORK

if TYPE_CHECKING:
    from hsgeo_hybridstu.network import HybridSTU

__all__ = ["HybridStuStage"]

_WINDOW = Window(128, 96)  # 16 pixels are blended at every border; larger windows gain little and hold more memory
_BATCH = 4  # windows: what a GPU takes at once; a CPU takes them one by one
_SAMPLE = 20_000  # pixels of the noise estimate: a band's noise within 0.5 %
_LEARNT = 65_536  # pixels of the mode scene: sixteen patches, or the whole of a small scene
_PATCH = 64  # their side


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
        fixed = 2**26 + per_pixel * 128**2  # one window at a time; 16 where the count is not known yet
        return Needs(
            window=_WINDOW,
            batch=_BATCH,
            device=("cpu", "cuda"),
            memory=Memory(fixed=fixed, per_pixel=4 * (count + 3)),
            tolerance=2e-2,  # bfloat16 on a GPU: a correction of 0.5 at most, with 8 bits
        )

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``abundance (endmember, y, x)``, ``rmse`` and, with a gain per pixel, ``gain (y, x)``."""
        out = {
            "abundance": VarSpec(
                ("endmember", "y", "x"),
                attrs={"long_name": "abundance", "units": "1", "shade": "none"},
                range=(0.0, 1.0),
                sum="one",
            ),
            "rmse": VarSpec(
                ("y", "x"),
                attrs={"long_name": "root mean square residual over the valid bands", "units": layout.units},
                range=(0.0, float("inf")),
            ),
        }
        if self._peak(layout.scale):
            out["gain"] = VarSpec(
                ("y", "x"),
                attrs={"long_name": "per-pixel gain: spectrum = gain * sum of abundance * endmember"},
                range=(0.0, float("inf")),
            )
        if self.options.mode == "scene" and self.options.endmembers == "refine":
            out["endmembers"] = VarSpec(("endmember", "band"), scope="scene", attrs={"scale": layout.scale})
        return out

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for pixels to learn the noise from, or for patches to fit the scene's own network to."""
        count = len(layout.endmembers or ()) or 16
        if self.options.mode == "scene":
            per_pixel = 4 * (4 * layout.bands + DRAWS * (TOKENS + 6 * count + layout.bands))
            return FitNeeds("patches", _LEARNT, patch=_PATCH, memory=Memory(fixed=2**29, per_pixel=per_pixel))
        fixed = 2**22 + 3 * 8192 * 8 * layout.bands + 8 * 8 * layout.bands**2
        return FitNeeds("pixels", _SAMPLE, memory=Memory(fixed=fixed, per_pixel=4 * layout.bands))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the noise of every band, which weights are used, and in the mode scene a network of its own."""
        spectra = sample["spectra"]
        pixels = spectra.transpose(*(d for d in spectra.dims if d != "band"), "band").values
        noise = told_noise(pixels.reshape(-1, pixels.shape[-1]))
        network, record = NETWORK.first(self.options.weights)
        state = xr.Dataset({"band_noise": ("band", noise)}, attrs=record)
        return state if self.options.mode == "zero" else self._fit_scene(sample, state, network, ctx)

    def _fit_scene(self, sample: xr.Dataset, state: xr.Dataset, network: HybridSTU, ctx: FitContext) -> xr.Dataset:
        from hsgeo.nn.threads import one_thread
        from hsgeo_hybridstu.scene import fit_scene

        endmembers = self._endmembers(sample)
        with one_thread():
            found = fit_scene(
                sample["spectra"].transpose("patch", "band", "y", "x").values,
                sample["wavelength"].values,
                self._mixing(endmembers, state),
                network,
                options=self.options,
                rng=ctx.rng(1),
                labels=sample["label"].transpose("patch", "y", "x").values if "label" in sample else None,
                report=ctx.report,
            )
        state = state.assign(
            scene_network=("weight", found.weights),
            scene_groups=(("token", "band"), found.groups),
            scene_strength=((), found.strength),
            scene_error=(("when",), np.array([found.before, found.after])),
        )
        if self.options.endmembers == "refine":
            refined = endmembers.copy(data=found.endmembers.T.astype(np.float32))
            state = state.assign(endmembers=refined.variable).assign_coords(endmember=endmembers["endmember"].values)
        return state

    def setup(self, state: xr.Dataset, device: str) -> object:
        """Load the network, and the scene's own if there is one."""
        # first of all: it tells where torch is missing
        network = NETWORK.same(self.options.weights, state.attrs, device=device)
        from hsgeo_hybridstu.kernel import HybridStuKernel, SceneCorrection

        endmembers = self._endmembers(state)
        scene = None
        if self.options.mode == "scene":
            from hsgeo_hybridstu.scene_network import unpacked

            scene = SceneCorrection(
                unpacked(state["scene_network"].values, endmembers.sizes["endmember"]),
                float(state["scene_strength"]),
                state["scene_groups"].transpose("token", "band").values,
            )
        return HybridStuKernel(
            network,
            self._mixing(endmembers, state),
            names=endmembers["endmember"].values,
            wavelength=state["wavelength"].values,
            scene=scene,
            device=device,
        )

    def _endmembers(self, known: xr.Dataset) -> xr.DataArray:
        if "endmembers" not in known:
            raise ConfigError(
                "hybridstu has no endmembers to start from",
                "a stage before it that writes endmembers, or a library",
                "Put archetypes before it in the recipe, or give --endmembers",
            )
        return known["endmembers"].transpose("endmember", "band")

    def _mixing(self, endmembers: xr.DataArray, state: xr.Dataset) -> Mixing:
        peak = self._peak(str(endmembers.attrs.get("scale", "physical")))
        return mixing(endmembers.values.T, state["band_noise"].values, peak=peak)

    def _peak(self, scale: str) -> bool:
        return self.options.gain == "pixel" or (self.options.gain == "auto" and scale == "peak")

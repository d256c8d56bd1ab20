"""The stage ``vector-tv``: abundances smoothed in units of the noise, window by window."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ApplyContext, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec, Window
from hsgeo.spectra.calibrated import calibrated_noise
from hsgeo.spectra.solvers import VectorTvModel, choose_weight, residual_rmse, solve_vector_tv, vector_tv_model
from hsgeo_classical.abundance.sparse import noise_fit_needs, spectra_of
from hsgeo_classical.config import VectorTvOptions

__all__ = ["VectorTv", "VectorTvKernel"]

_LEARNT = 65_536  # pixels: sixteen patches, or the whole of a small scene; the estimates of weights part at far fewer
_PATCH = 64  # their side, twice the reach of strong smoothing


class VectorTvKernel:
    """Solve windows with fixed endmembers, noise and weight.

    Parameters
    ----------
    model : VectorTvModel
        Endmembers and noise.
    names : sequence of str
        Of the endmembers.
    weight : float
        Units of the noise.
    rounds : int
        Of the smoothing.
    """

    def __init__(self, model: VectorTvModel, names: object, *, weight: float, rounds: int) -> None:
        self._model, self._names, self._weight, self._rounds = model, names, weight, rounds

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance (window, endmember, y, x)``, ``rmse`` and ``gain (window, y, x)``, if there is one."""
        Y = windows["spectra"].transpose("window", "band", "y", "x").values
        maps: dict[str, list[np.ndarray]] = {"abundance": [], "gain": [], "rmse": []}
        for image in Y:
            A, gain = solve_vector_tv(image, self._model, weight=self._weight, rounds=self._rounds)
            rmse = residual_rmse(image.reshape(len(image), -1), self._model.E, (A * gain).reshape(len(A), -1))
            maps["abundance"].append(A)
            maps["gain"].append(gain)
            maps["rmse"].append(rmse.reshape(gain.shape))
        if not self._model.peak:
            del maps["gain"]
        dims = {"abundance": ("window", "endmember", "y", "x")}
        return xr.Dataset(
            {name: (dims.get(name, ("window", "y", "x")), np.stack(found)) for name, found in maps.items()},
            {"endmember": self._names},
        )

    def close(self) -> None:
        """Nothing is held."""


class VectorTv:
    """Estimate abundances from each pixel and its neighbours by total variation (`hsgeo.spectra.solvers.vector_tv`).

    A window is smoothed with a margin around the part that is kept; overlaps are blended.

    Parameters
    ----------
    options : VectorTvOptions
        Weight, gain, window.
    """

    def __init__(self, options: VectorTvOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for windows, one at a time."""
        count = len(layout.endmembers or ()) or 16
        window = Window(self.options.core + 2 * self.options.margin, self.options.core)
        # float32: four duals and six maps of every channel; the data as they are, filled, less the origin, and moved
        per_pixel = 4 * (12 * count + 6 * layout.bands)
        return Needs(window=window, batch=1, memory=Memory(fixed=2**22, per_pixel=per_pixel))

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
        return out

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for pixels to learn the noise from, or for patches to choose the weight on."""
        if self.options.weight != "auto":
            return noise_fit_needs(layout)
        count = len(layout.endmembers or ()) or 16
        noise = noise_fit_needs(layout).memory
        # float64: coordinates, what is solved, its change and its error
        return FitNeeds(
            "patches",
            _LEARNT,
            patch=_PATCH,
            memory=Memory(fixed=noise.fixed, per_pixel=noise.per_pixel + 8 * layout.bands + 80 * count),
        )

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the noise of every band, and choose the weight."""
        spectra = sample["spectra"]
        pixels = spectra.transpose(*(d for d in spectra.dims if d != "band"), "band").values
        noise = calibrated_noise(pixels.reshape(-1, pixels.shape[-1]))
        state = xr.Dataset({"band_noise": ("band", noise)})
        if self.options.weight != "auto":
            return state
        patches = spectra.transpose("patch", "band", "y", "x").values
        model = self._model(sample, noise)
        found = choose_weight(list(patches), model, rng=ctx.rng(1), rounds=self.options.iterations)
        return state.assign(
            tv_weight=((), found.weight),
            tv_weights=("tried", found.weights),
            tv_error=("tried", found.abundance),
        )

    def setup(self, state: xr.Dataset, device: str) -> VectorTvKernel:
        """Set the coordinates for the endmembers and the noise in ``state``."""
        model = self._model(state, state["band_noise"].values)
        weight = float(state["tv_weight"]) if self.options.weight == "auto" else self.options.weight
        return VectorTvKernel(model, state["endmember"].values, weight=weight, rounds=self.options.iterations)

    def _model(self, known: xr.Dataset, noise: np.ndarray) -> VectorTvModel:
        E = spectra_of(known, "vector-tv")
        return vector_tv_model(E, noise, peak=self._peak(str(known["endmembers"].attrs.get("scale", "physical"))))

    def _peak(self, scale: str) -> bool:
        return self.options.gain == "pixel" or (self.options.gain == "auto" and scale == "peak")

"""The shared body of the abundance stages: what they declare, and the noise they learn when they are asked to."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo.spectra.noise import noise_std
from hsgeo_classical.abundance.kernel import AbundanceKernel, Problem
from hsgeo_classical.config import AbundanceOptions

__all__ = ["AbundanceStage"]

_BATCH = 4096  # 3 MB of 200 bands: large enough to hide the call, small enough for a core's cache
_SAMPLE = 20_000  # pixels of the noise estimate: a band's noise within 0.5 %, better than the model of it
_QUIETEST = 0.01  # of the median noise: a band quieter than that is dead or made up, and must not rule the solve


class AbundanceStage:
    """What `fcls`, `nnls`, `ucls` and `bvls` have in common.

    Parameters
    ----------
    options : AbundanceOptions
        Weights and errors.
    """

    name: str = ""

    def __init__(self, options: AbundanceOptions) -> None:
        self.options = options

    def problem(self, scale: str) -> Problem:
        """Say what is solved in every pixel, given what the lengths of the endmembers mean."""
        raise NotImplementedError

    def abundance(self, layout: Layout) -> VarSpec:
        """Declare ``abundance``."""
        raise NotImplementedError

    def needs(self, layout: Layout) -> Needs:
        """Ask for blocks of 4096 pixels."""
        count = (len(layout.endmembers or ()) or 16) + 1
        per_pixel = 4 * (count + 1) + 4 * layout.bands
        if self.options.weights != "none":
            per_pixel += 4 * layout.bands
        if self.options.std:
            per_pixel += 64 * count + layout.bands
        return Needs(batch=_BATCH, device=("cpu", "cuda"), memory=Memory(fixed=2**24, per_pixel=per_pixel))

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``abundance (endmember, y, x)``, ``rmse (y, x)``, and what the options add."""
        problem = self.problem(layout.scale)
        out = {
            "abundance": self.abundance(layout),
            "rmse": VarSpec(
                ("y", "x"),
                attrs={"long_name": "root mean square residual over the valid bands", "units": layout.units},
                range=(0.0, float("inf")),
            ),
        }
        if problem.gain or problem.shade == "normalised":
            what = "1 - shade" if problem.shade == "normalised" else "per-pixel gain"
            out["gain"] = VarSpec(
                ("y", "x"),
                attrs={"long_name": f"{what}: spectrum = gain * sum of abundance * endmember"},
                range=(0.0, float("inf")),
            )
        if self.options.std:
            out["abundance_std"] = VarSpec(
                ("endmember", "y", "x"),
                attrs={"long_name": "standard deviation of the abundance that noise makes", "units": "1"},
                range=(0.0, float("inf")),
            )
        return out

    def fit_needs(self, layout: Layout) -> FitNeeds | None:
        """Ask for pixels to learn the noise from, if it is needed."""
        if not self._needs_noise:
            return None
        # float64 chunks of 8192 pixels, twice, and a few band by band matrices
        fixed = 2**22 + 3 * 8192 * 8 * layout.bands + 8 * 8 * layout.bands**2
        return FitNeeds("pixels", _SAMPLE, memory=Memory(fixed=fixed, per_pixel=4 * layout.bands))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Estimate the noise of every band (`hsgeo.spectra.noise.noise_std`), if it is needed."""
        if not self._needs_noise:
            return xr.Dataset()
        noise = noise_std(sample["spectra"].transpose("pixel", "band").values)
        quietest = max(_QUIETEST * float(np.median(noise)), float(np.finfo(np.float32).tiny))
        return xr.Dataset({"band_noise": ("band", np.maximum(noise, quietest))})

    def setup(self, state: xr.Dataset, device: str) -> AbundanceKernel:
        """Factorise for the endmembers in ``state``."""
        if "endmembers" not in state:
            raise ConfigError(
                f"{self.name} has no endmembers to solve with",
                "a stage before it that writes endmembers, or a library",
                "Put archetypes before it in the recipe, or give --endmembers",
            )
        endmembers = state["endmembers"]
        return AbundanceKernel(
            endmembers,
            self.problem(str(endmembers.attrs.get("scale", "physical"))),
            noise=state["band_noise"].values if self._needs_noise else None,
            weighted=self.options.weights != "none",
            errors=self.options.std,
            device=device,
        )

    @property
    def _needs_noise(self) -> bool:
        return self.options.std or self.options.weights != "none"

"""The stage ``abundance-diffusion``: what it needs, what it learns of the scene, and its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec, Window
from hsgeo.spectra.calibrated import CAUTION, calibrated_noise
from hsgeo.spectra.solvers.estimate import Mixing, mixing
from hsgeo_diffusion.config import AbundanceDiffusionOptions
from hsgeo_diffusion.weights import ABUNDANCE

if TYPE_CHECKING:
    from hsgeo_diffusion.abundance.kernel import AbundanceDiffusionKernel

__all__ = ["AbundanceDiffusion"]

_WINDOW = Window(128, 96)  # 16 pixels are blended at every border
_LEARNT = 65_536  # pixels: four patches, or the whole of a small scene; they choose three shares and one weight
_NOISE = 20_000  # pixels of the noise estimate: a band's noise within 0.5 %
_PATCH = 128  # their side: as the windows, so that what is chosen is what will be done


class AbundanceDiffusion:
    """Refine abundances by what neighbours and experience say, as far as the noise makes them uncertain.

    Conditions of a diffusion network are each pixel's own estimate, its error, vectorial total variation at three
    weights, and the abundances of the stage before. Its answer at the highest noise level is the mean of the posterior.
    A share of it, of total variation, and of the pixelwise estimate makes the result, chosen by Stein's estimate of
    the error. Without noise nothing is moved.

    Parameters
    ----------
    options : AbundanceDiffusionOptions
        Choice, turns, samples, weights.
    """

    def __init__(self, options: AbundanceDiffusionOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for windows of 128 pixels, 96 of which are kept."""
        count = len(layout.endmembers or ()) or 16
        # float32: twenty maps, and about ten layers of 32 channels; the data thrice; samples and what sorts them
        per_pixel = 4 * (count * (20 + 320 + 3 * self.options.samples) + 3 * layout.bands)
        return Needs(
            window=_WINDOW,
            batch=1,  # windows go through the network one by one, and every one more is held in all its bands
            device=("cpu", "cuda"),
            memory=Memory(fixed=2**26 + per_pixel * _WINDOW.size**2, per_pixel=4 * (self._maps(count) + 4)),
            tolerance=2e-2,  # bfloat16 on a GPU: a correction of 0.5 at most, with 8 bits
        )

    def _maps(self, count: int) -> int:
        o = self.options
        return count * (1 + (bool(o.samples) * (1 + len(o.quantiles) + o.samples * (1 + o.keep_samples))))

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``abundance (endmember, y, x)``, ``rmse``, ``prior_influence`` and what the samples give."""
        o, maps = self.options, ("endmember", "y", "x")
        out = {
            "abundance": VarSpec(
                maps,
                attrs={"long_name": "abundance", "units": "1", "shade": "none"},
                range=(0.0, 1.0),
                sum="one",
            ),
            "rmse": VarSpec(
                ("y", "x"),
                attrs={"long_name": "root mean square residual over the valid bands", "units": layout.units},
                range=(0.0, float("inf")),
            ),
            "prior_influence": VarSpec(
                ("y", "x"),
                attrs={
                    "long_name": "share of the pixel that is not where its own spectrum alone would have it",
                    "units": "1",
                },
                range=(0.0, 1.0),
            ),
        }
        if self._peak(layout.scale):
            out["gain"] = VarSpec(
                ("y", "x"),
                attrs={"long_name": "per-pixel gain: spectrum = gain * sum of abundance * endmember"},
                range=(0.0, float("inf")),
            )
        if o.samples:
            out["abundance_std"] = VarSpec(
                maps,
                attrs={"long_name": "standard deviation of the abundance", "units": "1"},
                range=(0.0, 1.0),
            )
            out["abundance_quantile"] = VarSpec(
                ("quantile", *maps),
                attrs={"long_name": "quantiles of the abundance", "units": "1"},
                coords={"quantile": o.quantiles},
                range=(0.0, 1.0),
            )
        if o.samples and o.keep_samples:
            out["abundance_sample"] = VarSpec(
                ("sample", *maps),
                attrs={"long_name": "posterior samples of the abundance", "units": "1"},
                coords={"sample": tuple(range(o.samples))},
                range=(0.0, 1.0),
                sum="one",
            )
        return out

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for patches to learn the noise and the shares from."""
        count = len(layout.endmembers or ()) or 16
        # the noise: sums over bands; patches one by one through the network, twice, and what they gave
        per_pixel = 16 * layout.bands + 4 * count * 40
        fixed = 2**26 + 4 * count * 340 * _PATCH**2 + 64 * layout.bands**2
        return FitNeeds("patches", _LEARNT, patch=_PATCH, memory=Memory(fixed=fixed, per_pixel=per_pixel))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the noise of every band, which weights are used, and the shares of the candidates."""
        spectra = sample["spectra"].transpose("patch", "band", "y", "x").values
        noise = calibrated_noise(_pixels(spectra))
        told = CAUTION * noise
        ABUNDANCE.check()
        network, record = ABUNDANCE.first(self.options.weights) if self._networked else (None, {})
        from hsgeo.nn.threads import one_thread
        from hsgeo_diffusion.abundance.fitting import learnt

        with one_thread():
            found = learnt(sample, self._mixing(sample, told), noise, network, options=self.options, ctx=ctx)
        return found.assign(band_noise=("band", told)).assign_attrs(record)

    def setup(self, state: xr.Dataset, device: str) -> AbundanceDiffusionKernel:
        """Load the network, and set up the endmembers and the noise in ``state``."""
        ABUNDANCE.check()
        network: Any = None
        if self._networked:
            network = ABUNDANCE.same(self.options.weights, state.attrs, device=device)
        from hsgeo_diffusion.abundance.kernel import AbundanceDiffusionKernel
        from hsgeo_diffusion.abundance.knowledge import knowledge

        known = knowledge(
            self._mixing(state, state["band_noise"].values),
            state["wavelength"].values,
            band_weight=state["band_weight"].values,
            tv_weight=float(state["tv_weight"]),
            informed=bool(state["informed"]),
            shares=tuple(float(share) for share in state["share"].values),
        )
        names = state["endmembers"]["endmember"].values
        return AbundanceDiffusionKernel(network, known, names=names, options=self.options, device=device)

    @property
    def _networked(self) -> bool:
        return self.options.choose in ("blend", "network") or self.options.samples > 0

    def _mixing(self, known: xr.Dataset, noise: np.ndarray) -> Mixing:
        if "endmembers" not in known:
            raise ConfigError(
                "abundance-diffusion has no endmembers",
                "a stage before it that writes endmembers, or a library",
                "Put archetypes and hybridstu before it in the recipe, or give --endmembers",
            )
        E = known["endmembers"].transpose("endmember", "band")
        peak = self._peak(str(E.attrs.get("scale", "physical")))
        return mixing(E.values.T, noise, peak=peak)

    def _peak(self, scale: str) -> bool:
        return self.options.gain == "pixel" or (self.options.gain == "auto" and scale == "peak")


def _pixels(spectra: np.ndarray) -> np.ndarray:
    """Take every so many of the valid pixels of patches ``(patch, band, y, x)``, as ``(pixel, band)``."""
    known = np.isfinite(spectra).all(axis=1)
    if not known.any():  # then their size alone is told
        known = np.isfinite(spectra).any(axis=1)
    patch, y, x = np.nonzero(known)
    step = max(1, len(patch) // _NOISE)
    return np.ascontiguousarray(spectra[patch[::step], :, y[::step], x[::step]])

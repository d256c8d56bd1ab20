"""The options of the classical stages."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "AbundanceOptions",
    "ArchetypesOptions",
    "AtgpOptions",
    "BundlesOptions",
    "BvlsOptions",
    "CountingOptions",
    "DenoiseOptions",
    "DestripeOptions",
    "FclsOptions",
    "MesmaOptions",
    "NfindrOptions",
    "NoiseOptions",
    "NwhfcOptions",
    "SisalOptions",
    "SivmOptions",
    "SmaOptions",
    "SunsalOptions",
    "SunsalTvOptions",
    "VcaOptions",
    "VectorTvOptions",
]

Count = Annotated[int, Field(ge=1, le=64)] | Literal["auto"]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Extraction(_Options):
    count: Count = Field("auto", description="number of endmembers, 1 to 64, or 'auto' to count them in the data")
    scale: Literal["physical", "peak"] = Field(
        "physical",
        description="length of the endmembers: 'physical' (units of the scene, as its purest pixels have) "
        "or 'peak' (highest band 1, no unit; fcls then gives each pixel a gain)",
    )
    quantile: float = Field(
        0.5, ge=0, le=1, description="scale 'physical': which quantile of the purest pixels' lengths, 0 to 1"
    )


class ArchetypesOptions(_Extraction):
    """Options of ``archetypes``."""

    restarts: int = Field(128, ge=1, le=1000, description="random starts of the archetypal analysis; the best is kept")


class VcaOptions(_Extraction):
    """Options of ``vca``."""

    restarts: int = Field(
        10, ge=1, le=1000, description="random draws of which the largest simplex is kept; 1 is the published method"
    )


class _Corners(_Options):
    count: Count = Field(
        "auto",
        description="number of endmembers, 1 to 64, or 'auto': the count of an earlier stage, else counted in the data",
    )
    scale: Literal["physical", "peak"] = Field(
        "physical",
        description="length of the endmembers: 'physical' (as found, units of the scene) or 'peak' (highest band 1, no "
        "unit; fcls then gives each pixel a gain)",
    )


class NfindrOptions(_Corners):
    """Options of ``nfindr``."""

    restarts: int = Field(10, ge=1, le=1000, description="starts of which the largest simplex is kept")


class SivmOptions(_Corners):
    """Options of ``sivm``."""


class AtgpOptions(_Corners):
    """Options of ``atgp``."""


class SisalOptions(_Corners):
    """Options of ``sisal``."""

    restarts: int = Field(10, ge=1, le=1000, description="starts of the simplex of pixels that the search begins with")
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["auto"] = Field(
        "auto",
        description="price of a mean abundance of -1: low lets pixels lie outside, high follows outliers; "
        "'auto' takes it from the noise and corrects the faces",
    )


class CountingOptions(_Options):
    """Options of ``hysime``, and of all stages that count."""

    most: int = Field(64, ge=1, le=64, description="largest count, whatever is found, 1 to 64")


class NwhfcOptions(CountingOptions):
    """Options of ``nwhfc``."""

    false_alarm: float = Field(1e-3, gt=0, lt=0.5, description="probability that noise is counted, per test")


class AbundanceOptions(_Options):
    """Options of ``nnls`` and ``ucls``, and of all stages that solve pixel by pixel."""

    weights: Literal["none", "noise"] = Field(
        "none", description="'noise': bands count by 1 / their noise, estimated in the scene; 'none': all alike"
    )
    std: bool = Field(
        False, description="also write abundance_std, the standard deviation that noise makes in each abundance"
    )


class FclsOptions(AbundanceOptions):
    """Options of ``fcls``."""

    gain: Literal["auto", "none", "pixel"] = Field(
        "auto",
        description="'pixel': each pixel has its own brightness, written as gain; 'auto': that, if the endmembers are "
        "scaled to peak 1 and no shade is asked for; 'none': never",
    )
    shade: Literal["none", "explicit", "normalised"] = Field(
        "none",
        description="'explicit': a zero spectrum as an endmember of its own, called shade; 'normalised': solved with "
        "it, then divided by 1 - shade, written as gain",
    )

    @model_validator(mode="after")
    def _either_gain_or_shade(self) -> Self:
        if self.gain == "pixel" and self.shade != "none":
            raise ValueError("gain 'pixel' and a shade say the same twice: a darker pixel is either")
        return self


class NoiseOptions(_Options):
    """Options of ``noise``."""

    method: Literal["regression", "differences"] = Field(
        "regression",
        description="noise is 'regression': what the other bands do not tell; 'differences': how neighbours differ",
    )


class DenoiseOptions(_Options):
    """Options of ``denoise``."""

    components: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="components kept, or 'auto': all that hold more than noise"
    )
    noise: Literal["differences", "regression"] = Field(
        "regression",
        description="how noise is told: 'differences' of neighbours (a full covariance), or 'regression' of each band "
        "on the others (one value per band)",
    )


class DestripeOptions(_Options):
    """Options of ``destripe``."""

    window: int = Field(401, ge=3, description="wider patterns are left to the scene, columns")
    gain: bool = Field(True, description="columns may multiply as well as add")


_Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)] | Literal["auto"]


class SunsalOptions(_Options):
    """Options of ``sunsal``."""

    lam: _Weight = Field(
        "auto",
        description="price of the sum of abundances, relative to the mean squared length of the endmembers: a spectrum "
        "that resembles no other loses this much abundance; 'auto' takes it from the noise of the scene",
    )
    sum_to_one: bool = Field(False, description="abundances sum to one; lam then changes nothing")


class SunsalTvOptions(SunsalOptions):
    """Options of ``sunsal-tv``."""

    lam_tv: _Weight = Field(
        "auto",
        description="price of a difference between neighbours, relative to the mean squared length of the endmembers; "
        "'auto' takes it from the noise of the scene",
    )
    core: int = Field(64, ge=4, le=1024, description="side of the part of a window that is kept, pixels")
    margin: int = Field(16, ge=1, le=256, description="pixels around it that are solved along and blended")
    iterations: int = Field(200, ge=1, le=100_000, description="most rounds per window")
    tolerance: float = Field(5e-4, gt=0, lt=1, description="relative residual at which a window is done")


class VectorTvOptions(_Options):
    """Options of ``vector-tv``."""

    weight: _Weight = Field(
        "auto",
        description="how much is smoothed, in units of the noise, 0 for nothing; 'auto': the weight with the lowest "
        "estimated error on patches of the scene",
    )
    gain: Literal["auto", "none", "pixel"] = Field(
        "auto",
        description="'pixel': each pixel has its own brightness, written as gain; 'auto': that, if the endmembers are "
        "scaled to peak 1; 'none': never",
    )
    core: int = Field(128, ge=4, le=1024, description="side of the part of a window that is kept, pixels")
    margin: int = Field(32, ge=1, le=256, description="pixels around it that are smoothed along and blended")
    iterations: int = Field(40, ge=1, le=10_000, description="rounds of the smoothing")


class BvlsOptions(AbundanceOptions):
    """Options of ``bvls``."""

    lower: float = Field(0.0, allow_inf_nan=False, description="lowest abundance, 1")
    upper: float = Field(1.0, allow_inf_nan=False, description="highest abundance, 1")

    @model_validator(mode="after")
    def _lower_below_upper(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError("lower is not below upper")
        return self


class MesmaOptions(_Options):
    """Options of ``mesma``; the limits are those of VIPER Tools."""

    levels: tuple[Annotated[int, Field(ge=2, le=5)], ...] = Field(
        (2, 3), min_length=1, description="endmembers of a model, shade counted: 2 to 5; 3 combines two classes"
    )
    fusion: float = Field(
        0.007, ge=0, description="a more complex model is taken when its rmse is lower by this, units of the data"
    )
    min_fraction: float = Field(-0.05, description="lowest fraction of a spectrum in a model")
    max_fraction: float = Field(1.05, description="highest fraction of a spectrum in a model")
    min_shade: float = Field(0.0, description="lowest fraction of shade in a model")
    max_shade: float = Field(0.8, description="highest fraction of shade in a model")
    max_rmse: float = Field(0.025, gt=0, description="largest rmse of a model, units of the data")
    max_residual: float | None = Field(
        None, gt=0, description="a model with residual_bands bands in a row beyond this is refused, units of the data"
    )
    residual_bands: int = Field(7, ge=1, description="see max_residual; number of bands")
    shade: Literal["explicit", "normalised"] = Field(
        "normalised",
        description="'explicit': an endmember of its own; 'normalised': divided out of the other fractions",
    )
    bounded: bool = Field(
        True, description="set negative fractions to zero and make the others sum to one; false: as the model has them"
    )

    @model_validator(mode="after")
    def _lowest_first(self) -> Self:
        if self.min_fraction > self.max_fraction or self.min_shade > self.max_shade:
            raise ValueError("a lowest fraction lies above its highest")
        return self


class SmaOptions(_Options):
    """Options of ``sma``; the defaults are EMIT's."""

    mode: Literal["sma", "sma-best", "mesma", "mesma-best"] = Field(
        "sma-best",
        description="'sma': num_endmembers spectra at a time; 'mesma': the best of max_combinations with one spectrum "
        "per class; mean over the draws, or (-best) the draw that fits best",
    )
    draws: int = Field(20, ge=1, le=1000, description="Monte-Carlo draws; more than 1 gives abundance_std")
    num_endmembers: int = Field(30, ge=1, description="spectra of a draw (modes sma), dealt evenly to the classes")
    max_combinations: int = Field(100, ge=1, description="combinations of a draw (modes mesma)")
    normalization: Literal["none", "brightness"] | float = Field(
        "brightness",
        description="what spectra and pixels are divided by: nothing, rms, or the value at a wavelength, nm",
    )
    uncertainty: float = Field(
        0.0, ge=0, description="standard deviation of the noise added in every draw, units of the data"
    )


class BundlesOptions(_Options):
    """Options of ``bundles``."""

    constraint: Literal["fcls", "nnls"] = Field("fcls", description="'fcls': summing to one; 'nnls': sum free")
    shade: Literal["none", "explicit", "normalised"] = Field(
        "normalised",
        description="'explicit': a zero spectrum as an endmember of its own; 'normalised': shade (nnls: the free sum) "
        "divided out of the class fractions",
    )

    @model_validator(mode="after")
    def _shade_needs_a_sum(self) -> Self:
        if self.constraint == "nnls" and self.shade == "explicit":
            raise ValueError("shade is explicit only where abundances sum to one (constraint fcls)")
        return self

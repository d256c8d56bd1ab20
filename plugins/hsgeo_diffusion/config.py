"""The options of the diffusion stages."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["AbundanceDiffusionOptions", "EndmemberDiffusionOptions"]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AbundanceDiffusionOptions(_Options):
    """Options of ``abundance-diffusion``."""

    gain: Literal["auto", "none", "pixel"] = Field(
        "auto",
        description="'pixel': each pixel has its own brightness, written as gain; 'auto': that, if the endmembers are "
        "scaled to peak 1; 'none': never",
    )
    choose: Literal["blend", "network", "vector-tv", "pixelwise"] = Field(
        "blend",
        description="what the result is made of; 'blend': of all three, in the shares of least estimated error "
        "(Stein's estimate on a sample of the scene); or of one alone",
    )
    turns: Literal[1, 2, 4, 8] = Field(
        1, description="evaluations of the network, on turned and mirrored windows, whose answers are averaged"
    )
    samples: int = Field(
        0,
        ge=0,
        le=256,
        description="posterior samples: above 0 the product has abundance_std and abundance_quantile; each costs as "
        "many evaluations as `steps` says",
    )
    steps: int = Field(
        10,
        ge=1,
        le=200,
        description="DDIM steps of a sample; intervals were calibrated for 10, fewer make samples too much alike",
    )
    quantiles: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        (0.05, 0.25, 0.5, 0.75, 0.95), min_length=1, description="of the samples, written as abundance_quantile"
    )
    keep_samples: bool = Field(False, description="whether the product holds the samples, too, as abundance_sample")
    guide: bool = Field(True, description="whether the network is told how much each pixel differs from its neighbours")
    destripe: bool = Field(
        True,
        description="whether offsets of whole columns of a window are taken out, where they stand out of the noise",
    )
    weights: str | None = Field(
        None, description="path of a .safetensors file from `hsgeo train abundance-prior`; by default the shipped ones"
    )

    @field_validator("samples")
    @classmethod
    def _not_one(cls, samples: int) -> int:
        if samples == 1:
            raise ValueError("one sample has no spread; ask for 2 or more, or for 0")
        return samples

    @field_validator("quantiles")
    @classmethod
    def _rising(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if list(quantiles) != sorted(set(quantiles)):
            raise ValueError("quantiles must rise")
        return quantiles


class EndmemberDiffusionOptions(_Options):
    """Options of ``endmember-diffusion``."""

    prior: Literal["learned", "library"] = Field(
        "learned",
        description="what spectra are expected to be like: 'learned', what the shipped network says; 'library', those "
        "of a library",
    )
    library: str | None = Field(
        None,
        description="prior 'library': file of the library, as `hsgeo library` reads it; by default 1200 procedural "
        "spectra. Leave out what was taken from the scene itself",
    )
    corners: Literal["auto", "all", "keep"] = Field(
        "auto",
        description="'auto': endmembers that are single noisy pixels (as of vca or nfindr) are replaced by means of "
        "the purest pixels, if these explain the scene better; 'all': means of pixels, too, below 15 dB, where that "
        "helps or harms; 'keep': spectra are freed of noise only",
    )
    seed: int = Field(0, ge=0, description="of the procedural library")
    weights: str | None = Field(
        None, description="path of a .safetensors file from `hsgeo train endmember-prior`; by default the shipped ones"
    )

    @model_validator(mode="after")
    def _only_where_it_counts(self) -> Self:
        if self.prior == "library" and self.weights is not None:
            raise ValueError(
                "weights is an option of the prior learned, and the prior is library; leave one of them out"
            )
        for name in ("library", "seed"):
            if self.prior == "learned" and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} is an option of the prior library, and the prior is learned; say prior=library"
                )
        return self

"""The options of HybridSTU."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["HybridstuOptions"]


class HybridstuOptions(BaseModel):
    """Options of ``hybridstu``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["zero", "scene"] = Field(
        "zero",
        description="'zero': the shipped network as it is; 'scene': it is fitted to the scene first, which takes about "
        "a minute",
    )
    gain: Literal["auto", "none", "pixel"] = Field(
        "auto",
        description="'pixel': each pixel has its own brightness, written as gain; 'auto': that, if the endmembers are "
        "scaled to peak 1; 'none': never",
    )
    weights: str | None = Field(
        None, description="path of a .safetensors file from `hsgeo train hybridstu`; by default the shipped weights"
    )
    steps: int = Field(300, ge=1, le=100_000, description="mode 'scene': most steps of the fit")
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None,
        description="mode 'scene': most seconds of the fit; the result then depends on the machine's speed",
    )
    endmembers: Literal["keep", "refine"] = Field(
        "keep", description="mode 'scene': 'refine' lets the fit move the endmembers, held near where they were"
    )
    anchor: float = Field(
        0.01, ge=0, description="mode 'scene': price of a relative change of 1 of the endmembers, against the misfit"
    )

    @model_validator(mode="after")
    def _only_where_it_counts(self) -> Self:
        if self.mode == "zero":
            for name in ("steps", "seconds", "endmembers", "anchor"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} is an option of the mode scene, and the mode is zero; say mode=scene")
        return self

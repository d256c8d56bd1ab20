"""The options of the classical stages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ArchetypesOptions", "VcaOptions"]

Count = Annotated[int, Field(ge=1, le=64)] | Literal["auto"]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Extraction(_Options):
    count: Count = Field("auto", description="number of endmembers, 1 to 64, or 'auto' to count them in the data")
    scale: Literal["physical", "peak"] = Field(
        "physical",
        description="length of the endmembers: 'physical' (units of the scene, as its purest pixels have) "
        "or 'peak' (highest band 1, no unit; solve with nnls)",
    )
    quantile: float = Field(
        0.5, ge=0, le=1, description="scale 'physical': which quantile of the purest pixels' lengths, 0 to 1"
    )


class ArchetypesOptions(_Extraction):
    """Options of ``archetypes``."""

    restarts: int = Field(64, ge=1, le=200, description="starts of the archetypal analysis; the best one is kept")


class VcaOptions(_Extraction):
    """Options of ``vca``."""

    restarts: int = Field(
        10, ge=1, le=1000, description="random draws of which the largest simplex is kept; 1 is the published method"
    )

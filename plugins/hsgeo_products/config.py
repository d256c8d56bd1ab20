"""Options of the writers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CogOptions", "ZarrOptions"]


class ZarrOptions(BaseModel):
    """How a Zarr product is laid down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zarr_format: Literal[2, 3] = Field(
        2, description="Zarr format: 2 is read by every GDAL since 3.4, 3 by GDAL 3.12 and later"
    )
    chunk: int | None = Field(
        None, ge=1, description="chunk size along y and x, pixels; a divisor of the tile size; default: chosen from it"
    )
    level: int = Field(3, ge=1, le=19, description="zstd compression level, 1 fast to 19 small")


class CogOptions(BaseModel):
    """How Cloud Optimized GeoTIFFs are laid down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    compress: Literal["zstd", "deflate"] = Field(
        "zstd", description="compression: zstd, or deflate for readers older than 2018"
    )
    blocksize: int = Field(512, ge=128, le=4096, multiple_of=16, description="side of an internal block, pixels")
    cache: int = Field(128, ge=16, description="memory that GDAL may use for blocks, MiB")

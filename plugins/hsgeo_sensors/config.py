"""Options of the readers: frozen models that refuse what they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hsgeo.errors import ConfigError

__all__ = ["EnviOptions", "GeoTiffOptions", "NativeOptions", "PrismaOptions", "RawOptions", "parse"]

Model = TypeVar("Model", bound=BaseModel)


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PrismaOptions(_Options):
    """How to open a PRISMA granule."""

    overlap: Literal["swir", "vnir", "both"] = Field(
        "swir", description="whose bands to keep where both detectors measured (943-973 nm)"
    )


class RawOptions(_Options):
    """What a plain raster file may have left unsaid. Whatever is given here stands above the file."""

    wavelengths: tuple[float, ...] | Path | None = Field(
        None,
        description="band centres in nm, in the order of the file: numbers, or a CSV file with a column "
        "'wavelength' (and maybe 'fwhm')",
    )
    fwhm: tuple[float, ...] | None = Field(None, description="full widths at half maximum in nm, in the file's order")
    scale: float | None = Field(None, gt=0, description="factor from stored numbers to reflectance, such as 1e-4")
    offset: float | None = Field(None, description="added after scaling, in units of reflectance or radiance")
    nodata: float | None = Field(None, description="stored number that means no measurement")
    quantity: Literal["reflectance", "radiance"] | None = Field(None, description="what the numbers are")


class EnviOptions(RawOptions):
    """How to open an ENVI image."""


class GeoTiffOptions(RawOptions):
    """How to open a GeoTIFF."""


class NativeOptions(_Options):
    """How to open a scene in our own convention."""

    group: str | None = Field(None, description="group inside the store; none: its root")


def parse(model: type[Model], options: Mapping[str, Any] | BaseModel | None) -> Model:
    """Validate reader options.

    Parameters
    ----------
    model : type
        The options model of the reader.
    options : mapping, model or None
        What the user gave.

    Returns
    -------
    pydantic.BaseModel
        An instance of ``model``.

    Raises
    ------
    ConfigError
        If an option is unknown or has an unacceptable value; all of them are named.
    """
    if isinstance(options, model):
        return options
    given = options.model_dump() if isinstance(options, BaseModel) else dict(options or {})
    try:
        return model(**given)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']} (got {item['input']!r})"
            for item in error.errors()
        )
        accepted = "; ".join(f"{name} ({field.description})" for name, field in model.model_fields.items())
        raise ConfigError(f"reader options are wrong: {problems}", accepted, "Correct or drop them") from error

"""Options of the readers: frozen models that refuse what they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hsgeo.errors import ConfigError

__all__ = [
    "ArraysOptions",
    "AvirisOptions",
    "CfOptions",
    "DesisOptions",
    "EmitOptions",
    "EnmapOptions",
    "EnviOptions",
    "GeoTiffOptions",
    "HyperionOptions",
    "NativeOptions",
    "NeonOptions",
    "PrismaOptions",
    "RawOptions",
    "TanagerOptions",
    "parse",
]

Model = TypeVar("Model", bound=BaseModel)


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PrismaOptions(_Options):
    """How to open a PRISMA granule."""

    overlap: Literal["swir", "vnir", "both"] = Field(
        "swir", description="whose bands to keep where both detectors measured (943-973 nm)"
    )
    cloud_mask: Literal["none"] | Path | None = Field(
        None,
        description="PRS_L1 granule of the same acquisition, whose masks a level 2 granule lacks: a path; none: go "
        "without; null: the one that lies beside the file",
    )


class EnmapOptions(_Options):
    """How to open an EnMAP product."""

    overlap: Literal["swir", "vnir", "both"] = Field(
        "swir", description="whose bands to keep where both detectors measured (902-993 nm)"
    )
    detector: Literal["vnir", "swir"] | None = Field(
        None, description="which image of an L1B product, whose detectors are not registered to each other"
    )
    layers: bool = Field(True, description="whether to take quality bits from the QL_QUALITY layers")
    haze: bool = Field(False, description="whether QL_QUALITY_HAZE counts as cirrus")
    pixelmask: bool = Field(
        False,
        description="whether values that QL_PIXELMASK calls defective are missing; else they are what the processor "
        "put there",
    )
    check_grid: bool = Field(True, description="whether a raster that contradicts the metadata's grid is an error")


class TanagerOptions(_Options):
    """How to open a Tanager scene: nothing is left to choose."""


class NeonOptions(_Options):
    """How to open a NEON flight line or tile."""

    classes: bool = Field(
        True, description="take cloud, cirrus, shadow, snow and saturation from ATCOR's Haze_Cloud_Water_Map"
    )


class DesisOptions(_Options):
    """How to open a DESIS product."""

    mask: Literal["none"] | Path | None = Field(
        None,
        description="QL_QUALITY-2 file of this product, or of the L2A of an L1C on the same grid: a path; none: go "
        "without; null: the one that lies beside the image",
    )
    haze: bool = Field(False, description="whether the haze layers count as cirrus; haze is corrected for in L2A")
    check_grid: bool = Field(
        True, description="whether an image that lies elsewhere than its metadata say, or is a part of it, is an error"
    )


class EmitOptions(_Options):
    """How to open an EMIT granule."""

    mask: Literal["none"] | Path | None = Field(
        None,
        description="EMIT_L2A_MASK file of the same acquisition, for clouds: a path; none: go without; null: the one "
        "that lies beside the file",
    )
    uncertainty: Literal["none"] | Path | None = Field(
        None, description="EMIT_L2A_RFLUNCERT file, for spectra_std: a path, none or null as for mask"
    )
    observation: Literal["none"] | Path | None = Field(
        None, description="EMIT_L1B_OBS file, for the angles: a path, none or null as for mask"
    )
    interpolated: Literal["keep", "mask"] = Field(
        "keep",
        description="what to do with values that the product filled in for bad or saturated detector elements, as "
        "band_mask in a mask file of version 1 tells",
    )
    mirrored: bool | None = Field(
        None,
        description="whether the spectra are mirrored across track against their geolocation, as some granules "
        "'as seen by fpa' are; null: no, with a warning where the file says so",
    )


class HyperionOptions(_Options):
    """How to open a Hyperion product."""

    overlap: Literal["vnir", "swir", "both"] = Field(
        "vnir",
        description="whose bands to keep where both detectors measured (912-925 nm: bands 56, 57 and 77, 78); vnir "
        "gives the usual 196 bands",
    )
    check_grid: bool = Field(
        True, description="whether a size or corners in the metadata that contradict the GeoTIFFs are an error"
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


class AvirisOptions(RawOptions):
    """How to open a flight line of AVIRIS Classic, NG, AVIRIS-3 or AVIRIS-5."""

    overlap: Literal["longer", "shorter", "both"] = Field(
        "longer",
        description="whose bands to keep where two spectrometers of AVIRIS Classic measured: those of the one of "
        "longer or of shorter wavelengths",
    )
    gain: Path | None = Field(None, description=".gain file of integer radiance; none: the one beside the image")
    spc: Path | None = Field(
        None, description=".spc file with band centres, for headers without; none: the one beside the image"
    )
    observation: Path | None = Field(
        None, description="observation file (OBS) with the angles; none: the one of the granule, if it is there"
    )
    uncertainty: Literal["auto", "none"] | Path = Field(
        "auto", description="uncertainty file (UNC); auto: the one of the granule, if it is there; none: not read"
    )


class GeoTiffOptions(RawOptions):
    """How to open a GeoTIFF."""


class ArraysOptions(RawOptions):
    """How to open a cube in a ``.mat`` or ``.npz``. Whatever is given here stands above what the file shows."""

    variable: str | None = Field(None, description="name of the array that is the cube")
    order: Literal["F", "C"] | None = Field(
        None, description="how pixels in a row were flattened: F column by column (MATLAB), C row by row (NumPy)"
    )
    bands_axis: int | None = Field(None, ge=0, le=2, description="axis of the array that holds the bands, from 0")
    rows: int | None = Field(None, gt=0, description="rows of the image, where pixels stand in a row")
    cols: int | None = Field(None, gt=0, description="columns of the image, where pixels stand in a row")


class CfOptions(RawOptions):
    """How to open CF netCDF-4, other HDF5, or Zarr. Whatever is given here stands above the file."""

    variable: str | None = Field(None, description="the spectral variable, with its groups: group/name")
    grid: Literal["coordinates", "geotransform"] | None = Field(
        None, description="what places the pixels where x and y disagree with GeoTransform"
    )


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

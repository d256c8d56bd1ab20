"""Synthetic Tanager scenes, faithful to the HDF-EOS5 layout of the specification, of any size in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["write_tanager"]

NOTHING = np.float32(-9999.0)
CHUNK = (14, 42, 49)  # bands, rows, columns, as in published scenes
TILT = 12.0  # degrees clockwise, of a basic scene's columns against north
STD = (0.002, 0.02)
"""Of the synthetic uncertainty: a floor, and a share of the reflectance."""
GEOMETRY = {
    "sensor_zenith": (8.25, 0.002),
    "sensor_azimuth": (281.5, 0.003),
    "sun_zenith": (33.75, 0.001),
    "sun_azimuth": (141.25, 0.002),
    "sensor_to_ground_path_length": (412000.0, 1.5),
}
"""Value at pixel (0, 0) and its growth per row: degrees, metres."""
LINE = 0.0044  # seconds from row to row
CUBE = {"reflectance": ("surface_reflectance", "Unitless"), "radiance": ("toa_radiance", "W/(m^2 sr um)")}


def write_tanager(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    layout: str = "ortho",
    quantity: str = "reflectance",
    good: npt.ArrayLike | None = None,
    shape: tuple[int, int] | None = None,
    cloud: npt.ArrayLike | None = None,
    cirrus: npt.ArrayLike | None = None,
    epsg: int = 32613,
    origin: tuple[float, float] = (570300.0, 3555450.0),
    pixel: float = 30.0,
    uncertainty: bool = True,
    water: str = "column_water_vapour",
    start: float = 1747414117.25,
    registration: str = "HE5_HDFE_CORNER",
) -> Path:
    """Write spectra as a Tanager scene.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.h5``.
    spectra : array_like or iterable of numpy.ndarray
        ``(band, y, x)``, NaN for no measurement, or blocks of whole rows ``(band, rows, x)`` from the first to the
        last: memory then stays at a few blocks. Pixels that are NaN in all bands get 1 in ``nodata_pixels``.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres.
    layout : {"ortho", "basic"}
        On a map grid, or on the sensor's with latitudes and longitudes.
    quantity : {"reflectance", "radiance"}
        Radiance has neither good bands nor uncertainty.
    good : array_like of bool, shape (band,), optional
        Bad bands hold -0.01 in most pixels and numbers from -0.24 to 1.38 in the others; None: those in 1342-1438 nm
        and 1782-1968 nm.
    shape : tuple of int, optional
        Rows and columns; needed when blocks are given.
    cloud, cirrus : array_like of bool, shape (y, x), optional
        Masks.
    epsg : int
        Of the UTM zone.
    origin : tuple of float
        Easting and northing of the outer corner of pixel (0, 0), metres.
    pixel : float
        Metres.
    uncertainty : bool
        Whether to write ``surface_reflectance_uncertainty``: ``STD[0] + STD[1] * |value|``.
    water : str
        Spelling of the water-vapour field: files have ``vapour``, the specification ``vapor``.
    start : float
        Seconds since 1970, UTC, of the first row.
    registration : str
        ``PixelRegistration`` of the structure block.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If shapes do not fit.
    """
    import h5py

    path = Path(path)
    blocks: Iterable[np.ndarray]
    if isinstance(spectra, np.ndarray) or shape is None:
        cube = np.asarray(spectra)
        shape, blocks = (cube.shape[1], cube.shape[2]), _rows(cube)
    else:
        blocks = cast("Iterable[np.ndarray]", spectra)
    centre, width = np.asarray(wavelength, np.float64), np.asarray(fwhm, np.float64)
    n = len(centre)
    wet = ((centre >= 1342) & (centre <= 1438)) | ((centre >= 1782) & (centre <= 1968))
    usable = ~wet if good is None else np.asarray(good, bool)
    if len(width) != n or len(usable) != n:
        raise ConfigError(f"{n} centres, {len(width)} widths and {len(usable)} flags", "one of each for every band")
    reflectance = quantity == "reflectance"
    name, unit = CUBE[quantity]
    if reflectance is False:
        usable = np.ones(n, bool)
    ortho = layout == "ortho"
    with h5py.File(path, "w") as file:
        hyp = file.create_group(f"HDFEOS/{'GRIDS' if ortho else 'SWATHS'}/HYP")
        hyp.attrs["strip_id"], hyp.attrs["created_at"] = "7712345_20250516", "2025-05-17T03:12:45Z"
        if ortho:
            hyp.attrs["epsg_code"] = np.int64(epsg)
        fields = hyp.create_group("Data Fields")
        data = _create(fields, name, (n, *shape), "<f4", NOTHING, unit)
        data.attrs["wavelengths"], data.attrs["fwhm"] = centre, width
        twin = None
        if reflectance:
            data.attrs["good_wavelengths"] = usable.astype(np.uint8)
            if uncertainty:
                twin = _create(fields, f"{name}_uncertainty", (n, *shape), "<f4", NOTHING, unit)
        else:
            data.attrs["applied_radiometric_coefficients"] = np.full(n, 0.0125)
        planes = [*GEOMETRY] + (["aerosol_optical_depth", water] if reflectance else [])
        for plane in planes:
            _create(fields, plane, shape, "<f4", NOTHING, "degrees")
        for mask in ("beta_cloud_mask", "beta_cirrus_mask", "nodata_pixels"):
            _create(fields, mask, shape, "u1", None, "")
        if ortho:
            _create(fields, "time", shape, "<f8", NOTHING, "s")
        masks = {"beta_cloud_mask": cloud, "beta_cirrus_mask": cirrus}
        row = 0
        for block in blocks:
            rows = slice(row, row + block.shape[1])
            if block.shape[0] != n or block.shape[2] != shape[1] or rows.stop > shape[0]:
                raise ConfigError(
                    f"a block of shape {block.shape} at row {row} does not fit",
                    f"({n}, rows, {shape[1]}), {shape[0]} rows in all",
                )
            values = np.array(block, np.float32)
            void = np.isnan(values).all(axis=0)
            std = (STD[0] + STD[1] * np.abs(values)).astype(np.float32)
            for k in np.flatnonzero(~usable):
                values[k] = _bad(rows, shape[1], k)
            values[np.isnan(values) | void] = NOTHING
            data[:, rows] = values
            if twin is not None:
                std[np.isnan(std) | void] = NOTHING
                twin[:, rows] = std
            line = np.arange(rows.start, rows.stop)[:, None] + np.zeros(shape[1])
            for plane in planes:
                first, step = GEOMETRY.get(plane, (0.12, 0.0001))
                fields[plane][rows] = np.where(void, NOTHING, first + step * line)
            if ortho:
                fields["time"][rows] = np.where(void, NOTHING, start + LINE * line)
            fields["nodata_pixels"][rows] = void
            for mask, given in masks.items():
                if given is not None:
                    fields[mask][rows] = np.asarray(given, bool)[rows]
            row = rows.stop
        if row != shape[0]:
            raise ConfigError(f"{row} rows were given", f"{shape[0]} rows")
        if not ortho:
            _geolocate(hyp.create_group("Geolocation Fields"), shape, epsg, origin, pixel, start)
        text = _structure(n, shape, fields, ortho, epsg, origin, pixel, registration)
        information = file.create_group("HDFEOS INFORMATION")
        information.create_dataset("StructMetadata.0", data=np.bytes_(text), dtype="S32000")
        information.attrs["HDFEOSVersion"] = np.bytes_("HDFEOS_5.1.16")
    return path


def _rows(cube: np.ndarray, step: int = CHUNK[1]) -> Iterator[np.ndarray]:
    for row in range(0, cube.shape[1], step):
        yield cube[:, row : row + step]


def _create(group: Any, name: str, shape: tuple[int, ...], dtype: str, fill: np.float32 | None, unit: str) -> Any:
    chunk = tuple(min(c, s) for c, s in zip(CHUNK[-len(shape) :], shape, strict=True))
    made = group.create_dataset(
        name, shape, dtype, chunks=chunk, compression="gzip", compression_opts=4, fillvalue=fill
    )
    if fill is not None:
        made.attrs["_FillValue"] = np.asarray(fill, made.dtype)
    made.attrs["Unit"] = unit
    return made


def _bad(rows: slice, width: int, band: int) -> np.ndarray:
    """Return what a failed retrieval leaves behind: the same number mostly, anything at all in a quarter of pixels."""
    rng = np.random.default_rng((band, rows.start))
    wild = rng.uniform(-0.24, 1.38, (rows.stop - rows.start, width))
    return np.where(rng.random(wild.shape) < 0.76, -0.01, wild).astype(np.float32)


def _geolocate(
    group: Any, shape: tuple[int, int], epsg: int, origin: tuple[float, float], pixel: float, start: float
) -> None:
    """Write pixel centres of a tilted swath, and the ortho grid that Planet would put it on."""
    from rasterio.warp import transform as warp

    height, width = shape
    sine, cosine = np.sin(np.radians(TILT)), np.cos(np.radians(TILT))
    for name in ("Latitude", "Longitude"):
        _create(group, name, shape, "<f8", NOTHING, "degrees")
    edges = []
    for row in range(0, height, 64):
        v, u = np.mgrid[row : min(row + 64, height), :width] + 0.5  # centres
        east = origin[0] + pixel * (u * cosine - v * sine)
        north = origin[1] - pixel * (u * sine + v * cosine)
        lon, lat = warp(f"EPSG:{epsg}", "EPSG:4326", east.ravel(), north.ravel())
        group["Longitude"][row : row + 64] = np.reshape(lon, u.shape)
        group["Latitude"][row : row + 64] = np.reshape(lat, u.shape)
        edges += [(east.min(), east.max(), north.min(), north.max())]
    low, high = np.min(edges, axis=0), np.max(edges, axis=0)
    left, top = np.floor(low[0] / pixel) * pixel, np.ceil(high[3] / pixel) * pixel
    group["Time"] = start + LINE * np.arange(height)
    group.attrs["Planet_Ortho_Framing"] = json.dumps(
        {
            "epsg_code": epsg,
            "rows": int(np.ceil((top - low[2]) / pixel)),
            "cols": int(np.ceil((high[1] - left) / pixel)),
            "geotransform": [left, pixel, 0.0, top, 0.0, -pixel],
        }
    )


def _structure(
    bands: int,
    shape: tuple[int, int],
    fields: Any,
    ortho: bool,
    epsg: int,
    origin: tuple[float, float],
    pixel: float,
    registration: str,
) -> str:
    """Return the structure block; its corners are the outer edges of the grid."""
    east, south = origin[0] + pixel * shape[1], origin[1] - pixel * shape[0]
    grid = [
        "GROUP=GRID_1",
        '\tGridName="HYP"',
        f"\tBand={bands}",
        f"\tXDim={shape[1]}",
        f"\tYDim={shape[0]}",
        f"\tUpperLeftPointMtrs=({origin[0]:.2f},{origin[1]:.2f})",
        f"\tLowerRightMtrs=({east:.2f},{south:.2f})",
        "\tProjection=HE5_GCTP_UTM",
        f"\tZoneCode={epsg % 100}",
        "\tSphereCode=12",
        "\tCompressionType=HE5_HDFE_COMP_DEFLATE",
        "\tDeflateLevel=4",
        f"\tPixelRegistration={registration}",
        "\tGridOrigin=HE5_HDFE_GD_UL",
    ]
    swath = ["GROUP=SWATH_1", '\tSwathName="HYP"']
    out = grid if ortho else swath
    names = ("Band", "YDim", "XDim")
    out.append("\tGROUP=Dimension")
    for k, (name, size) in enumerate(zip(names, (bands, *shape), strict=True), 1):
        out += [f"\t\tOBJECT=Dimension_{k}", f'\t\t\tDimensionName="{name}"', f"\t\t\tSize={size}"]
        out.append(f"\t\tEND_OBJECT=Dimension_{k}")
    out += ["\tEND_GROUP=Dimension", "\tGROUP=DataField"]
    for k, (name, field) in enumerate(fields.items(), 1):
        dims = ",".join(f'"{d}"' for d in names[-field.ndim :])
        out += [f"\t\tOBJECT=DataField_{k}", f'\t\t\tDataFieldName="{name}"', f"\t\t\tDimList=({dims})"]
        out.append(f"\t\tEND_OBJECT=DataField_{k}")
    out += ["\tEND_GROUP=DataField", f"END_{out[0]}"]
    parts = {"SwathStructure": [] if ortho else swath, "GridStructure": grid if ortho else []}
    lines = []
    for name in ("SwathStructure", "GridStructure", "PointStructure", "ZaStructure"):
        lines += [f"GROUP={name}", *(f"\t{line}" for line in parts.get(name, [])), f"END_GROUP={name}"]
    return "\n".join([*lines, "END", ""])

"""Synthetic NEON AOP reflectance, faithful to the HDF5 layout of flight lines, of any size in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["write_neon"]

IGNORE = -9999
OUTSIDE = 241  # what byte layers hold where the line was not flown
CHUNK = (336, 39, 14)  # lines, samples, bands, as in published lines
WINDOWS = ((1340.0, 1445.0), (1790.0, 1955.0))
WET = -100  # stored number of the bands in those windows, in bidirectional files
SUN = (38.25, 152.5)  # zenith, azimuth, degrees
VIEW = (17.5, 92.25)  # at the first sample; the zenith falls by 0.01 with each further one


def write_neon(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    shape: tuple[int, int] | None = None,
    site: str = "BART",
    revision: str = "directional",
    classes: npt.ArrayLike | None = None,
    epsg: int = 32619,
    origin: tuple[float, float] = (316000.0, 4881000.0),
    pixel: float = 1.0,
    scale: float = 10000.0,
    corners: str = "edge",
    compression: int = 4,
) -> Path:
    """Write reflectance as a NEON flight line.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.h5``.
    spectra : array_like or iterable of numpy.ndarray
        Reflectance ``(band, y, x)``, NaN for no measurement, or blocks of whole rows ``(band, rows, x)`` from north to
        south: memory then stays at a few blocks.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres; ``fwhm`` may be shorter, as in lines of 2016.
    shape : tuple of int, optional
        Rows and columns; needed when blocks are given.
    site : str
        Four letters, the name of the only group at the root.
    revision : {"directional", "bidirectional"}
        Decides the spelling of keys, the logs, and whether water-vapour bands are blanked.
    classes : array_like of uint8, shape (y, x), optional
        ATCOR's haze, cloud and water classes; None: land.
    epsg : int
        Of the UTM zone.
    origin : tuple of float
        Easting and northing of the outer corner of pixel (0, 0), metres.
    pixel : float
        Metres.
    scale : float
        Stored number of a reflectance of 1.
    corners : {"edge", "centre"}
        What map info and the extent give; published files give edges.
    compression : int
        Level of gzip.

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
    centre = np.asarray(wavelength, np.float64)
    n = len(centre)
    late = revision == "bidirectional"
    wet = np.zeros(n, bool)
    for low, high in WINDOWS:
        wet |= (centre >= low) & (centre <= high)
    with h5py.File(path, "w") as file:
        group = file.create_group(f"{site}/Reflectance")
        for k, window in enumerate(WINDOWS, 1):
            group.attrs[f"Band_Window_{k}_Nanometers"] = np.array(window)
        group.attrs["Sensor"] = "NIS1"
        data = _cube(group, (*shape, n), scale, origin, pixel, corners, compression)
        meta = group.create_group("Metadata")
        meta["Spectral_Data/Wavelength"], meta["Spectral_Data/FWHM"] = centre, np.asarray(fwhm, np.float64)
        _place(meta.create_group("Coordinate_System"), epsg, origin, pixel, corners, late)
        _logs(meta.create_group("Logs"), late)
        layers = _layers(meta, shape, late)
        land = np.full(shape, 5, np.uint8) if classes is None else np.asarray(classes, np.uint8)
        row = 0
        for block in blocks:
            rows = slice(row, row + block.shape[1])
            if block.shape[0] != n or block.shape[2] != shape[1] or rows.stop > shape[0]:
                raise ConfigError(
                    f"a block of shape {block.shape} at row {row} does not fit",
                    f"({n}, rows, {shape[1]}), {shape[0]} rows in all",
                )
            outside = np.isnan(block).all(axis=0)
            for col in range(0, shape[1], CHUNK[1]):  # all in one would be gigabytes of float64
                cols = slice(col, col + CHUNK[1])
                values = np.rint(np.moveaxis(np.asarray(block[:, :, cols], np.float64), 0, -1) * scale)
                if late:
                    values[..., wet] = WET
                values[np.isnan(values) | outside[:, cols, None]] = IGNORE
                data[rows, cols] = np.clip(values, -32768, 32767).astype(np.int16)
            for name, layer in layers.items():
                kind = name.lower()
                if layer.dtype == np.uint8:
                    inside = land[rows] if kind.startswith("haze") else np.full(outside.shape, 1, np.uint8)
                    layer[rows] = np.where(outside, OUTSIDE, inside)
                else:
                    first, step = (VIEW[0], -0.01) if "zenith" in kind else (VIEW[1], 0.0)
                    layer[rows] = np.where(outside, IGNORE, first + step * np.arange(shape[1]))
            row = rows.stop
        if row != shape[0]:
            raise ConfigError(f"{row} rows were given", f"{shape[0]} rows")
    return path


def _rows(cube: np.ndarray, step: int = CHUNK[0]) -> Iterator[np.ndarray]:
    for row in range(0, cube.shape[1], step):
        yield cube[:, row : row + step]


def _chunk(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(min(c, s) for c, s in zip(CHUNK, shape, strict=False))


def _cube(
    group: Any,
    shape: tuple[int, int, int],
    scale: float,
    origin: tuple[float, float],
    pixel: float,
    corners: str,
    compression: int,
) -> Any:
    data = group.create_dataset(
        "Reflectance_Data", shape, "<i2", chunks=_chunk(shape), compression="gzip", compression_opts=compression
    )
    half, less = (pixel / 2, 1) if corners == "centre" else (0.0, 0)
    west, north = origin[0] + half, origin[1] - half
    data.attrs["Cloud conditions"] = "Green (less than 10%)"
    data.attrs["Data_Ignore_Value"] = np.float64(IGNORE)
    data.attrs["Description"] = "Atmospherically corrected reflectance."
    data.attrs["Dimension_Labels"] = "Line, Sample, Wavelength"
    data.attrs["Dimensions"] = np.array(shape)
    data.attrs["Interleave"] = "BSQ"  # as the product says, although bands are last
    data.attrs["Scale_Factor"] = np.float64(scale)
    extent = (west, west + pixel * (shape[1] - less), north - pixel * (shape[0] - less), north)
    data.attrs["Spatial_Extent_meters"] = np.array(extent)
    data.attrs["Spatial_Resolution_X_Y"] = np.array([pixel, pixel])
    data.attrs["Units"] = "Unitless."
    return data


def _place(group: Any, epsg: int, origin: tuple[float, float], pixel: float, corners: str, turned: bool) -> None:
    import h5py

    half = pixel / 2 if corners == "centre" else 0.0
    zone, pole = epsg % 100, "South" if epsg // 100 == 327 else "North"
    east, north = origin[0] + half, origin[1] - half
    texts = {
        "EPSG Code": str(epsg),
        "Map_Info": f"UTM,  1.000,  1.000,  {east:.3f},  {north:.3f},  {pixel:.10e},  {pixel:.10e},  {zone},  {pole},  "
        f"WGS-84,  units=Meters, {'rotation=' * turned}0",
        "Proj4": f"+proj=UTM +zone={zone} +ellps=WGS84 +datum=WGS84 +units=m +no_defs",
    }
    for name, text in texts.items():
        group.create_dataset(name, data=text, dtype=h5py.string_dtype())


def _logs(group: Any, late: bool) -> None:
    if not late:
        group["Solar_Zenith_Angle"], group["Solar_Azimuth_Angle"] = SUN
        group["ATCOR_input_file"] = "synthetic"
        return
    for k, line in enumerate(("L004-1_20220623", "L005-1_20220623", "L006-1_20220623")):
        inner = group.create_group(line)
        inner["Solar_Zenith_Angle"], inner["Solar_Azimuth_Angle"] = SUN[0] + k - 1, SUN[1] + k - 1
        inner["ATCOR_Input_file"] = "synthetic"
        inner["BRDF_Config_JSON_for_Hytools"] = "{}"


def _layers(meta: Any, shape: tuple[int, int], late: bool) -> dict[str, Any]:
    """Create the layers that go with the cube; the spelling of the angles changed with the revision."""
    where = meta.create_group("Ancillary_Imagery")
    angles = ("to-sensor_zenith_angle", "to-sensor_azimuth_angle")
    if not late:
        angles = ("to-sensor_Zenith_Angle", "to-sensor_Azimuth_Angle")
    out = {}
    how: dict[str, Any] = {"chunks": _chunk(shape), "compression": "gzip"}
    for name in angles:
        out[name] = meta.create_dataset(name, shape, "<f4", **how)
    for name in ("Cast_Shadow", "Dark_Dense_Vegetation_Classification", "Haze_Cloud_Water_Map"):
        out[name] = where.create_dataset(name, shape, "u1", **how)
        out[name].attrs["Data_Ignore_Value"] = np.float64(IGNORE)  # which no byte can hold
    weather = (1,) if late else (0, 255, 0)  # clear sky; the older revision gives the colour of a traffic light
    layer = np.broadcast_to(np.array(weather, np.uint8), (*shape, len(weather)))
    where.create_dataset("Weather_Quality_Indicator", data=layer[..., 0] if late else layer)
    return out

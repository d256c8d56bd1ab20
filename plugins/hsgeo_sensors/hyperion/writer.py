"""Synthetic Hyperion L1T products, faithful to the layout of the USGS, of any size in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError
from hsgeo_sensors.common.packing import folder_for

__all__ = ["ALL_BANDS", "sunlit", "write_hyperion"]

ALL_BANDS = 242
FIRST_SWIR = 71
PIXEL = 30.0
USED = [b for b in range(1, ALL_BANDS + 1) if 8 <= b <= 57 or 77 <= b <= 224]
"""Bands with a calibration: in a product, all others are 0 everywhere."""


def write_hyperion(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    band: Sequence[int] | None = None,
    shape: tuple[int, int] | None = None,
    scale: tuple[float, float] = (40.0, 80.0),
    epsg: int = 32632,
    origin: tuple[float, float] = (500010.0, 4649700.0),
    corners: str = "centre",
    look: float = -18.641,
    sun: tuple[float, float] = (52.25, -141.5),
    start: str = "2013-08-01T09:14:03.125000",
    unused: int = 0,
) -> Path:
    """Write radiance as a Hyperion L1T product of 242 GeoTIFFs and a metadata file.

    Parameters
    ----------
    path : str or pathlib.Path
        A folder; or a name that ends with ``.zip``, ``.tar`` or ``.tar.gz``. Where the name begins with ``EO1H`` it
        names the product.
    spectra : array_like or iterable of numpy.ndarray
        Radiance ``(band, y, x)`` in W m-2 sr-1 um-1, NaN for no measurement (DN 0), or blocks of whole rows
        ``(band, rows, x)`` from north to south: memory then stays at a block. What would round to DN 0 becomes DN 1,
        what does not fit into int16 its nearest number.
    band : sequence of int, optional
        Band number in the product of each plane, from 1; None: the 198 calibrated ones. Bands not given are 0.
    shape : tuple of int, optional
        Rows and columns; needed when blocks are given.
    scale : tuple of float
        Scaling factors of VNIR and SWIR: DN per W m-2 sr-1 um-1.
    epsg : int
        Of the UTM zone.
    origin : tuple of float
        Easting and northing of the centre of pixel (0, 0), metres.
    corners : {"centre", "edge"}
        What the corners in the metadata are; products have centres.
    look : float
        Look angle at the satellite, degrees, negative to the west.
    sun : tuple of float
        Elevation and azimuth, degrees; azimuths to the west are negative, as in products.
    start : str
        ISO 8601, start of the acquisition, UTC.
    unused : int
        DN of bands that are not calibrated, inside the swath; 0 in most products.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If bands or shapes do not fit.
    """
    path = Path(path)
    blocks: Iterable[np.ndarray]
    if isinstance(spectra, np.ndarray) or shape is None:
        cube = np.asarray(spectra)
        shape, blocks = (cube.shape[1], cube.shape[2]), _rows(cube)
    else:
        blocks = cast("Iterable[np.ndarray]", spectra)
    numbers = list(USED if band is None else band)
    if len(set(numbers)) != len(numbers) or not all(1 <= n <= ALL_BANDS for n in numbers):
        raise ConfigError(f"bands {numbers[:5]} ...", f"different numbers from 1 to {ALL_BANDS}")
    match = re.match(r"EO1H\w{18}", path.name)
    name = match[0] if match else "EO1H1910302013213110KF"
    with folder_for(path, name) as folder:
        _bands(folder, name, blocks, numbers, shape, scale, epsg, origin, unused)
        text = _metadata(name, shape, scale, epsg, origin, corners, look, sun, start)
        (folder / f"{name}_MTL_L1T.TXT").write_text(text, encoding="ascii")
        (folder / "README.txt").write_text("EO-1 Hyperion\n", encoding="ascii")
    return path


def sunlit(reflectance: npt.ArrayLike, wavelength: npt.ArrayLike, *, zenith: float = 37.75) -> npt.NDArray[np.float32]:
    """Light a landscape by a sun of 5778 K, without an atmosphere.

    Parameters
    ----------
    reflectance : array_like, shape (band, ...)
        Of surfaces that reflect into all directions alike.
    wavelength : array_like, shape (band,)
        Nanometres.
    zenith : float
        Of the sun, degrees.

    Returns
    -------
    numpy.ndarray, shape (band, ...), float32
        Radiance, W m-2 sr-1 um-1: ``reflectance cos(zenith) B(5778 K) (R / d)**2``, with Planck's law B and the sun's
        radius over its distance.
    """
    metres = np.asarray(wavelength, np.float64) * 1e-9
    h, c, k = 6.62607015e-34, 299792458.0, 1.380649e-23  # SI
    planck = 2 * h * c**2 / metres**5 / np.expm1(h * c / (metres * k * 5778.0)) * 1e-6  # per micrometre
    light = planck * (6.957e8 / 1.496e11) ** 2 * np.cos(np.deg2rad(zenith))
    values = np.asarray(reflectance, np.float32)
    return values * light.astype(np.float32).reshape(-1, *(1,) * (values.ndim - 1))


def _rows(cube: np.ndarray, step: int = 64) -> Iterator[np.ndarray]:
    for row in range(0, cube.shape[1], step):
        yield cube[:, row : row + step]


def _bands(
    folder: Path,
    name: str,
    blocks: Iterable[np.ndarray],
    numbers: list[int],
    shape: tuple[int, int],
    scale: tuple[float, float],
    epsg: int,
    origin: tuple[float, float],
    unused: int,
) -> None:
    import rasterio
    from rasterio.transform import Affine
    from rasterio.windows import Window

    grid = Affine(PIXEL, 0.0, origin[0] - PIXEL / 2, 0.0, -PIXEL, origin[1] + PIXEL / 2)
    profile: dict[str, Any] = {
        "driver": "GTiff", "count": 1, "height": shape[0], "width": shape[1], "dtype": "int16",
        "crs": f"EPSG:{epsg}", "transform": grid,
    }  # fmt: skip
    plane = {number: k for k, number in enumerate(numbers)}
    row = 0
    for block in blocks:
        if block.shape[0] != len(numbers) or block.shape[2] != shape[1] or row + block.shape[1] > shape[0]:
            raise ConfigError(
                f"a block of shape {block.shape} at row {row} does not fit",
                f"({len(numbers)}, rows, {shape[1]}), {shape[0]} rows in all",
            )
        box = Window(0, row, shape[1], block.shape[1])
        inside = ~np.isnan(block).all(axis=0)
        for number in range(1, ALL_BANDS + 1):
            path = folder / f"{name}_B{number:03d}_L1T.TIF"
            # closed after each block: what is open stays in memory
            with rasterio.open(path, "r+") if row else rasterio.open(path, "w", **profile) as file:
                if not row:
                    file.update_tags(AREA_OR_POINT="Point")  # the tie point is the pixel's centre, as the USGS has it
                if number in plane:
                    file.write(_counts(block[plane[number]], scale[number >= FIRST_SWIR]), 1, window=box)
                else:
                    file.write((inside * unused).astype(np.int16), 1, window=box)
        row += block.shape[1]
    if row != shape[0]:
        raise ConfigError(f"{row} rows were given", f"{shape[0]} rows")


def _counts(radiance: np.ndarray, scale: float) -> np.ndarray:
    number = np.clip(np.rint(np.asarray(radiance, np.float64) * scale), -32768, 32767)
    number[number == 0] = 1  # 0 means nothing
    return np.nan_to_num(number, nan=0.0).astype(np.int16)


def _metadata(
    name: str,
    shape: tuple[int, int],
    scale: tuple[float, float],
    epsg: int,
    origin: tuple[float, float],
    corners: str,
    look: float,
    sun: tuple[float, float],
    start: str,
) -> str:
    from rasterio.warp import transform as warp

    begin = np.datetime64(start, "us").item()
    end = begin.replace(microsecond=0) if begin.second > 30 else begin.replace(second=begin.second + 14)  # 100 km
    out = {"centre": 0.0, "edge": PIXEL / 2}[corners]
    east = {"L": origin[0] - out, "R": origin[0] + PIXEL * (shape[1] - 1) + out}
    north = {"U": origin[1] + out, "L": origin[1] - PIXEL * (shape[0] - 1) - out}
    product: dict[str, Any] = {
        "PRODUCT_TYPE": '"L1T"',
        "PROCESSING_SOFTWARE": '"L1TProcessing_Hyperion"',
        "EPHEMERIS_TYPE": '"DEFINITIVE"',
        "SPACECRAFT_ID": '"EO1"',
        "SENSOR_ID": '"HYPERION"',
        "ACQUISITION_DATE": f"{begin:%Y-%m-%d}",
        "START_TIME": f'"{begin:%Y %j %H:%M:%S.%f}"',
        "END_TIME": f'"{end:%Y %j %H:%M:%S.%f}"',
    }
    for key in ("UL", "UR", "LL", "LR"):
        (lon,), (lat,) = warp(f"EPSG:{epsg}", "EPSG:4326", [east[key[1]]], [north[key[0]]])
        product[f"PRODUCT_{key}_CORNER_LAT"] = f"{lat:.6f}"
        product[f"PRODUCT_{key}_CORNER_LON"] = f"{lon:.6f}"
    for key in ("UL", "UR", "LL", "LR"):
        product[f"PRODUCT_{key}_CORNER_MAPX"] = f"{east[key[1]]:.3f}"
        product[f"PRODUCT_{key}_CORNER_MAPY"] = f"{north[key[0]]:.3f}"
    product |= {"PRODUCT_SAMPLES": shape[1], "PRODUCT_LINES": shape[0]}
    product |= {f"BAND{n}_FILE_NAME": f'"{name}_B{n:03d}_L1T.TIF"' for n in range(1, ALL_BANDS + 1)}
    groups: dict[str, dict[str, Any]] = {
        "METADATA_FILE_INFO": {
            "ORIGIN": '"Image courtesy of the U.S. Geological Survey"',
            "PRODUCT_CREATION_TIME": "2014-03-09T11:22:33Z",
        },
        "PRODUCT_METADATA": product,
        "RADIANCE_SCALING": {"SCALING_FACTOR_VNIR": f"{scale[0]:.6f}", "SCALING_FACTOR_SWIR": f"{scale[1]:.6f}"},
        "PRODUCT_PARAMETERS": {
            "SENSOR_LOOK_ANGLE": f"{look:.6f}",
            "SUN_AZIMUTH": f"{sun[1]:.6f}",
            "SUN_ELEVATION": f"{sun[0]:.6f}",
        },
        "PROJECTION_PARAMETERS": {
            "REFERENCE_DATUM": '"WGS84"',
            "REFERENCE_ELLIPSOID": '"WGS84"',
            "GRID_CELL_SIZE": f"{PIXEL:.6f}",
            "ORIENTATION": '"NOM"',
            "RESAMPLING_OPTION": '"CC"',
            "MAP_PROJECTION": '"UTM"',
        },
        "UTM_PARAMETERS": {"ZONE_NUMBER": epsg % 100 * (-1 if epsg // 100 == 327 else 1)},
    }
    lines = ["GROUP = L1_METADATA_FILE"]
    for group, entries in groups.items():
        lines += [f"  GROUP = {group}", *(f"    {k} = {v}" for k, v in entries.items()), f"  END_GROUP = {group}"]
    return "\n".join([*lines, "END_GROUP = L1_METADATA_FILE", "END", ""])

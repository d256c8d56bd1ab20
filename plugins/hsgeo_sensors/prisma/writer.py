"""Synthetic PRISMA L2D granules, faithful to the HDF-EOS5 layout, of any size in bounded memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["swath_mask", "write_prisma"]

SLOTS = {"vnir": 66, "swir": 173}
"""Band slots of the product; those not acquired hold 0.0 in every list."""
PIXEL = 30.0
SCALE = {"vnir": (-0.01, 1.2), "swir": (-0.02, 1.1)}
"""Reflectance at DN 0 and DN 65535. Real granules differ, and a reader that assumes Min = 0 or Max = 1 must fail."""


@dataclass(frozen=True)
class _Detector:
    name: str
    source: np.ndarray  # band of the input for each acquired slot, in the order of the slots
    first: int  # slot of the first of them
    slots: int
    low: float
    high: float

    @property
    def used(self) -> slice:
        return slice(self.first, self.first + len(self.source))


def swath_mask(height: int, width: int, degrees: float = 12.0) -> npt.NDArray[np.bool_]:
    """Return where a swath that is tilted against the map grid has pixels.

    Parameters
    ----------
    height, width : int
        Of the map grid, pixels.
    degrees : float
        Tilt, clockwise; PRISMA's orbit gives about 12.

    Returns
    -------
    numpy.ndarray, shape (height, width), bool
        True inside the largest rectangle of the grid's proportions, tilted, that fits into the grid.
    """
    angle = np.deg2rad(degrees)
    c, s = abs(np.cos(angle)), abs(np.sin(angle))
    fit = min(width / (width * c + height * s), height / (width * s + height * c))
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return (np.abs(u) <= fit * width / 2) & (np.abs(v) <= fit * height / 2)


def write_prisma(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    detector: npt.ArrayLike,
    shape: tuple[int, int] | None = None,
    saturated: npt.ArrayLike | None = None,
    epsg: int = 32632,
    origin: tuple[float, float] = (500010.0, 4649700.0),
    corners: str = "centre",
    start: str = "2021-06-21T10:12:14.375000",
) -> Path:
    """Write reflectance as a PRISMA L2D granule.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.he5``; or ``.zip``, which gets the granule inside as it is delivered.
    spectra : array_like or iterable of numpy.ndarray
        Reflectance ``(band, y, x)``, NaN for no measurement, or blocks of whole rows ``(band, rows, x)`` from north to
        south: memory then stays at a few blocks. Pixels that are NaN in all bands become padding (DN 0), NaN in
        some bands becomes DN 0 with error flag 1, values below the lowest number flag 2, above the highest flag 4.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres, of the bands of ``spectra``, in any order.
    detector : array_like of str, shape (band,)
        ``"vnir"`` or ``"swir"``; at most 66 and 173.
    shape : tuple of int, optional
        Rows and columns; needed when blocks are given.
    saturated : array_like of bool, shape (y, x), optional
        Pixels that are saturated in the SWIR: highest number and error flag 4.
    epsg : int
        Of the UTM zone.
    origin : tuple of float
        Easting and northing of the centre of pixel (0, 0), metres.
    corners : {"centre", "edge"}
        What the corner attributes are; published products have been read both ways.
    start : str
        ISO 8601, start of the acquisition, UTC.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If bands, detectors or shapes do not fit the layout.
    """
    import h5py

    path = Path(path)
    blocks: Iterable[np.ndarray]
    if isinstance(spectra, np.ndarray) or shape is None:
        cube = np.asarray(spectra)
        shape, blocks = (cube.shape[1], cube.shape[2]), _rows(cube)
    else:
        blocks = cast("Iterable[np.ndarray]", spectra)
    lists = np.asarray(wavelength, np.float64), np.asarray(fwhm, np.float64)
    detectors = _detectors(lists[0], np.asarray(detector).astype(str))
    wet = None if saturated is None else np.asarray(saturated, bool)
    target = path.with_suffix(".he5") if path.suffix.lower() == ".zip" else path
    with h5py.File(target, "w") as file:
        _attributes(file, detectors, lists, shape, epsg, origin, corners, start)
        swath = file.create_group("HDFEOS/SWATHS/PRS_L2D_HCO")
        fields = swath.create_group("Data Fields")
        for d in detectors:
            # no chunks: the product is contiguous
            size = (shape[0], d.slots, shape[1])
            fields.create_dataset(f"{d.name.upper()}_Cube", size, np.uint16)
            fields.create_dataset(f"{d.name.upper()}_PIXEL_L2_ERR_MATRIX", size, np.uint8)
        row = 0
        _geolocation(swath, shape, epsg, origin)
        for block in blocks:
            rows = slice(row, row + block.shape[1])
            if block.shape[0] != len(lists[0]) or block.shape[2] != shape[1] or rows.stop > shape[0]:
                raise ConfigError(
                    f"a block of shape {block.shape} at row {row} does not fit",
                    f"({len(lists[0])}, rows, {shape[1]}), {shape[0]} rows in all",
                )
            inside = _encode(fields, detectors, block, rows, None if wet is None else wet[rows])
            angles = swath["Geometric Fields"]
            for name, value in _ANGLES.items():  # 0 outside the swath, as in the product
                angles[name][rows] = np.where(inside, np.float32(value), np.float32(0))
            row = rows.stop
        if row != shape[0]:
            raise ConfigError(f"{row} rows were given", f"{shape[0]} rows")
    if target != path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(target, target.name)
        target.unlink()
    return path


_ANGLES = {"Observing_Angle": 5.5, "Rel_Azimuth_Angle": 61.0, "Solar_Zenith_Angle": 24.25}  # degrees, a summer noon


def _rows(cube: np.ndarray, step: int = 64) -> Iterator[np.ndarray]:
    for row in range(0, cube.shape[1], step):
        yield cube[:, row : row + step]


def _detectors(wavelength: np.ndarray, labels: np.ndarray) -> list[_Detector]:
    found = []
    for name, slots in SLOTS.items():
        bands = np.flatnonzero(labels == name)
        if not 0 < len(bands) <= slots:
            raise ConfigError(f"{len(bands)} {name} bands", f"1 to {slots}")
        # descending; unacquired slots lead in the VNIR and trail in the SWIR
        source = bands[np.argsort(-wavelength[bands], kind="stable")]
        first = slots - len(bands) if name == "vnir" else 0
        found.append(_Detector(name, source, first, slots, *SCALE[name]))
    if sum(len(d.source) for d in found) != len(labels):
        raise ConfigError(f"detectors {sorted(set(labels))}", "'vnir' and 'swir'")
    return found


def _encode(
    fields: Any, detectors: list[_Detector], block: np.ndarray, rows: slice, saturated: np.ndarray | None
) -> np.ndarray:
    """Write the counts and error flags of some rows; return where the swath is."""
    block = np.asarray(block, np.float32)
    inside = ~np.isnan(block).all(axis=0)
    for d in detectors:
        counts = np.zeros((block.shape[1], d.slots, block.shape[2]), np.uint16)
        flags = np.zeros(counts.shape, np.uint8)
        low, high = float(np.float32(d.low)), float(np.float32(d.high))
        for slot, band in zip(range(d.used.start, d.used.stop), d.source, strict=True):
            value = block[band]
            number = np.rint((value.astype(np.float64) - low) / (high - low) * 65535)
            if saturated is not None and d.name == "swir":
                number = np.where(saturated & inside, 65536, number)
            missing = np.isnan(number)
            counts[:, slot] = np.where(missing, 0, np.clip(number, 1, 65535)).astype(np.uint16)  # 0 means nothing
            flag = flags[:, slot]
            flag[number < 1] = 2
            flag[number > 65535] = 4
            flag[missing & inside] = 1
        fields[f"{d.name.upper()}_Cube"][rows] = counts
        fields[f"{d.name.upper()}_PIXEL_L2_ERR_MATRIX"][rows] = flags
    return inside


def _attributes(
    file: Any,
    detectors: list[_Detector],
    lists: tuple[np.ndarray, np.ndarray],
    shape: tuple[int, int],
    epsg: int,
    origin: tuple[float, float],
    corners: str,
    start: str,
) -> None:
    a = file.attrs
    a["Processing_Level"] = np.bytes_("2D")
    a["Processor_Name"] = np.bytes_("L2D")
    a["Product_ID"] = np.bytes_("PRS_L2D_STD")
    a["Product_StartTime"] = np.bytes_(start)
    a["Product_StopTime"] = np.bytes_(str(np.datetime64(start, "us") + np.timedelta64(4_300_000, "us")))  # 30 km
    for d in detectors:
        name = d.name.capitalize()
        for label, values in zip(("Cw", "Fwhm"), lists, strict=True):
            slots = np.zeros(d.slots, np.float32)
            slots[d.used] = values[d.source]
            a[f"List_{label}_{name}"] = slots
        acquired = np.zeros(d.slots, np.uint8)
        acquired[d.used] = 1
        a[f"List_Cw_{name}_Flags"] = acquired
        a[f"L2Scale{name}Min"], a[f"L2Scale{name}Max"] = np.float32(d.low), np.float32(d.high)
    a["L2ScalePanMin"], a["L2ScalePanMax"] = np.float32(0), np.float32(1)
    a["Epsg_Code"] = np.uint32(epsg)
    a["Projection_Id"] = np.uint8(epsg % 100)
    a["Projection_Name"] = np.bytes_("UTM")
    a["Sun_zenith_angle"], a["Sun_azimuth_angle"] = np.float32(_ANGLES["Solar_Zenith_Angle"]), np.float32(141.0)
    out = {"centre": 0.0, "edge": PIXEL / 2}[corners]
    east = (origin[0] - out, origin[0] + PIXEL * (shape[1] - 1) + out)
    north = (origin[1] + out, origin[1] - PIXEL * (shape[0] - 1) - out)
    from rasterio.warp import transform as warp

    places = {f"{v}{h}corner": (east[j], north[i]) for i, v in enumerate("UL") for j, h in enumerate("LR")}
    places["center"] = (sum(east) / 2, sum(north) / 2)
    for place, (e, n) in places.items():
        (lon,), (lat,) = warp(f"EPSG:{epsg}", "EPSG:4326", [e], [n])
        a[f"Product_{place}_easting"], a[f"Product_{place}_northing"] = np.float64(e), np.float64(n)
        a[f"Product_{place}_lat"], a[f"Product_{place}_long"] = np.float32(lat), np.float32(lon)
    information = file.create_group("HDFEOS INFORMATION")
    structure = 'GROUP=SwathStructure\n\tGROUP=SWATH_1\n\t\tSwathName="PRS_L2D_HCO"\n\tEND_GROUP=SWATH_1\n'
    information["StructMetadata.0"] = np.bytes_(structure + "END_GROUP=SwathStructure\nEND\n")
    information.attrs["HDFEOSVersion"] = np.bytes_("HDFEOS_5.1.15")


def _geolocation(swath: Any, shape: tuple[int, int], epsg: int, origin: tuple[float, float]) -> None:
    from rasterio.warp import transform as warp

    height, width = shape
    places = swath.create_group("Geolocation Fields")
    for name in ("Latitude", "Longitude"):
        places.create_dataset(name, shape, np.float32)
    angles = swath.create_group("Geometric Fields")
    for name in _ANGLES:
        angles.create_dataset(name, shape, np.float32)
    east = origin[0] + PIXEL * np.arange(width)
    for row in range(0, height, 64):
        north = origin[1] - PIXEL * np.arange(row, min(row + 64, height))
        grid_n, grid_e = np.meshgrid(north, east, indexing="ij")
        lon, lat = warp(f"EPSG:{epsg}", "EPSG:4326", grid_e.ravel(), grid_n.ravel())
        places["Latitude"][row : row + 64] = np.reshape(lat, grid_n.shape)
        places["Longitude"][row : row + 64] = np.reshape(lon, grid_n.shape)

"""Synthetic PRISMA granules on the sensor grid: level 1, 2B and 2C, of any size in bounded memory.

Arrays come in as (line, sample): lines in the order of the flight, samples so that the picture is not mirrored, which
on a daytime pass, flown to the south, is from west to east. The product stores them the other way round, as (sample,
band, line) with the first sample last.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError
from hsgeo_sensors.prisma.writer import SLOTS

__all__ = ["L1_FACTOR", "L1_OFFSET", "L2_SCALE", "flight", "write_prisma_swath"]

L1_FACTOR = {"vnir": 100.0, "swir": 250.0}
L1_OFFSET = {"vnir": 0.5, "swir": 0.25}
"""Radiance = number / factor - offset. The one header that was published has 100 and 0; readers must not rely on it."""
L2_SCALE = {
    "2B": {"vnir": (-1.5, 420.0), "swir": (-0.5, 95.0)},
    "2C": {"vnir": (-0.01, 1.2), "swir": (-0.02, 1.1)},
}
SATURATED = {"1": 2, "2B": 3, "2C": 3}  # codes of the Products Specification, issue 2.3
DEFECTIVE = 1
NEGATIVE = 2  # level 2 only
UNCLASSED = 10  # in the masks of level 1: none of the classes


def flight(
    lines: int, samples: int, *, centre: tuple[float, float] = (42.0, 12.5), heading: float = 193.0
) -> tuple[np.ndarray, np.ndarray]:
    """Place the pixels of a pass, 30 m apart.

    Parameters
    ----------
    lines, samples : int
        Of the swath.
    centre : tuple of float
        Latitude and longitude, degrees.
    heading : float
        Of the flight, degrees clockwise from north; 193 is about that of a daytime pass in middle latitudes.

    Returns
    -------
    numpy.ndarray, numpy.ndarray, shape (lines, samples)
        Latitude and longitude, degrees.
    """
    sine, cosine = np.sin(np.deg2rad(heading)), np.cos(np.deg2rad(heading))
    along = 30.0 * (np.arange(lines)[:, None] - (lines - 1) / 2)
    beside = 30.0 * (np.arange(samples)[None, :] - (samples - 1) / 2)  # to the left of the flight: east, flying south
    east, north = along * sine - beside * cosine, along * cosine + beside * sine
    metres = 111_320.0  # of a degree
    return centre[0] + north / metres, centre[1] + east / (metres * np.cos(np.deg2rad(centre[0])))


def write_prisma_swath(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    detector: npt.ArrayLike,
    level: str,
    lat: npt.ArrayLike | None = None,
    lon: npt.ArrayLike | None = None,
    shape: tuple[int, int] | None = None,
    saturated: npt.ArrayLike | None = None,
    masks: Mapping[str, npt.ArrayLike] | None = None,
    start: str = "2021-06-21T10:12:14.375000",
) -> Path:
    """Write reflectance or radiance as a PRISMA granule on the sensor grid.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.he5``; or ``.zip``, which gets the granule inside as it is delivered.
    spectra : array_like or iterable of numpy.ndarray
        ``(band, line, sample)``, NaN for no measurement, or blocks of whole lines. Reflectance in level 2C, radiance
        (W m-2 sr-1 um-1) in the others. A pixel that is NaN in all bands becomes 0; NaN in some becomes 0 there
        with error code 1; what is beyond the numbers' range is clipped, and flagged in level 2.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres, in any order.
    detector : array_like of str, shape (band,)
        ``"vnir"`` or ``"swir"``; at most 66 and 173.
    level : {"1", "2B", "2C"}
        Processing level.
    lat, lon : array_like, shape (line, sample), optional
        Degrees; None: a pass over central Italy (`flight`).
    shape : tuple of int, optional
        Lines and samples; needed when blocks are given.
    saturated : array_like of bool, shape (line, sample), optional
        Pixels whose SWIR is saturated: highest number, and its error code.
    masks : mapping of str to array_like of uint8, shape (line, sample), optional
        Codes of ``Cloud_Mask``, ``SunGlint_Mask``, ``LandCover_Mask`` (level 1); left out: no class.
    start : str
        ISO 8601, start of the acquisition, UTC.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If level, bands, detectors or shapes do not fit the layout.
    """
    import h5py

    if level not in SATURATED:
        raise ConfigError(f"level {level!r}", ", ".join(SATURATED))
    path = Path(path)
    if shape is None:
        cube = np.asarray(spectra)
        shape, spectra = (cube.shape[1], cube.shape[2]), (cube[:, k : k + 64] for k in range(0, cube.shape[1], 64))
    lines, samples = shape
    centres, widths = np.asarray(wavelength, np.float64), np.asarray(fwhm, np.float64)
    bands = {name: _slots(centres, np.asarray(detector).astype(str), name) for name in SLOTS}
    if sum((b >= 0).sum() for b in bands.values()) != len(centres):
        raise ConfigError(f"detectors {sorted(set(np.asarray(detector).astype(str)))}", "'vnir' and 'swir'")
    wet = np.zeros(shape, bool) if saturated is None else np.asarray(saturated, bool)
    target = path.with_suffix(".he5") if path.suffix.lower() == ".zip" else path
    err = "PIXEL_SAT_ERR_MATRIX" if level == "1" else "PIXEL_L2_ERR_MATRIX"
    with h5py.File(target, "w") as file:
        _attributes(file, level, bands, centres, widths, start)
        swath = file.create_group(f"HDFEOS/SWATHS/PRS_L{level}_HCO")
        fields = swath.create_group("Data Fields")
        file.create_dataset(f"HDFEOS/SWATHS/PRS_L{level}_PCO/Data Fields/Cube", (6 * samples, 6 * lines), np.uint16)
        for name, slots in SLOTS.items():  # no chunks: the product is contiguous
            fields.create_dataset(f"{name.upper()}_Cube", (samples, slots, lines), np.uint16)
            fields.create_dataset(f"{name.upper()}_{err}", (samples, slots, lines), np.uint8)
        _places(swath, level, shape, lat, lon)
        if level == "1":
            for name in ("Cloud_Mask", "SunGlint_Mask", "LandCover_Mask"):
                fields[name] = _stored(np.asarray((masks or {}).get(name, np.full(shape, UNCLASSED)), np.uint8))
        line = 0
        for block in spectra:
            stop = line + block.shape[1]
            if block.shape[0] != len(centres) or block.shape[2] != samples or stop > lines:
                raise ConfigError(
                    f"a block of shape {block.shape} at line {line} does not fit",
                    f"({len(centres)}, lines, {samples}), {lines} lines in all",
                )
            for name in SLOTS:
                counts, codes = _encode(np.asarray(block, np.float64), bands[name], wet[line:stop], name, level)
                fields[f"{name.upper()}_Cube"][:, :, line:stop] = counts
                fields[f"{name.upper()}_{err}"][:, :, line:stop] = codes
            line = stop
        if line != lines:
            raise ConfigError(f"{line} lines were given", f"{lines} lines")
    if target != path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(target, target.name)
        target.unlink()
    return path


def _stored(plane: np.ndarray) -> np.ndarray:
    """Turn (line, sample) into (sample, line), last sample first."""
    return np.ascontiguousarray(np.flip(plane, axis=1).transpose())


def _slots(wavelength: np.ndarray, labels: np.ndarray, name: str) -> np.ndarray:
    """Return the band in each slot, -1 for none: descending, the empty ones first in the VNIR, last in the SWIR."""
    mine = np.flatnonzero(labels == name)
    if not 0 < len(mine) <= SLOTS[name]:
        raise ConfigError(f"{len(mine)} {name} bands", f"1 to {SLOTS[name]}")
    falling = mine[np.argsort(-wavelength[mine], kind="stable")]
    empty = np.full(SLOTS[name] - len(mine), -1)
    return np.concatenate([empty, falling] if name == "vnir" else [falling, empty])


def _encode(
    block: np.ndarray, slots: np.ndarray, wet: np.ndarray, name: str, level: str
) -> tuple[np.ndarray, np.ndarray]:
    """Turn a block of lines into stored numbers and error codes, both (sample, slot, line)."""
    counts = np.zeros((block.shape[2], len(slots), block.shape[1]), np.uint16)
    codes = np.zeros(counts.shape, np.uint8)
    inside = ~np.isnan(block).all(axis=0)
    if level == "1":
        gain, shift, least = L1_FACTOR[name], L1_OFFSET[name] * L1_FACTOR[name], 0
    else:
        low, high = L2_SCALE[level][name]
        low, high = float(np.float32(low)), float(np.float32(high))  # as the attributes hold them
        gain, shift, least = 65535 / (high - low), -low * 65535 / (high - low), 1  # 0 means nothing
    for slot, band in enumerate(slots):
        if band < 0:
            continue
        number = np.rint(block[band] * gain + shift)
        if name == "swir":
            number[wet & inside] = 1e9
        lost = np.isnan(number)
        code = np.zeros(number.shape, np.uint8)
        if level != "1":
            code[number < least] = NEGATIVE
        code[number > 65535] = SATURATED[level]
        code[lost & inside] = DEFECTIVE
        number[lost] = 0
        number[~lost] = np.clip(number[~lost], least, 65535)
        counts[:, slot, :], codes[:, slot, :] = _stored(number.astype(np.uint16)), _stored(code)
    return counts, codes


def _places(
    swath: Any, level: str, shape: tuple[int, int], lat: npt.ArrayLike | None, lon: npt.ArrayLike | None
) -> None:
    """Write latitudes and longitudes, and in level 2 the angles, which change over the swath."""
    known = flight(*shape) if lat is None or lon is None else (np.asarray(lat), np.asarray(lon))
    places = swath.create_group("Geolocation Fields")
    for name, values in zip(("Latitude", "Longitude"), known, strict=True):
        if values.shape != shape:
            raise ConfigError(f"{name} has shape {values.shape}", f"{shape}, lines and samples")
        for end in ("_VNIR", "_SWIR") if level == "1" else ("",):
            places[name + end] = _stored(values).astype(np.float32)
    if level != "1":
        angles = swath.create_group("Geometric Fields")
        line, sample = (np.arange(n) / n for n in shape)
        view = 5.0 + np.add.outer(0 * line, 2 * sample)  # degrees
        angles["Observing_Angle"] = _stored(view).astype(np.float32)
        angles["Rel_Azimuth_Angle"] = np.full(shape[::-1], 61.0, np.float32)
        angles["Solar_Zenith_Angle"] = _stored(np.add.outer(24.0 + line, 0 * sample)).astype(np.float32)


def _attributes(
    file: Any, level: str, bands: Mapping[str, np.ndarray], centres: np.ndarray, widths: np.ndarray, start: str
) -> None:
    a = file.attrs
    a["Processing_Level"] = np.bytes_(level)
    a["Product_StartTime"] = np.bytes_(start)
    a["Product_StopTime"] = np.bytes_(str(np.datetime64(start, "us") + np.timedelta64(4_300_000, "us")))  # 30 km
    a["Sun_zenith_angle"], a["Sun_azimuth_angle"] = np.float32(24.5), np.float32(141.0)
    for low, slots in bands.items():
        name, used = low.capitalize(), slots >= 0
        a[f"List_Cw_{name}"] = np.where(used, centres[slots], 0).astype(np.float32)
        a[f"List_Fwhm_{name}"] = np.where(used, widths[slots], 0).astype(np.float32)
        a[f"List_Cw_{name}_Flags"] = used.astype(np.uint8)
        if level == "1":
            a[f"ScaleFactor_{name}"] = np.float32(L1_FACTOR[low])
            a[f"Offset_{name}"] = np.float32(L1_OFFSET[low])
        else:
            least, most = L2_SCALE[level][low]
            a[f"L2Scale{name}Min"], a[f"L2Scale{name}Max"] = np.float32(least), np.float32(most)
    if level == "2C":  # maps of the atmosphere are coarser than the cubes, and not read
        a["L2ScaleAOTMin"], a["L2ScaleAOTMax"] = np.float32(0), np.float32(1)
        file.create_dataset("HDFEOS/SWATHS/PRS_L2C_AOT/Data Fields/AOT_Map", data=np.full((50, 50), 9000, np.uint16))
    information = file.create_group("HDFEOS INFORMATION")
    structure = f'GROUP=SwathStructure\n\tGROUP=SWATH_1\n\t\tSwathName="PRS_L{level}_HCO"\n\tEND_GROUP=SWATH_1\n'
    information["StructMetadata.0"] = np.bytes_(structure + "END_GROUP=SwathStructure\nEND\n")
    information.attrs["HDFEOSVersion"] = np.bytes_("HDFEOS_5.1.15")

"""Synthetic ENVI images in the variants that occur: interleave, byte order, compression, rotation, omissions."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["write_envi"]

CODES = {"uint8": 1, "int16": 2, "int32": 3, "float32": 4, "float64": 5, "uint16": 12}


def write_envi(
    path: str | Path,
    spectra: npt.ArrayLike,
    *,
    wavelength: npt.ArrayLike | None,
    fwhm: npt.ArrayLike | None = None,
    bbl: npt.ArrayLike | None = None,
    units: str | None = "Nanometers",
    dtype: str = "int16",
    scale: float = 10000.0,
    say_scale: bool = True,
    nodata: float = -9999.0,
    interleave: str = "bsq",
    big_endian: bool = False,
    compress: bool = False,
    header_offset: int = 0,
    long_header_name: bool = True,
    crs: Any = None,
    transform: Any = None,
) -> Path:
    """Write reflectance as an ENVI image.

    Parameters
    ----------
    path : str or pathlib.Path
        The data file; its header is written beside it.
    spectra : array_like, shape (band, y, x)
        Reflectance, NaN for no measurement.
    wavelength, fwhm : array_like, shape (band,), optional
        In ``units``; None: left out.
    bbl : array_like, shape (band,), optional
        1 good, 0 bad.
    units : str or None
        ``wavelength units`` of the header; None: left out.
    dtype : str
        Of the stored numbers.
    scale : float
        Stored number for reflectance 1.
    say_scale : bool
        Whether the header has ``reflectance scale factor``.
    nodata : float
        Stored for NaN, ``data ignore value``.
    interleave : {"bsq", "bil", "bip"}
        Storage order.
    big_endian : bool
        ``byte order = 1``.
    compress : bool
        gzip the data, ``file compression = 1``.
    header_offset : int
        Bytes before the first number.
    long_header_name : bool
        ``x.img.hdr`` rather than ``x.hdr``.
    crs : object, optional
        Anything rasterio takes for a CRS, UTM on WGS 84.
    transform : affine.Affine, optional
        May be rotated.

    Returns
    -------
    pathlib.Path
        The data file.

    Raises
    ------
    ConfigError
        If an argument is not one of those listed.
    """
    path = Path(path)
    cube = np.asarray(spectra, np.float64)
    if dtype not in CODES or interleave not in ("bsq", "bil", "bip"):
        raise ConfigError(f"dtype {dtype!r}, interleave {interleave!r}", f"{sorted(CODES)}; bsq, bil, bip")
    stored = cube * scale
    stored = np.where(np.isnan(cube), nodata, stored if np.dtype(dtype).kind == "f" else np.rint(stored))
    order = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}[interleave]
    numbers = stored.transpose(order).astype(np.dtype(dtype).newbyteorder(">" if big_endian else "<"))
    data = b"\xaa" * header_offset + numbers.tobytes()
    path.write_bytes(gzip.compress(data, 1) if compress else data)
    bands, height, width = cube.shape
    lines = [
        "ENVI",
        "description = {",
        "  synthetic scene}",
        f"samples = {width}",
        f"lines   = {height}",
        f"bands   = {bands}",
        f"header offset = {header_offset}",
        "file type = ENVI Standard",
        f"data type = {CODES[dtype]}",
        f"interleave = {interleave}",
        f"byte order = {int(big_endian)}",
        f"data ignore value = {nodata:g}",
    ]
    if compress:
        lines.append("file compression = 1")
    if say_scale:
        lines.append(f"reflectance scale factor = {scale:g}")
    lines += _map(crs, transform)
    if units is not None:
        lines.append(f"wavelength units = {units}")
    for key, values in (("wavelength", wavelength), ("fwhm", fwhm), ("bbl", bbl)):
        if values is not None:
            items = [repr(float(v)) if key != "bbl" else str(int(v)) for v in np.asarray(values)]
            rows = [", ".join(items[i : i + 8]) for i in range(0, len(items), 8)]
            lines.append(f"{key} = {{\n " + ",\n ".join(rows) + "}")
    header = path.with_name(path.name + ".hdr") if long_header_name else path.with_suffix(".hdr")
    header.write_text("\n".join(lines) + "\n")
    return path


def _map(crs: Any, transform: Any) -> list[str]:
    lines = []
    if transform is not None:
        turn = math.degrees(math.atan2(transform.b, transform.a))
        dx, dy = math.hypot(transform.a, transform.b), math.hypot(transform.d, transform.e)
        where = f"1, 1, {transform.c!r}, {transform.f!r}, {dx!r}, {dy!r}"
        zone = ""
        if crs is not None:
            from rasterio.crs import CRS

            code = CRS.from_user_input(crs).to_epsg() or 0
            if code // 100 in (326, 327):
                zone = f", {code % 100}, {'North' if code // 100 == 326 else 'South'}, WGS-84, units=Meters"
        rotation = f", rotation={turn!r}" if turn else ""
        lines.append(f"map info = {{{'UTM' if zone else 'Arbitrary'}, {where}{zone}{rotation}}}")
    if crs is not None:
        from rasterio.crs import CRS

        lines.append(f"coordinate system string = {{{CRS.from_user_input(crs).to_wkt(version='WKT1_ESRI')}}}")
    return lines

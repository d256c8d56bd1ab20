"""ENVI spectral libraries: a table of numbers, a text header, and sometimes classes in a CSV beside it."""

from __future__ import annotations

import csv
import re
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.library import build

__all__ = ["read_sli"]

_TYPES = {"1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8", "12": "u2", "13": "u4", "14": "i8", "15": "u8"}
_CLASS_COLUMNS = ("class", "category", "type", "level_1")  # in this order; other columns are kept by their own names


def read_sli(path: Path) -> tuple[xr.Dataset, float | None]:
    """Read an ENVI spectral library.

    Parameters
    ----------
    path : pathlib.Path
        The data file or its header.

    Returns
    -------
    library : xarray.Dataset
        Values and wavelengths as in the file.
    scale : float or None
        What the header says to divide by, None when it says nothing.

    Raises
    ------
    ConfigError
        Header or data are missing, do not fit each other, or are no spectral library.
    """
    data, header_path = _pair(path)
    header = _header(header_path)
    try:
        bands, count = int(header["samples"]), int(header["lines"])
        offset = int(header.get("header offset", "0"))
        kind = np.dtype(("<" if header.get("byte order", "0").strip() == "0" else ">") + _TYPES[header["data type"]])
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"the header {header_path.name} has no usable samples, lines or data type ({error})",
            "the header of an ENVI spectral library",
        ) from error
    if "spectral library" not in header.get("file type", "").lower():
        raise ConfigError(
            f"{header_path.name} has the file type {header.get('file type', 'missing')!r}", "ENVI Spectral Library"
        )
    size = data.stat().st_size - offset
    if size < bands * count * kind.itemsize:
        raise ConfigError(
            f"{data.name} holds {size} bytes and its header asks for {bands * count * kind.itemsize}",
            "a complete file",
            "Copy it again",
        )
    values = np.fromfile(data, kind, bands * count, offset=offset).reshape(count, bands).astype(np.float64)
    if "data ignore value" in header:
        values[values == float(header["data ignore value"])] = np.nan
    if "wavelength" not in header:
        raise ConfigError(f"{header_path.name} has no wavelengths", "wavelength = {...} in the header")
    wavelength = _numbers(header["wavelength"], bands, "wavelength", header_path)
    fwhm = _numbers(header["fwhm"], bands, "fwhm", header_path) if "fwhm" in header else None
    names = [name.strip() for name in _list(header.get("spectra names", ""))]
    if len(names) != count:
        names = [f"s{number}" for number in range(1, count + 1)]
    labels = {"name": np.array(names), **_companion(data, names)}
    return build(values, wavelength, fwhm, labels), _scale(header)


def _pair(path: Path) -> tuple[Path, Path]:
    if path.suffix.lower() == ".hdr":
        options = [path.with_suffix(""), path.with_suffix(".sli"), path.with_suffix(".lib")]
        found = [p for p in options if p.is_file()]
        if not found:
            raise ConfigError(f"{path.name} has no data file beside it", f"{path.stem} or {path.stem}.sli")
        return found[0], path
    for header in (path.with_suffix(".hdr"), Path(f"{path}.hdr"), path.with_suffix(".HDR")):
        if header.is_file():
            return path, header
    raise ConfigError(
        f"{path.name} has no ENVI header beside it", f"{path.stem}.hdr, or another format (.csv, .zarr, .nc)"
    )


def _header(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8", errors="replace").lstrip("\ufeff")
    if not text.startswith("ENVI"):
        raise ConfigError(f"{path.name} does not begin with ENVI", "an ENVI header")
    found = re.finditer(r"^[ \t]*([^={}\n;]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", text, re.MULTILINE)
    return {match[1].strip().lower(): match[2].strip() for match in found}


def _list(value: str) -> list[str]:
    value = value.strip().strip("{}").strip()
    return [item.strip() for item in value.replace("\n", " ").split(",")] if value else []


def _numbers(value: str, bands: int, what: str, path: Path) -> np.ndarray:
    try:
        numbers = np.array([float(item) for item in _list(value)])
    except ValueError as error:
        raise ConfigError(f"the {what} in {path.name} are not all numbers ({error})", "numbers") from error
    if len(numbers) != bands:
        raise ConfigError(f"{path.name} has {len(numbers)} {what} for {bands} bands", "one per band")
    return numbers


def _scale(header: dict[str, str]) -> float | None:
    if "reflectance scale factor" in header:
        return float(header["reflectance scale factor"])
    stated = re.search(r"\[\s*[*x]\s*(\d+)\s*\]", header.get("z plot titles", ""))
    return float(stated[1]) if stated else None


def _companion(data: Path, names: list[str]) -> dict[str, np.ndarray]:
    path = data.with_suffix(".csv")
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    columns = [cell.strip().lower() for cell in rows[0]] if rows else []
    by_name = {row[0].strip(): row for row in rows[1:]}
    # quotes, or names with commas: the header splits those, the table does not; then only the order can tell
    in_order = rows[1:] if len(rows) - 1 == len(names) else None
    found = [by_name.get(name) for name in names]
    if any(row is None for row in found) or len(by_name) < len(rows) - 1:
        found = list(in_order) if in_order else []
    if not found or len(columns) < 2 or any(row is None or len(row) < len(columns) for row in found):
        warnings.warn(
            HsgeoWarning(f"{path.name} does not list the spectra of {data.name}: no classes are taken from it"),
            stacklevel=2,
        )
        return {}
    table = {
        key: np.array([row[i].strip() for row in found if row is not None])
        for i, key in enumerate(columns)
        if i and key and key not in ("name", "wavelength", "fwhm")
    }
    for key in _CLASS_COLUMNS:
        if key in table:
            return {"class": table[key], **{k: v for k, v in table.items() if k != "class"}}
    return table

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
from hsgeo.spectra.library_table import is_csv_library, number

__all__ = ["is_envi", "listed_name", "read_sli"]

_TYPES = {"1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8", "12": "u2", "13": "u4", "14": "i8", "15": "u8"}
_SUFFIXES = (".sli", ".hdr", ".lib", ".slb", ".esl", ".dat", ".img", ".bin")  # of data files, and the header
_UNLISTED = str.maketrans({",": ";", "{": "(", "}": ")", "=": "-"})
_CLASS_COLUMNS = ("class", "category", "type", "level_1")  # in this order; other columns are kept by their own names


def is_envi(path: Path) -> bool:
    """Tell by its name whether a file can be an ENVI library: not everything beside a ``.hdr`` belongs to it.

    Parameters
    ----------
    path : pathlib.Path
        A file.

    Returns
    -------
    bool
        Whether its suffix is usual, or a header has its full name.
    """
    if Path(f"{path}.hdr").is_file() or path.suffix.lower() in _SUFFIXES:
        return True
    return not path.suffix and path.with_suffix(".hdr").is_file()


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
    fwhm = _numbers(header["fwhm"], bands, "fwhm", header_path) if "fwhm" in header else np.full(bands, np.nan)
    wavelength, fwhm = _in_units(wavelength, np.where(fwhm > 0, fwhm, np.nan), header, header_path)
    good = _numbers(header["bbl"], bands, "bbl", header_path) != 0 if "bbl" in header else None
    names = [name.strip() for name in _list(header.get("spectra names", ""))]
    if len(names) != count:
        names = [f"s{number}" for number in range(1, count + 1)]
    labels = {"name": np.array(names), **_companion(data, names)}
    return build(values, wavelength, fwhm, labels, good=good), _scale(header)


def listed_name(name: str) -> str:
    """Write a name so that a list in an ENVI header can hold it.

    Parameters
    ----------
    name : str
        Any text.

    Returns
    -------
    str
        Without commas, braces and line ends, which end entries and lists.
    """
    return " ".join(name.translate(_UNLISTED).split())


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


def _in_units(
    wavelength: np.ndarray, fwhm: np.ndarray, header: dict[str, str], path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Give nm where the header names a unit that the size of the numbers does not betray."""
    unit = header.get("wavelength units", "").lower()
    if unit.startswith("wavenumber"):
        return 1e7 / wavelength, fwhm * 1e7 / wavelength**2
    if unit.startswith("angstrom"):
        return wavelength / 10, fwhm / 10
    if unit in ("index", "ghz", "mhz"):
        raise ConfigError(f"{path.name} has wavelengths in {unit}", "nanometres, micrometres or wavenumbers")
    if unit.startswith("micromet") and 100 <= wavelength.max() < 300:  # thermal spectra; above, the numbers are nm
        return wavelength * 1000, fwhm * 1000
    return wavelength, fwhm


def _scale(header: dict[str, str]) -> float | None:
    factor = header.get("reflectance scale factor", "")
    if factor and float(factor) > 0:
        return float(factor)
    stated = re.search(r"\[\s*[*x]\s*(\d+)\s*\]", header.get("z plot titles", ""))
    return float(stated[1]) if stated else None


def _companion(data: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Read the table beside the data: class columns, and names as they are, for the header cannot hold a comma."""
    path = data.with_suffix(".csv")
    if not path.is_file() or is_csv_library(path):
        return {}
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    columns = [cell.strip().lower() for cell in rows[0]] if rows else []
    found = _rows_of(names, rows[1:])
    if not found or len(columns) < 2 or any(len(row) < len(columns) for row in found):
        warnings.warn(
            HsgeoWarning(f"{path.name} does not list the spectra of {data.name}: no classes are taken from it"),
            stacklevel=2,
        )
        return {}
    table = {
        key: np.array([row[i].strip() for row in found])
        for i, key in enumerate(columns)
        if i and key and number(key) is None and key not in ("name", "wavelength", "fwhm", "good", "spectrum", "band")
    }
    if all(listed_name(row[0]) == name for row, name in zip(found, names, strict=True)):
        table["name"] = np.array([row[0].strip() for row in found])
    for key in _CLASS_COLUMNS:
        if key in table:
            return {"class": table[key], **{k: v for k, v in table.items() if k != "class"}}
    return table


def _rows_of(names: list[str], rows: list[list[str]]) -> list[list[str]]:
    """Find the row of every spectrum: by name, or by order where names have quotes or commas; none: an empty list."""
    in_order = len(rows) == len(names)
    if in_order and all(listed_name(row[0]) == name for row, name in zip(rows, names, strict=True)):
        return rows
    by_name = {row[0].strip(): row for row in rows}
    if len(by_name) == len(rows) and all(name in by_name for name in names):
        return [by_name[name] for name in names]
    return rows if in_order else []

"""Spectral libraries as CSV, in the two layouts people use."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.spectra.library import build
from hsgeo.spectra.library_grid import numbered

__all__ = ["read_csv"]

_LAYOUTS = (
    "rows = bands, with a column 'wavelength' (and 'fwhm') and one column per spectrum; "
    "or rows = spectra, with wavelengths as column names"
)
_WAVELENGTH = re.compile(r"(wave ?length|wavelengths|wl|lambda|centre|center|nm|um)\b", re.IGNORECASE)
_FLAGS = ("good", "bbl", "bad band list")  # what hsgeo and ENVI call the band flag; no material
_FWHM = re.compile(r"(fwhm|width|bandwidth)\b", re.IGNORECASE)
_NAMES = ("name", "spectrum", "spectra names", "id", "sample", "label")
_CLASSES = ("class", "category", "type", "level_1")


def read_csv(path: Path) -> xr.Dataset:
    """Read a CSV library; comma, semicolon or tab; byte-order mark allowed.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    xarray.Dataset
        Values and wavelengths as in the file.

    Raises
    ------
    ConfigError
        The layout is neither of the two, or a value is not a number.
    """
    text = path.read_text(encoding="utf-8-sig")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(text), delimiter=delimiter)
        if any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#")
    ]
    if len(rows) < 2 or len(rows[0]) < 2:
        raise ConfigError(f"{path.name} is not a table of spectra", _LAYOUTS)
    header, body = rows[0], rows[1:]
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            raise ConfigError(f"row {number} of {path.name} has {len(row)} columns, the first row {len(header)}")
    bands = [i for i, cell in enumerate(header) if _number(cell) is not None]
    if len(bands) >= 2:
        return _rows_are_spectra(path, header, body, bands)
    at = [i for i, cell in enumerate(header) if _WAVELENGTH.match(cell.replace("_", " "))]
    if not at:
        raise ConfigError(f"{path.name} has the columns {', '.join(header[:6])[:120]}", _LAYOUTS)
    return _rows_are_bands(path, header, body, at[0])


def _rows_are_spectra(path: Path, header: list[str], body: list[list[str]], bands: list[int]) -> xr.Dataset:
    wavelength = np.array([float(header[i]) for i in bands])
    values = _values(path, [[row[i] for i in bands] for row in body])
    text = {header[i].lower(): np.array([row[i] for row in body]) for i in range(len(header)) if i not in bands}
    text = {key: column for key, column in text.items() if key and key not in ("wavelength", "fwhm")}
    classes = next((text[key] for key in _CLASSES if key in text), None)
    names = next((text[key] for key in _NAMES if key in text), None)
    if names is None:
        names = numbered(classes if classes is not None else np.array(["s"] * len(body)))
    labels = {key: column for key, column in text.items() if key not in ("name", "class", "spectrum", "band")}
    if classes is not None:
        labels["class"] = classes
    return build(values, wavelength, None, {"name": names, **labels})


def _rows_are_bands(path: Path, header: list[str], body: list[list[str]], at: int) -> xr.Dataset:
    wide = [i for i, cell in enumerate(header) if i != at and _FWHM.match(cell.replace("_", " "))]
    flags = [i for i, cell in enumerate(header) if i != at and cell.strip().lower() in _FLAGS]
    columns = [i for i, cell in enumerate(header) if cell.strip() and i != at and i not in (*wide, *flags)]
    if not columns:
        raise ConfigError(f"{path.name} has no column besides the wavelength", _LAYOUTS)
    table = _values(path, [[row[at], *[row[i] for i in wide[:1]], *[row[i] for i in columns]] for row in body])
    fwhm = table[:, 1] if wide else None
    return build(table[:, 1 + bool(wide) :].T, table[:, 0], fwhm, {"name": np.array([header[i] for i in columns])})


def _values(path: Path, cells: list[list[str]]) -> np.ndarray:
    def value(cell: str) -> float:
        if cell == "" or cell.lower() in ("nan", "na", "null", "none"):
            return float("nan")
        number = _number(cell)
        if number is None:
            raise ConfigError(f"{path.name} has {cell[:40]!r} where a number belongs", "numbers, empty for missing")
        return number

    return np.array([[value(cell) for cell in row] for row in cells])


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if np.isfinite(number) else None

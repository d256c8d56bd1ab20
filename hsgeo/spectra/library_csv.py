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
from hsgeo.spectra.library_table import is_csv_library, is_wavelength, number, owner

__all__ = ["read_bands", "read_csv"]

_LAYOUTS = (
    "rows = bands, with a column 'wavelength' (and 'fwhm') and one column per spectrum; "
    "or rows = spectra, with wavelengths as column names"
)
_FLAGS = ("good", "bbl", "bad band list")  # what hsgeo and ENVI call the band flag; no material
_BAD = ("0", "0.0", "false", "no")  # a flag that says so
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
    header, body = _table(path)
    bands = [i for i, cell in enumerate(header) if number(cell) is not None]
    if len(bands) >= 2:
        return _rows_are_spectra(path, header, body, bands)
    at = [i for i, cell in enumerate(header) if is_wavelength(cell)]
    data = owner(path)
    if data is not None and not is_csv_library(path):
        raise ConfigError(
            f"{path.name} is the table of names and classes of {data.name}, without spectra",
            "the library itself",
            f"Give {data.name}: the table is read with it",
        )
    if not at:
        raise ConfigError(f"{path.name} has the columns {', '.join(header[:6])[:120]}", _LAYOUTS)
    return _rows_are_bands(path, header, body, at[0])


def read_bands(path: Path) -> xr.Dataset | None:
    """Read the bands of a sensor: a table with a row per band, of which only centre, width and flag are taken.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    xarray.Dataset or None
        A library of no spectra, ``wavelength`` and ``fwhm`` as in the file, ``good`` where there is such a column.
        None: the file has no column of wavelengths, or a row per spectrum.

    Raises
    ------
    ConfigError
        The file is no table, or a value is not a number.
    """
    header, body = _table(path)
    at = [i for i, cell in enumerate(header) if is_wavelength(cell)]
    if not at or sum(number(cell) is not None for cell in header) >= 2:
        return None
    wide = [i for i, cell in enumerate(header) if i != at[0] and _FWHM.match(cell.replace("_", " "))]
    flag = [i for i, cell in enumerate(header) if cell.lower() in _FLAGS]
    table = _values(path, [[row[at[0]], *[row[i] for i in wide[:1]]] for row in body])
    fwhm = np.where(table[:, 1] > 0, table[:, 1], np.nan) if wide else None
    good = np.array([row[flag[0]].lower() not in _BAD for row in body]) if flag else None
    return build(np.empty((0, len(table))), table[:, 0], fwhm, {"name": np.array([], dtype=str)}, good=good)


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
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
    for at, row in enumerate(body, 2):
        if len(row) != len(header):
            raise ConfigError(f"row {at} of {path.name} has {len(row)} columns, the first row {len(header)}")
    return header, body


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
        raise ConfigError(
            f"{path.name} has no column of a spectrum",
            _LAYOUTS,
            "If it lists the bands of a sensor: hsgeo library resample --to takes it",
        )
    table = _values(path, [[row[at], *[row[i] for i in wide[:1]], *[row[i] for i in columns]] for row in body])
    fwhm = table[:, 1] if wide else None
    return build(table[:, 1 + bool(wide) :].T, table[:, 0], fwhm, {"name": np.array([header[i] for i in columns])})


def _values(path: Path, cells: list[list[str]]) -> np.ndarray:
    def value(cell: str) -> float:
        if cell == "" or cell.lower() in ("nan", "na", "null", "none"):
            return float("nan")
        found = number(cell)
        if found is None:
            raise ConfigError(f"{path.name} has {cell[:40]!r} where a number belongs", "numbers, empty for missing")
        return found

    return np.array([[value(cell) for cell in row] for row in cells])

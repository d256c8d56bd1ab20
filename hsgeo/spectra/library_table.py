"""The table of names and classes beside an ENVI library, told from a CSV that is a library of its own."""

from __future__ import annotations

import re
from pathlib import Path

from hsgeo.errors import ConfigError

__all__ = ["check_table", "is_csv_library", "is_wavelength", "number", "owner"]

_WAVELENGTH = re.compile(r"(wave ?length|wavelengths|wl|lambda|centre|center|nm|um)\b", re.IGNORECASE)
_NAMED = ("name", "spectra names", "spectrum", "sample", "id", "label")  # a first column that lists spectra
_DATA = (".sli", ".SLI", ".lib", "")  # of an ENVI library, beside its .hdr


def number(cell: str) -> float | None:
    """Read a cell of a table as a finite number.

    Parameters
    ----------
    cell : str
        Its text.

    Returns
    -------
    float or None
        The number; None: it is something else.
    """
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def is_wavelength(title: str) -> bool:
    """Tell a column of band centres by its title.

    Parameters
    ----------
    title : str
        Such as ``wavelength`` or ``Wavelength (um)``.

    Returns
    -------
    bool
        Whether it is one.
    """
    return bool(_WAVELENGTH.match(title.replace("_", " ")))


def is_csv_library(path: Path) -> bool:
    """Tell whether a CSV holds spectra, by its first row: wavelengths as titles, or a column of them.

    Parameters
    ----------
    path : pathlib.Path
        A file.

    Returns
    -------
    bool
        False for a table of classes, and for what is no table.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            first = next((line for line in file if line.strip() and not line.lstrip().startswith("#")), "")
    except OSError:
        return False
    titles = [cell.strip().strip('"') for cell in first.split(max(",;\t", key=first.count))]
    if sum(number(title) is not None for title in titles) > 1:
        return True
    return len(titles) > 1 and titles[0].lower() not in _NAMED and any(is_wavelength(title) for title in titles)


def owner(table: Path) -> Path | None:
    """Find the ENVI library that takes a CSV of its name for its table.

    Parameters
    ----------
    table : pathlib.Path
        ``lib.csv``, there or not.

    Returns
    -------
    pathlib.Path or None
        ``lib.sli`` (or ``.lib``, or without suffix) where it has a ``.hdr``; None: there is none.
    """
    for end in _DATA:
        data = table.with_suffix(end)
        if data.is_file() and (table.with_suffix(".hdr").is_file() or Path(f"{data}.hdr").is_file()):
            return data
    return None


def check_table(path: Path) -> None:
    """Refuse a CSV library in the place of the table of an ENVI library, and the reverse: either would be lost.

    Parameters
    ----------
    path : pathlib.Path
        What is to be written, ``.csv``, ``.sli`` or another library.

    Raises
    ------
    ConfigError
        The name is taken, whether or not it may be overwritten.
    """
    beside = path.with_suffix(".csv")
    if not beside.is_file():
        return
    suffix, spectra, data = path.suffix.lower(), is_csv_library(beside), owner(beside)
    if suffix == ".csv" and data is not None and not spectra:
        raise ConfigError(
            f"{path} is the table of names and classes of {data.name}",
            "another name: the table would be lost",
            f"Write {path.stem}_spectra.csv, say",
        )
    if suffix in (".sli", ".hdr") and spectra:
        raise ConfigError(
            f"{beside} is a library of its own, and {path.stem}.sli keeps its names and classes in a file of that name",
            "another name",
            f"Write {path.stem}_envi.sli, say",
        )

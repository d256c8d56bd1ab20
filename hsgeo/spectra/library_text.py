"""Libraries of single-spectrum text files: ECOSTRESS (and ASTER) and USGS splib07, one file or a folder of them."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.library_grid import Piece, together
from hsgeo.spectra.library_splib import is_splib, read_splib

__all__ = ["is_text_library", "read_text"]

_ECOSTRESS = re.compile(r"\s*Name\s*:", re.IGNORECASE)
_DELETED = -1e30  # USGS marks deleted channels with -1.23e34; ECOSTRESS took some over


def is_text_library(path: Path) -> bool:
    """Tell whether a file is an ECOSTRESS or splib07 spectrum.

    Parameters
    ----------
    path : pathlib.Path
        A file of any kind, or a folder.

    Returns
    -------
    bool
        Whether `read_text` reads it.
    """
    if not path.is_file() or path.suffix.lower() not in (".txt", ".asc", ""):
        return False
    first = _first_line(path)
    return bool(_ECOSTRESS.match(first)) or is_splib(first)


def read_text(path: Path, *, scale: float | None = None) -> xr.Dataset:
    """Read an ECOSTRESS or splib07 spectrum, or a folder of them with all folders below.

    Other files of a folder (notes, error bars, wavelengths of other instruments) are passed over; spectra that are
    no reflectance or whose wavelengths are not known are left out with a warning.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder.
    scale : float, optional
        Values are divided by this; None: by 100 where the file says percent.

    Returns
    -------
    xarray.Dataset
        Reflectance as fractions, nm; ``level_1`` (also ``class``) to ``level_3`` from headers and folders.

    Raises
    ------
    ConfigError
        No file is a spectrum, or one has a malformed header or table.
    """
    single = path.is_file()
    files = [path] if single else sorted(p for p in path.rglob("*") if p.suffix.lower() in (".txt", ".asc"))
    pieces: list[Piece] = []
    splib: list[Path] = []
    left: Counter[str] = Counter()
    for file in files:
        first = _first_line(file)
        if is_splib(first):
            splib.append(file)
        elif _ECOSTRESS.match(first):
            piece = _ecostress(file, scale)
            if isinstance(piece, str):
                left[piece] += 1
            else:
                pieces.append(piece)
    if splib:
        found, missed = read_splib(splib, path)
        divided = [piece._replace(values=piece.values / scale) for piece in found] if scale else found
        pieces, left = pieces + divided, left + missed
    said = "; ".join(f"{count} {why}" for why, count in left.items())
    if not pieces:
        raise ConfigError(
            f"{path} holds no spectrum that can be used" + (f" ({said})" if said else ""),
            "ECOSTRESS or USGS splib07 text files, the latter with their wavelength files",
            "For other formats give the file itself",
        )
    if said:
        warnings.warn(HsgeoWarning(f"spectra of {path.name} are left out: {said}"), stacklevel=4)
    return together(pieces)


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(400).decode("utf-8", errors="replace").lstrip("\ufeff")
    except OSError:
        return ""


def _ecostress(path: Path, scale: float | None) -> Piece | str:
    """Read one file; a string says why it is left out."""
    header: dict[str, str] = {}
    table: list[tuple[float, float]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        pair = _pair(line)
        if pair is not None and "y units" in header:
            table.append(pair)
        elif ":" in line and not table:
            key, _, value = line.partition(":")
            header.setdefault(key.strip().lower(), " ".join(value.split()))
        elif line.strip() and table:
            raise ConfigError(f"{path.name} has {line[:40]!r} in its table", "two numbers in every row")
    units_x, units_y = header.get("x units", "").lower(), header.get("y units", "").lower()
    if "reflect" not in units_y:
        return f"of {units_y or 'no units'}, not reflectance"
    if len(table) < 2:
        return "without a table"
    w, values = np.array(table).T
    if "wavenumber" in units_x or "cm-1" in units_x:
        w = 1e7 / w
    elif "nanomet" not in units_x:
        w = w * 1000
    values = np.where(values > _DELETED, values, np.nan) / (scale or (100.0 if "percent" in units_y else 1.0))
    levels = [header.get("type"), header.get("class"), header.get("subclass") or header.get("genus")]
    labels = {f"level_{i}": (text or "none").lower() for i, text in enumerate(levels, 1)}
    more = {"particle_size": header.get("particle size", ""), "sample": header.get("sample no.", "")}
    return Piece(w, None, values, {"name": header.get("name") or path.stem, **labels, **more, "file": path.name})


def _pair(line: str) -> tuple[float, float] | None:
    cells = line.split()
    if len(cells) != 2:
        return None
    try:
        return float(cells[0]), float(cells[1])
    except ValueError:
        return None

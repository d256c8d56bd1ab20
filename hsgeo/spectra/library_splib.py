"""USGS Spectral Library Version 7 as ASCII (Kokaly et al. 2017, USGS Data Series 1035).

Every spectrum is a file of one column under a line such as ``splib07a Record=11: Acmite NMNH133746 BECKa AREF``;
wavelengths and widths stand in files of their own, one per spectrometer, found by library, length and spectrometer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.library_grid import Piece

__all__ = ["is_splib", "read_splib"]

_HEADER = re.compile(r"\s*(\S+)\s+Record=\s*(\d+)\s*:\s*(.*)")
_DELETED = -1e30  # deleted channels are -1.23e34
_CHAPTER = re.compile(r"Chapter[A-Z0-9]?_(\w+)")
_LENGTHS = ("wavelength", "waves")
_WIDTHS = ("bandpass", "fwhm", "resolution", "bandwidth")
_OTHER = ("errorbar", "error bar", "wavenumber", "srf")  # what else stands in such files and is no spectrum
_MEASURED = ("AREF", "RREF", "RTGC")  # absolute and relative reflectance, and the latter against another target
_UP = 2  # folders above the given one that may hold the wavelengths: chapter, library


class _Column(NamedTuple):
    """A file: whose it is, what its name and first line say, its numbers."""

    library: str
    text: str
    values: np.ndarray


def is_splib(first_line: str) -> bool:
    """Tell a splib07 file by its first line.

    Parameters
    ----------
    first_line : str
        Of the file.

    Returns
    -------
    bool
        Whether it is one: spectrum, wavelengths or widths.
    """
    return bool(_HEADER.match(first_line))


def read_splib(files: Sequence[Path], root: Path) -> tuple[list[Piece], Counter[str]]:
    """Read splib07 files and give every spectrum its wavelengths.

    Parameters
    ----------
    files : sequence of pathlib.Path
        Spectra, and wavelengths and widths where they are among them.
    root : pathlib.Path
        What the user gave; wavelengths are also looked for in the folders above.

    Returns
    -------
    pieces : list of Piece
        Deleted channels are NaN. Labels: ``name``, ``level_1`` (chapter), ``level_2`` (first word of the title),
        ``spectrometer``, ``measurement`` (``AREF`` is absolute reflectance), ``file``.
    left_out : collections.Counter
        How many spectra were left out, by reason.

    Raises
    ------
    ConfigError
        A file has something else than numbers.
    """
    above = list(root.resolve().parents)[:_UP] if root.is_dir() else list(root.resolve().parents)[: _UP + 1]
    beside = [path for folder in above for path in sorted(folder.glob("*.txt")) if _role(path) in ("w", "f")]
    known = {path.resolve() for path in files}
    lengths, widths, spectra = [], [], []
    for path in [*files, *(path for path in beside if path not in known)]:
        role = _role(path)
        if role == "w":
            lengths.append(_read(path, described=True))
        elif role == "f":
            widths.append(_read(path, described=True))
        elif role == "s":
            spectra.append(path)
    pieces: list[Piece] = []
    left: Counter[str] = Counter()
    for path in spectra:
        column = _read(path, described=False)
        title, tag, measurement = _title(column.text)
        found = _of(lengths, column, tag)
        if len(found) != 1:
            left["whose wavelength file is not there" if not found else "with several wavelength files that fit"] += 1
            continue
        w = _nanometres(found[0])
        fits = _of(widths, column, tag)
        width = _nanometres(fits[0]) if len(fits) == 1 else np.full(len(w), np.nan)
        there = w > 0  # wavelengths can be deleted too
        values = np.where(column.values > _DELETED, column.values, np.nan)
        if not np.isfinite(values[there]).any():
            left["without a single value"] += 1
            continue
        labels = {"name": title, "level_1": _chapter(path), "level_2": title.split()[0].lower()}
        labels |= {"spectrometer": tag, "measurement": measurement, "file": path.name}
        pieces.append(Piece(w[there], np.where(width > 0, width, np.nan)[there], values[there], labels))
    return pieces, left


def _role(path: Path) -> str:
    """Tell wavelengths (w), widths (f), spectra (s) and others apart."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline(400)
    match = _HEADER.match(first)
    if not match:
        return ""
    if match[3].split()[-1:] and match[3].split()[-1] in _MEASURED and "error" not in path.stem.lower():
        return "s"
    said = f"{path.stem.removeprefix(match[1])} {match[3]}".lower()
    if any(word in said for word in _OTHER):
        return ""
    if any(word in said for word in _LENGTHS):
        return "w"
    return "f" if any(word in said for word in _WIDTHS) else ""


def _read(path: Path, *, described: bool) -> _Column:
    first, _, body = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    match = _HEADER.match(first)
    assert match is not None
    try:
        values = np.array(body.split(), dtype=np.float64)
    except ValueError as error:
        raise ConfigError(f"{path.name} has something else than numbers ({error})", "one number per line") from error
    return _Column(match[1].lower(), f"{path.stem} {match[3]}" if described else match[3], values)


def _title(text: str) -> tuple[str, str, str]:
    """Split ``Acmite NMNH133746 Pyroxene BECKa AREF`` into title, spectrometer with purity, and measurement."""
    words = text.split()
    if len(words) < 3:
        return " ".join(words) or "unnamed", "", ""
    return " ".join(words[:-2]), words[-2], words[-1]


def _of(columns: Sequence[_Column], spectrum: _Column, tag: str) -> list[_Column]:
    """Return the columns of a spectrum's library, length and spectrometer; the nearer description wins."""
    fits = [c for c in columns if c.library == spectrum.library and len(c.values) == len(spectrum.values)]
    spectrometer = re.sub(r"[a-z]+$", "", tag)  # ASDFRa: spectrometer ASDFR, purity a
    for wanted in (spectrometer, spectrometer[:4], spectrometer[:3]):
        named = [c for c in fits if wanted and wanted.lower() in c.text.lower()]
        if named:
            fits = named
            break
    alike = [c for c in fits[1:] if np.array_equal(c.values, fits[0].values)]
    return fits[:1] if len(alike) == len(fits) - 1 else fits


def _nanometres(column: _Column) -> np.ndarray:
    said = column.text.lower()
    factor = 1.0 if re.search(r"(\b|_)nm(\b|_)|nanomet", said) else 1000.0  # microns, the rule in splib07
    return np.where(column.values > _DELETED, column.values * factor, np.nan)


def _chapter(path: Path) -> str:
    for folder in path.resolve().parents:
        match = _CHAPTER.match(folder.name)
        if match:
            return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", match[1]).lower()
    return "unknown"

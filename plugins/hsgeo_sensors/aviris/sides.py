"""AVIRIS Classic's text tables beside an image, and its four spectrometers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from hsgeo.errors import SceneError

__all__ = ["columns", "overlapped", "spectrometers"]

NAMES = ("A", "B", "C", "D")
"""JPL's names of the spectrometers, in ascending wavelength."""
LARGEST = 1 << 20  # bytes; a table of 224 bands has some ten thousand


def columns(path: Path, *, rows: int, least: int, what: str) -> np.ndarray:
    """Read a table of numbers, one row for each band.

    Parameters
    ----------
    path : pathlib.Path
        A ``.gain`` (factor, channel) or an ``.spc`` file (centre, width, ...).
    rows : int
        Bands of the image.
    least : int
        Columns that are needed.
    what : str
        Of the table, for messages.

    Returns
    -------
    numpy.ndarray, shape (rows, columns)
        Float64.

    Raises
    ------
    SceneError
        If it is no such table, or its last column numbers the channels in another order than 1, 2, 3, ...
    """
    accepted = f"one row for each of {rows} bands, with {least} or more numbers"
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large for one")
        lines = [line.split("#")[0].replace(",", " ").split() for line in path.read_text("ascii").splitlines()]
        table = np.array([[float(word) for word in line] for line in lines if line])
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise SceneError(
            f"{path} is no {what} table: {error}", accepted, "Get the file delivered with the image"
        ) from error
    if table.ndim != 2 or table.shape[0] != rows or table.shape[1] < least or not np.isfinite(table[:, :least]).all():
        raise SceneError(
            f"{path} has {len(table)} rows of {what} for {rows} bands",
            accepted,
            "Get the file delivered with the image",
        )
    number = table[:, -1]
    if table.shape[1] > least and set(number) == set(range(1, rows + 1)) and (np.diff(number) != 1).any():
        raise SceneError(f"{path} lists its channels out of order", accepted, "Sort its rows by channel")
    return table


def spectrometers(wavelength: np.ndarray) -> np.ndarray | None:
    """Name the spectrometer of each band: a new one begins where the wavelength steps back.

    Parameters
    ----------
    wavelength : numpy.ndarray, shape (band,)
        Nanometres, in the file's order.

    Returns
    -------
    numpy.ndarray of str, shape (band,), or None
        ``"A"`` to ``"D"``; None where nothing steps back, or more than three times.
    """
    back = np.concatenate([[0], np.diff(wavelength) < 0]).cumsum()
    if back[-1] == 0 or back[-1] >= len(NAMES):
        return None
    return np.array(NAMES)[back]


def overlapped(wavelength: np.ndarray, label: np.ndarray, overlap: str) -> np.ndarray:
    """Mark the bands that give way where two neighbouring spectrometers measured the same wavelengths.

    Parameters
    ----------
    wavelength : numpy.ndarray, shape (band,)
        Nanometres.
    label : numpy.ndarray of str, shape (band,)
        Of `spectrometers`.
    overlap : {"longer", "shorter", "both"}
        Whose bands stay: those of the spectrometer of longer or of shorter wavelengths.

    Returns
    -------
    numpy.ndarray of bool, shape (band,)
        True where a band is left out.
    """
    out = np.zeros(len(wavelength), bool)
    names = [name for name in NAMES if (label == name).any()]
    for lower, upper in pairwise(names):
        if overlap == "longer":
            out |= (label == lower) & (wavelength >= wavelength[label == upper].min())
        elif overlap == "shorter":
            out |= (label == upper) & (wavelength <= wavelength[label == lower].max())
    return out

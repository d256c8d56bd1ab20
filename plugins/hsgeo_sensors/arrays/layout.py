"""How a bare array is an image: which axis holds the bands, how long a line is, in which order pixels were flattened.

MATLAB flattens an image column by column, NumPy row by row, and the array itself does not say which. In an image, a
pixel resembles the one beside it in the next line. So the distance in the flat order at which pixels resemble each
other is the length of the stored line: the number of rows (columns were stored one after the other, ``F``) or the
number of columns (``C``). In a square image both are the same number and nothing can be seen: reading it the wrong way
transposes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from hsgeo.errors import ConfigError, SceneError

__all__ = ["Layout", "find_layout", "line_contrast"]

Order = Literal["F", "C"]
CLEAR, CHANCE = 0.05, 4.0
"""Pixels a line apart must differ less than in the other order by ``CLEAR`` and by ``CHANCE`` standard deviations of
what noise shows, about one over the root of the pixels. Benchmark scenes show 0.12 (99 x 100 pixels) to 11, noise
0.015."""
ROWS = ("nrow", "nrows", "h", "rows", "lines", "height")
COLS = ("ncol", "ncols", "w", "cols", "columns", "samples", "width")


class Layout(NamedTuple):
    """Where bands, rows and columns of an array are.

    Parameters
    ----------
    axes : tuple of str
        Of the array: ``"band"``, ``"y"``, ``"x"``, or ``"band"`` and ``"pixel"``.
    sizes : dict of str to int
        Of ``band``, ``y`` and ``x``.
    order : str
        In which pixels were flattened; empty for three axes.
    why : str
        What told it.
    """

    axes: tuple[str, ...]
    sizes: dict[str, int]
    order: str
    why: str


def find_layout(
    shape: tuple[int, ...],
    *,
    name: str,
    numbers: Mapping[str, float],
    bands: Callable[[int], bool] | None,
    bands_axis: int | None,
    rows: int | None,
    cols: int | None,
    order: Order | None,
    suffix: str,
    by_python: bool,
    probe: Callable[[int], np.ndarray],
) -> Layout:
    """Decide the layout of an array, or say which option decides it.

    Parameters
    ----------
    shape : tuple of int
        Of two or three axes.
    name : str
        File and variable, for messages.
    numbers : mapping of str to float
        Single numbers of the file by their names in lower case: ``nrow``, ``ncol``, ``h``, ``w``, ...
    bands : callable or None
        ``bands(n)`` tells whether n bands would fit the wavelengths; None where there are none.
    bands_axis, rows, cols, order : optional
        What the user says. It stands above everything.
    suffix : str
        ``".mat"`` or ``".npz"``.
    by_python : bool
        Whether Python wrote the file.
    probe : callable
        ``probe(axis)`` returns a few bands of a two-dimensional array whose pixels lie along ``axis``, ``(n, pixels)``.

    Returns
    -------
    Layout
        The decision and its reason.

    Raises
    ------
    SceneError
        If the file does not tell.
    ConfigError
        If options do not fit the array.
    """
    key_rows = next((key for key in ROWS if key in numbers), None)
    key_cols = next((key for key in COLS if key in numbers), None)
    said_rows = rows if rows is not None else int(numbers[key_rows]) if key_rows else None
    said_cols = cols if cols is not None else int(numbers[key_cols]) if key_cols else None
    if bands_axis is not None and not 0 <= bands_axis < len(shape):
        raise ConfigError(f"the reader option bands_axis is {bands_axis} for shape {shape}", f"0 to {len(shape) - 1}")
    if len(shape) == 3:
        return _cube(shape, name, bands, bands_axis, said_rows, said_cols)
    if said_rows is None or said_cols is None or said_rows < 1 or said_cols < 1:
        raise SceneError(
            f"{name} has shape {shape}, pixels in a row, and the file does not say how many rows and columns they make",
            "nRow and nCol (or H and W) in the file",
            "Give the reader options rows=... and cols=...",
        )
    axis = _pixels(shape, name, said_rows * said_cols, bands_axis)
    sizes = {"band": shape[1 - axis], "y": said_rows, "x": said_cols}
    axes = ("band", "pixel") if axis == 1 else ("pixel", "band")
    if order is not None:
        return Layout(axes, sizes, order, "option order")
    known = _documented(key_rows, key_cols, suffix, by_python)
    if 1 in (said_rows, said_cols):
        return Layout(axes, sizes, "C", "a single line")
    if said_rows != said_cols:
        contrast = line_contrast(probe(axis), said_rows, said_cols)
        clear = 1.0 + CLEAR + CHANCE / np.sqrt(said_rows * said_cols)
        seen = "F" if contrast >= clear else "C" if contrast <= 1 / clear else None
        if seen is not None:
            ratio = max(contrast, 1 / contrast)
            return Layout(axes, sizes, seen, f"pixels a line apart differ {ratio:.2f} times less than in the other")
    if known is not None:
        return Layout(axes, sizes, *known)
    shown = "and neither order makes a smooth image"
    if said_rows == said_cols:
        shown = "a square image, whose two orders are transposes of each other"
    raise SceneError(
        f"{name} has {said_rows} x {said_cols} pixels in a row, {shown}, and the file does not say its pixel order",
        "a file that MATLAB wrote, HySUPP's keys H and W, or an image that is not square",
        "Give the reader option order=F (column by column, as MATLAB does) or order=C (row by row, as NumPy does)",
    )


def line_contrast(values: np.ndarray, rows: int, cols: int) -> float:
    """Compare both orders: above 1, the image is smooth column by column (``F``); below 1, row by row (``C``).

    Parameters
    ----------
    values : numpy.ndarray, shape (band, pixel)
        A few bands, flat; NaN where missing.
    rows, cols : int
        Of the image.

    Returns
    -------
    float
        Median over the bands of the mean difference at distance ``cols`` over that at distance ``rows``; 1 where
        nothing can be told.
    """
    found = []
    for band in np.asarray(values, np.float64):
        apart = []
        for lag in (cols, rows):
            step = np.abs(band[lag:] - band[:-lag])
            step = step[np.isfinite(step)]
            apart.append(float(step.mean()) if step.size else 0.0)
        if min(apart) > 0:
            found.append(apart[0] / apart[1])
    return float(np.median(found)) if found else 1.0


def _documented(key_rows: str | None, key_cols: str | None, suffix: str, by_python: bool) -> tuple[str, str] | None:
    if (key_rows, key_cols) == ("h", "w"):
        return "C", "the keys H and W: HySUPP flattens row by row"
    if suffix == ".mat" and (key_rows, key_cols) == ("nrow", "ncol"):
        return "F", "the keys nRow and nCol of MATLAB's benchmark files: column by column"
    if suffix == ".mat" and not by_python:
        return "F", "MATLAB wrote the file: column by column"
    return None


def _pixels(shape: tuple[int, ...], name: str, count: int, bands_axis: int | None) -> int:
    if bands_axis is not None:
        fits = [1 - bands_axis] if shape[1 - bands_axis] == count else []
    else:
        fits = [axis for axis in (1, 0) if shape[axis] == count]
    if not fits:
        raise SceneError(
            f"{name} has shape {shape}, and {count} pixels are said",
            "one axis with as many entries as rows x columns",
            "Correct them with the reader options rows=... and cols=...",
        )
    return fits[0]  # where both fit: (bands, pixels), as the benchmark files have it


def _cube(
    shape: tuple[int, ...],
    name: str,
    bands: Callable[[int], bool] | None,
    bands_axis: int | None,
    rows: int | None,
    cols: int | None,
) -> Layout:
    axis, why = bands_axis, "option bands_axis"
    if axis is None:
        if bands is None:
            raise SceneError(
                f"{name} has shape {shape} and no wavelengths",
                "a wavelength for each band: in the file (wavelength, wavlen, ...) or given",
                "Give them with the reader option wavelengths=... (numbers in nm or a CSV file)",
            )
        fits = [k for k, n in enumerate(shape) if bands(n)]
        if rows is not None and cols is not None and len(fits) > 1:
            fits = [k for k in fits if [n for j, n in enumerate(shape) if j != k] == [rows, cols]] or fits
        if len(fits) != 1:
            raise SceneError(
                f"{name} has shape {shape}, and {len(fits)} of its axes have as many entries as there are wavelengths",
                "one such axis",
                "Say which axis holds the bands with the reader option bands_axis=0, 1 or 2"
                + ("" if fits else ", or correct wavelengths=..."),
            )
        axis, why = fits[0], "as many entries as wavelengths"
    axes = ["y", "x"]
    axes.insert(axis, "band")
    sizes = dict(zip(axes, shape, strict=True))
    if rows is not None and cols is not None and (sizes["y"], sizes["x"]) != (rows, cols):
        raise SceneError(
            f"{name} has {sizes['y']} x {sizes['x']} pixels, and {rows} x {cols} are said",
            "an array whose rows and columns are those said",
            "Say which axis holds the bands with bands_axis=..., or correct rows=... and cols=...",
        )
    return Layout(tuple(axes), sizes, "", why)

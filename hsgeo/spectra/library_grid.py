"""Spectra of several wavelength grids in one library, and one grid for all where a format wants it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoWarning
from hsgeo.spectra.library import build
from hsgeo.spectra.srf import resample

__all__ = ["Piece", "numbered", "one_grid", "together"]

_LARGE = 50_000_000  # values, 400 MB: whole archives on the union of their grids; beyond, one grid is the smaller evil


class Piece(NamedTuple):
    """One spectrum as its file has it.

    Parameters
    ----------
    wavelength : numpy.ndarray
        ``(band,)`` nm, any order.
    fwhm : numpy.ndarray or None
        ``(band,)`` nm; None: unknown.
    values : numpy.ndarray
        ``(band,)`` reflectance, NaN where missing.
    labels : dict of str to str
        ``name`` and class levels.
    """

    wavelength: np.ndarray
    fwhm: np.ndarray | None
    values: np.ndarray
    labels: dict[str, str]


def together(pieces: Sequence[Piece]) -> xr.Dataset:
    """Put single spectra into one library without interpolating: on the union of their wavelength grids.

    Parameters
    ----------
    pieces : sequence of Piece
        At least one.

    Returns
    -------
    xarray.Dataset
        Sorted by wavelength, NaN where a spectrum has no sample, ``class`` from ``level_1``; ``grid (spectrum)`` where
        the grids differ. Archives too big for that come on one grid, with a warning.
    """
    grids: dict[bytes, int] = {}
    own: list[int] = []
    rows: list[np.ndarray] = []
    for piece in pieces:
        row = _keys(piece)
        key = row.tobytes()
        if key not in grids:
            grids[key] = len(rows)
            rows.append(row)
        own.append(grids[key])
    bands, place = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    starts = np.cumsum([0, *(len(row) for row in rows)])
    place = place.ravel()
    spectra = np.full((len(pieces), len(bands)), np.nan)
    for i, (piece, grid) in enumerate(zip(pieces, own, strict=True)):
        spectra[i, place[starts[grid] : starts[grid + 1]]] = piece.values[np.argsort(piece.wavelength, kind="stable")]
    keys = list(dict.fromkeys(key for piece in pieces for key in piece.labels))
    labels = {key: np.array([piece.labels.get(key, "") for piece in pieces]) for key in keys}
    labels = {key: column for key, column in labels.items() if any(column)}
    labels["name"] = numbered(labels["name"])
    if "level_1" in labels:
        labels["class"] = labels["level_1"]
    if len(rows) > 1:
        labels["grid"] = np.array([_described(rows[grid]) for grid in own])
    library = build(spectra, bands[:, 0], np.where(bands[:, 1] > 0, bands[:, 1], np.nan), labels)
    if library["spectra"].size > _LARGE and len(rows) > 1:
        warnings.warn(
            HsgeoWarning(f"{len(rows)} wavelength grids are too many to keep: all are interpolated to the commonest"),
            stacklevel=5,
        )
        return one_grid(library)
    return library


def one_grid(library: xr.Dataset) -> xr.Dataset:
    """Bring all spectra of a library to the wavelength grid that most of them have (of equal ones, the longest).

    Linear interpolation between neighbouring samples; nothing across gaps, nothing beyond a spectrum's range (NaN).

    Parameters
    ----------
    library : xarray.Dataset
        A library.

    Returns
    -------
    xarray.Dataset
        Unchanged where there is but one grid.
    """
    if "grid" not in library.coords:
        return library
    w, fwhm = library["wavelength"].values, library["fwhm"].values
    values = library["spectra"].transpose("spectrum", "band").values
    patterns, counts = np.unique(np.isfinite(values), axis=0, return_counts=True)
    best = patterns[max(range(len(patterns)), key=lambda i: (counts[i], patterns[i].sum()))]
    points = np.full(int(best.sum()), 1e-6)  # bands without width: interpolation, no smoothing
    spectra = resample(values, w, None, w[best], points)
    labels = {str(k): v.values for k, v in library.coords.items() if v.dims == ("spectrum",) and k != "grid"}
    return build(spectra.astype(values.dtype), w[best], fwhm[best], labels).assign_attrs(library.attrs)


def numbered(names: np.ndarray) -> np.ndarray:
    """Make names unique: the second ``soil`` is ``soil-2``.

    Parameters
    ----------
    names : numpy.ndarray
        ``(spectrum,)`` text.

    Returns
    -------
    numpy.ndarray
        ``(spectrum,)`` text.
    """
    taken = set(names.tolist())
    seen: dict[str, int] = {}
    out = []
    for name in names.tolist():
        seen[name] = seen.get(name, 0) + 1
        unique = name
        while seen[name] > 1 and unique in taken:
            unique = f"{name}-{seen[name]}"
            seen[name] += unique in taken
        taken.add(unique)
        out.append(unique)
    return np.array(out)


def _keys(piece: Piece) -> np.ndarray:
    """Say what tells bands apart: centre, width (0 unknown), and which one it is of several at one place."""
    order = np.argsort(piece.wavelength, kind="stable")
    w = piece.wavelength[order]
    width = np.zeros(len(w)) if piece.fwhm is None else np.nan_to_num(piece.fwhm[order])
    again = np.zeros(len(w))
    for i in np.flatnonzero(np.diff(w) == 0) + 1:
        again[i] = again[i - 1] + 1
    return np.stack([w, width, again], axis=1)


def _described(row: np.ndarray) -> str:
    return f"{len(row)} bands, {row[0, 0]:g}-{row[-1, 0]:g} nm"

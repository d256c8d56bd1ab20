"""What there is to know of a spectral library before it is used."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.spectra.srf import gaps

__all__ = ["library_facts"]

_NO_LEVEL = ("name", "class", "grid", "file", "sample", "record")  # columns that tell spectra, not classes


def library_facts(library: xr.Dataset) -> dict[str, Any]:
    """Sum a library up: how many spectra of which classes, where they reach, and what is odd about them.

    Parameters
    ----------
    library : xarray.Dataset
        A library.

    Returns
    -------
    dict
        ``spectra`` and ``bands`` (counts), ``wavelength`` (range, nm), ``fwhm`` (lowest, median, highest, nm; None:
        unknown), ``spacing`` (median, nm), ``grids`` (spectra by wavelength grid), ``gaps`` (ranges without bands, nm),
        ``bad`` (ranges flagged as bad, nm), ``scale`` (what the file was divided by), ``values`` (lowest, highest),
        ``outside`` (share of the values that are no reflectance), ``missing`` (share that is NaN, for one grid only),
        ``empty`` (names of spectra of zeros), ``classes`` (spectra by class), ``levels`` (number of classes by column),
        ``same_name`` (names that occur more than once) and ``same_spectrum`` (pairs of names with the same values).
    """
    values = library["spectra"].transpose("spectrum", "band").values
    names = [str(name) for name in library["name"].values]
    order = np.argsort(library["wavelength"].values, kind="stable")
    w, fwhm = library["wavelength"].values[order], library["fwhm"].values[order]
    good = np.ones(len(w), bool) if "good" not in library.coords else library["good"].values.astype(bool)[order]
    used = values[:, order][:, good]
    finite = used[np.isfinite(used)]
    counts = Counter(names)
    known = fwhm[np.isfinite(fwhm)]
    columns = [str(k) for k, v in library.coords.items() if v.dims == ("spectrum",) and k not in _NO_LEVEL]
    levels = {key: len(set(library[key].values.tolist())) for key in columns}
    return {
        "spectra": len(names),
        "bands": len(w),
        "wavelength": [float(w[0]), float(w[-1])],
        "fwhm": [float(known.min()), float(np.median(known)), float(known.max())] if known.size else None,
        "spacing": float(np.median(np.diff(np.unique(w)))) if len(w) > 1 else None,
        "grids": _counted(library, "grid"),
        "gaps": _gaps(library),
        "bad": _runs(w, ~good),
        "scale": float(library.attrs.get("divided_by", 1.0)),
        "values": [float(finite.min()), float(finite.max())] if finite.size else None,
        "outside": float(((finite < 0) | (finite > 1)).mean()) if finite.size else 0.0,
        "missing": 0.0 if "grid" in library.coords else float(1 - finite.size / max(used.size, 1)),
        "empty": [name for name, row in zip(names, used, strict=True) if not np.nan_to_num(row).any()],
        "classes": _counted(library, "class"),
        "levels": {key: n for key, n in levels.items() if 1 < n < len(names)},
        "same_name": {name: n for name, n in counts.items() if n > 1},
        "same_spectrum": _same(values, names),
    }


def _counted(library: xr.Dataset, column: str) -> dict[str, int]:
    if column not in library.coords:
        return {}
    return dict(Counter(library[column].values.astype(str).tolist()).most_common())


def _gaps(library: xr.Dataset) -> list[list[float]]:
    """Find the gaps of every wavelength grid."""
    w, fwhm = library["wavelength"].values, library["fwhm"].values
    there = np.isfinite(library["spectra"].transpose("spectrum", "band").values)
    grids = library["grid"].values if "grid" in library.coords else np.zeros(len(there))
    found: set[tuple[float, float]] = set()
    for grid in np.unique(grids):
        own = there[grids == grid].any(axis=0)
        order = np.argsort(w[own], kind="stable")
        x = w[own][order]
        found |= {(float(x[i]), float(x[i + 1])) for i in np.flatnonzero(gaps(x, fwhm[own][order]))}
    return [list(gap) for gap in sorted(found)]


def _runs(w: np.ndarray, flag: np.ndarray) -> list[list[float]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flag, [False]]).astype(int)))
    return [[float(w[a]), float(w[b - 1])] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _same(values: np.ndarray, names: list[str]) -> list[list[str]]:
    first: dict[bytes, int] = {}
    pairs = []
    for i, row in enumerate(values):
        at = first.setdefault(row.tobytes(), i)
        if at != i:
            pairs.append([names[at], names[i]])
    return pairs

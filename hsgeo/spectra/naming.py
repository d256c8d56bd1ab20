"""Names for endmembers that were found blindly: what the nearest library spectrum is called, where that is clear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.spectra.library import resample_library
from hsgeo.spectra.library_grid import numbered

__all__ = ["RIVAL", "THRESHOLD", "Naming", "name_endmembers"]

# Fixed on 265 ECOSTRESS spectra of 7 types, seen by PRISMA, EnMAP and EMIT with 1 % noise and up to 15 % of another
# spectrum mixed in (5 draws), each named by the others. By the angle alone the type is right in 70 % of the cases below
# 0.1 rad and in no more than 78 % below 0.03 rad: soils, rocks and roofs lie as near to each other as to themselves.
# With every spectrum of another type at least 2.5 times as far, it is right in 95 %, and a fifth of the spectra gets a
# name; with soil, rock, mineral and manmade as one type, in 98 %, and 37 % get one.
THRESHOLD = 0.1
"""Radians; endmembers further from every library spectrum than this keep their names."""
RIVAL = 0.4
"""Largest ratio of the angle to the nearest spectrum over that to the nearest one of another name."""

_SHARED = 0.5  # of the bands: an angle over fewer says little about the rest of the spectrum


class Naming(NamedTuple):
    """What `name_endmembers` found.

    Parameters
    ----------
    names : tuple of str
        One per endmember, all different.
    sad : numpy.ndarray
        ``(endmember,)`` spectral angle to the nearest library spectrum, radians; NaN for an endmember of zeros or NaN.
    nearest : tuple of str
        Name of that spectrum; empty where there is none.
    rival : numpy.ndarray
        ``(endmember,)`` the angle over that to the nearest spectrum of another name, 0 to 1; 0 without another.
    """

    names: tuple[str, ...]
    sad: np.ndarray
    nearest: tuple[str, ...]
    rival: np.ndarray


def name_endmembers(
    E: np.ndarray,
    wavelength: np.ndarray,
    library: xr.Dataset,
    *,
    fwhm: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    by: str | None = None,
    threshold: float = THRESHOLD,
    rival: float = RIVAL,
) -> Naming:
    """Name endmembers by the nearest spectrum of a library, in spectral angle over the bands that both have.

    An endmember is named only where the angle is at most ``threshold`` and the nearest spectrum of another name is
    clearly further (``rival``); the others keep their names. A second endmember of a name gets ``-2``.

    Parameters
    ----------
    E : numpy.ndarray
        ``(band, endmember)``; bands where an endmember is NaN are left out.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    library : xarray.Dataset
        A library; it is brought to these bands.
    fwhm : numpy.ndarray, optional
        ``(band,)`` nm; None: unknown.
    names : sequence of str, optional
        Names the endmembers have; None: ``e1`` and so on.
    by : str, optional
        Column of the library that gives the names; None: ``class``, or ``name`` where there is none.
    threshold : float
        Radians.
    rival : float
        0 to 1; 1: whatever the nearest is called.

    Returns
    -------
    Naming
        Names and scores.

    Raises
    ------
    ConfigError
        The library shares too few bands with the endmembers, or has no such column; shapes or limits are wrong.
    """
    E, wavelength = np.asarray(E, dtype=np.float64), np.asarray(wavelength, dtype=np.float64)
    if E.ndim != 2 or wavelength.shape != E.shape[:1] or not E.size:
        raise ConfigError(f"endmembers of shape {E.shape} with {wavelength.size} wavelengths", "(band, endmember)")
    if not (0 < threshold <= np.pi and 0 < rival <= 1):
        raise ConfigError(f"threshold={threshold}, rival={rival}", "an angle up to pi, and a ratio up to 1")
    old = tuple(names) if names is not None else tuple(f"e{i}" for i in range(1, E.shape[1] + 1))
    if len(old) != E.shape[1] or len(set(old)) < len(old):
        raise ConfigError(f"the names {', '.join(old)} for {E.shape[1]} endmembers", "one each, all different")
    by = by or ("class" if "class" in library.coords else "name")
    if by not in library.coords or library[by].dims != ("spectrum",):
        columns = sorted(str(key) for key, value in library.coords.items() if value.dims == ("spectrum",))
        raise ConfigError(f"the library has no column {by!r}", ", ".join(columns))
    spectra = resample_library(library, wavelength, fwhm)["spectra"].values.astype(np.float64)
    labels = library[by].values.astype(str)
    titles = library["name"].values.astype(str)
    angles = _angles(E, spectra)
    sad = np.full(E.shape[1], np.nan)
    ratio = np.full(E.shape[1], np.nan)
    nearest, wanted = [], list(old)
    for p, row in enumerate(angles):
        if not np.isfinite(row).any():
            nearest.append("")
            continue
        k = int(np.nanargmin(row))
        others = row[(labels != labels[k]) & np.isfinite(row)]
        sad[p] = row[k]
        ratio[p] = 0.0 if not others.size else row[k] / others.min() if others.min() > 0 else 1.0
        nearest.append(str(titles[k]))
        if sad[p] <= threshold and ratio[p] <= rival and labels[k]:
            wanted[p] = str(labels[k])
    return Naming(_unique(wanted, old), sad, tuple(nearest), ratio)


def _unique(wanted: Sequence[str], old: Sequence[str]) -> tuple[str, ...]:
    """Keep the endmembers that were not named as they are, whatever the library calls its spectra."""
    order = sorted(range(len(old)), key=lambda i: wanted[i] != old[i])  # stable: those that keep their names first
    unique = numbered(np.array([wanted[i] for i in order]))
    out = [""] * len(old)
    for place, i in enumerate(order):
        out[i] = str(unique[place])
    return tuple(out)


def _angles(E: np.ndarray, spectra: np.ndarray) -> np.ndarray:
    """Measure ``(endmember, spectrum)`` angles over the bands that both have; NaN where fewer than half are shared."""
    E = np.where(np.isfinite(E), E, np.nan)
    used = np.isfinite(E).all(axis=1)
    if not used.any():
        return np.full((E.shape[1], len(spectra)), np.nan)
    F, S = E[used], spectra[:, used]
    there = np.isfinite(S)
    enough = there.mean(axis=1) >= _SHARED
    if not enough.any():
        raise ConfigError(
            f"no library spectrum covers {_SHARED:.0%} of the {int(used.sum())} good bands",
            "a library of the same range",
            "Look at it: hsgeo library info",
        )
    S0 = np.where(there, S, 0.0)
    dot = F.T @ S0.T
    norms = np.sqrt(np.square(F).T @ there.T.astype(np.float64)) * np.sqrt(np.square(S0).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        angles = np.arccos(np.clip(dot / norms, -1, 1))
    angles[:, ~enough] = np.nan
    return np.where(norms > 0, angles, np.nan)

"""The fit sample made ready: complete pixels, their absolute positions, and random numbers tied to those."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, SceneError

__all__ = ["Pixels", "count_wanted", "keyed_normal", "keyed_order", "pixels_of", "positions", "state_of"]

_SAME = 1e-6  # relative spread below which pixels are one spectrum: ten roundings of float32


class Pixels(NamedTuple):
    """Complete pixels of a sample.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32.
    key : numpy.ndarray
        ``(pixels,)`` uint64 made of the absolute row and column.
    """

    Y: np.ndarray
    key: np.ndarray


def pixels_of(sample: xr.Dataset, count: int | None = None) -> Pixels:
    """Take the complete, non-zero pixels out of a fit sample, sorted by position, and check that they can be unmixed.

    Parameters
    ----------
    sample : xarray.Dataset
        ``spectra (band, pixel)``, coordinates ``row`` and ``col``.
    count : int, optional
        Endmembers wanted.

    Returns
    -------
    Pixels
        At least ``count`` pixels that are not all the same.

    Raises
    ------
    SceneError
        No usable pixel, or all of them are one spectrum.
    ConfigError
        More endmembers than bands or pixels are asked for.
    """
    Y = np.asarray(sample["spectra"].transpose("band", "pixel").values, dtype=np.float32)
    total = Y.shape[1]
    keep = np.isfinite(Y).all(axis=0)
    keep &= (Y != 0).any(axis=0)
    row = np.asarray(sample["row"].values) if "row" in sample.coords else np.zeros(total, np.int64)
    col = np.asarray(sample["col"].values) if "col" in sample.coords else np.arange(total)
    order = np.lexsort((col, row))
    order = order[keep[order]]
    Y, row, col = np.ascontiguousarray(Y[:, order]), row[order], col[order]
    bands, pixels = Y.shape
    if not pixels:
        raise SceneError(
            f"none of the {total} pixels of the fit sample has all its good bands and a signal",
            "at least as many complete pixels as endmembers",
            "Mark the bands that are missing as bad (good=False), or give endmembers with --endmembers",
        )
    if count is not None and count > min(bands, pixels):
        what = f"{bands} good bands" if count > bands else f"{pixels} usable pixels"
        raise ConfigError(
            f"count={count} endmembers are asked of {what}",
            f"at most {min(bands, pixels)}",
            "Lower count, or give endmembers with --endmembers",
        )
    spread = float(np.ptp(Y, axis=1).max())
    if (count is None or count > 1) and spread <= _SAME * float(np.abs(Y).max()):
        raise SceneError(
            f"the {pixels} usable pixels of the fit sample are all the same spectrum",
            "a scene with at least two materials",
            "Give endmembers with --endmembers, or count=1",
        )
    key = row.astype(np.int64).astype(np.uint64) << np.uint64(32) ^ col.astype(np.int64).astype(np.uint64)
    return Pixels(Y, key)


def count_wanted(count: int | str, sample: xr.Dataset) -> int | None:
    """Tell how many endmembers to find: what the options say, or an earlier stage's ``count`` when they say auto.

    Parameters
    ----------
    count : int or "auto"
        Of the options.
    sample : xarray.Dataset
        Perhaps with the scene variable ``count``.

    Returns
    -------
    int or None
        None: neither says, the stage has to count by itself.
    """
    if count != "auto":
        return int(count)
    return int(sample["count"]) if "count" in sample.data_vars else None


def state_of(E: np.ndarray, sample: xr.Dataset, **attrs: str | int | float) -> xr.Dataset:
    """Dress endmembers as a fit state.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``.
    sample : xarray.Dataset
        Gives ``wavelength`` and ``fwhm``.
    **attrs : str, int or float
        What to keep of the fit, as attributes.

    Returns
    -------
    xarray.Dataset
        ``endmembers (endmember, band)`` float32, named e1, e2, ...
    """
    names = [f"e{number}" for number in range(1, E.shape[1] + 1)]
    coords = {name: ("band", sample[name].values) for name in ("wavelength", "fwhm") if name in sample.coords}
    values = np.ascontiguousarray(E.T.astype(np.float32))
    return xr.Dataset({"endmembers": (("endmember", "band"), values)}, {"endmember": names, **coords}, dict(attrs))


def positions(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take keys apart into absolute positions.

    Parameters
    ----------
    key : numpy.ndarray
        ``(pixels,)`` uint64 from `pixels_of`.

    Returns
    -------
    row, col : numpy.ndarray
        ``(pixels,)`` int64.
    """
    return (key >> np.uint64(32)).astype(np.int64), (key & np.uint64(2**32 - 1)).astype(np.int64)


def keyed_order(key: np.ndarray, seed: int) -> np.ndarray:
    """Shuffle pixels by position: without one pixel, the others keep their order.

    Parameters
    ----------
    key : numpy.ndarray
        ``(pixels,)`` uint64 from `pixels_of`.
    seed : int
        Which shuffle.

    Returns
    -------
    numpy.ndarray
        Indices ``(pixels,)``.
    """
    return np.argsort(_mix(key, seed), kind="stable")


def keyed_normal(key: np.ndarray, seed: int, channels: int) -> np.ndarray:
    """Draw standard normal numbers that belong to positions: without one pixel, the others keep theirs.

    Parameters
    ----------
    key : numpy.ndarray
        ``(pixels,)`` uint64 from `pixels_of`.
    seed : int
        Which draw.
    channels : int
        Numbers per pixel.

    Returns
    -------
    numpy.ndarray
        ``(channels, pixels)`` float32.
    """
    channel = np.arange(channels, dtype=np.uint64)[:, None]
    first = _mix(_mix(key, seed)[None, :] + channel, 1)
    second = _mix(first, 2)
    u, v = ((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53 for bits in (first, second))
    normal = np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)  # Box and Muller
    return np.asarray(normal, dtype=np.float32)


def _mix(value: np.ndarray, seed: int) -> np.ndarray:
    """Hash 64-bit words (splitmix64's finaliser: every input bit flips half of the output bits)."""
    with np.errstate(over="ignore"):
        word = value + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & (2**64 - 1))
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))

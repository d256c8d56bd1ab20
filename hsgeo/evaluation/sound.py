"""What makes numbers fractions: a scale that is one, values between 0 and 1, and classes that cover a pixel."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError

__all__ = ["COVER", "check_fractions", "check_scale", "covered", "scaled"]

COVER = 0.95  # of a pixel's area inside the classes: the rest changes a fraction by 5 % at most
_SLACK = 0.05  # resampling and rounding leave fractions this far outside of 0 to 1


def check_scale(scale: float | None) -> float | None:
    """Check the factor from the numbers of a truth to fractions.

    Parameters
    ----------
    scale : float or None
        None: not given.

    Returns
    -------
    float or None
        The same.

    Raises
    ------
    ConfigError
        It is not finite, or not above 0.
    """
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise ConfigError(
            f"--truth-scale is {scale:g}",
            "a finite number above 0",
            "Give what turns the truth's numbers into fractions: 0.01 for percent",
        )
    return scale


def scaled(truth: xr.Dataset, scale: float | None) -> xr.Dataset:
    """Multiply the fractions of a truth.

    Parameters
    ----------
    truth : xarray.Dataset
        ``abundance (endmember, y, x)``.
    scale : float or None
        The factor; None: none.

    Returns
    -------
    xarray.Dataset
        With ``abundance`` in memory.
    """
    A = truth["abundance"].load()
    return truth if scale is None else truth.assign(abundance=A.copy(data=A.values * np.float32(scale)))


def check_fractions(truth: xr.Dataset, where: str) -> None:
    """Refuse values that are no fractions, such as class labels or percent.

    A product whose sum is free is let through: its abundances may be anything.

    Parameters
    ----------
    truth : xarray.Dataset
        ``abundance (endmember, y, x)``; NaN where nothing is known.
    where : str
        What to call the truth in the error.

    Raises
    ------
    ConfigError
        There is no number, or one below -0.05 or above 1.05.
    """
    A = truth["abundance"].values
    known = A[np.isfinite(A)]
    if not known.size:
        raise ConfigError(f"{where} has no valid number", "fractions from 0 to 1", "Look at it with hsgeo info or QGIS")
    low, high = float(known.min()), float(known.max())
    if truth.attrs.get("sum") == "free" or (low >= -_SLACK and high <= 1 + _SLACK):
        return
    if len(A) == 1 and low >= 0 and bool((known == np.round(known)).all()):
        raise ConfigError(
            f"{where} has values up to {high:g} in one band: class labels, not fractions",
            "one band per class with fractions from 0 to 1; or polygons with a class each",
            "Make one band of 0 and 1 for each class; if the numbers are shares of one class, say --truth-scale",
        )
    raise ConfigError(
        f"{where} has numbers from {low:g} to {high:g}",
        "fractions from 0 to 1",
        "Say what to multiply them by: --truth-scale 0.01 for percent; mark pixels without a value as nodata (NaN)",
    )


def covered(truth: xr.Dataset, least: float) -> tuple[xr.Dataset, list[str]]:
    """Leave out pixels of which the classes cover too little.

    Parameters
    ----------
    truth : xarray.Dataset
        ``abundance (endmember, y, x)``.
    least : float
        Least sum of the classes, 0 to 1.

    Returns
    -------
    truth : xarray.Dataset
        NaN in those pixels.
    notes : list of str
        How many they are; empty for none.
    """
    A = truth["abundance"]
    known, kept = A.notnull().all("endmember"), A.sum("endmember") >= least
    lost = int((known & ~kept).sum())
    if not lost:
        return truth, []
    note = (
        f"{lost} of {int(known.sum())} pixels of the truth were left out: their classes sum to less than {least:g} "
        "(--min-cover)"
    )
    return truth.assign(abundance=A.where(kept).assign_attrs(A.attrs)), [note]

"""How the solvers take what they are given: real numbers only, masked values as missing, one message per mistake."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from hsgeo.errors import ConfigError

__all__ = ["LARGEST_VALUE", "as_bounds", "as_count", "as_data", "as_endmembers", "as_float", "as_numbers", "as_weight"]

LARGEST_VALUE = (
    1e100  # of endmembers: their squares and the sums of these stay far below 1.8e308, and no unit needs more
)


def as_numbers(X: ArrayLike, *, name: str) -> np.ndarray:
    """Take an array of real numbers, masked values as NaN; a plain array comes back itself, unread.

    Parameters
    ----------
    X : array_like
        Integers, floats or booleans of any shape. A `numpy.ma.MaskedArray` with masked values becomes floats.
    name : str
        Of the argument, for the message.

    Returns
    -------
    numpy.ndarray
        Not masked, of the type given, or of `precision` where values were masked.

    Raises
    ------
    ConfigError
        When it holds text, objects, complex numbers or dates, or rows of different lengths.
    """
    try:
        found = np.asarray(X)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{name} is no array: {error}", "an array of real numbers") from error
    if found.dtype.kind not in "fiub":
        raise ConfigError(
            f"{name} holds values of the type {found.dtype}",
            "real numbers: floats or integers",
            f"Convert {name} first, for instance with {name}.astype(float)" if found.ndim else "",
        )
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        return as_float(found, precision(found), name=name, missing=np.ma.getmaskarray(X))
    return found


def as_float(X: np.ndarray, dtype: DTypeLike, *, name: str, missing: np.ndarray | None = None) -> np.ndarray:
    """Convert real numbers to a float type; those too large for it are an error, not infinite.

    Parameters
    ----------
    X : numpy.ndarray
        Real numbers.
    dtype : dtype
        float32 or float64.
    name : str
        Of the argument, for the message.
    missing : numpy.ndarray, optional
        bool, the shape of X: where to write NaN, whatever stands there.

    Returns
    -------
    numpy.ndarray
        Contiguous, of the byte order of the machine; X itself where it is so already and nothing is missing.

    Raises
    ------
    ConfigError
        When a value does not fit.
    """
    if missing is not None:
        X = np.where(missing, X.dtype.type(0), X)  # what lies under a mask may be a fill value of any size
    try:
        with np.errstate(over="raise"):
            found = np.asarray(X, dtype=dtype, order="C")
    except FloatingPointError as error:
        raise ConfigError(
            f"{name} has values beyond the range of {np.dtype(dtype).name} ({np.finfo(np.dtype(dtype)).max:.1e})",
            "values that fit, or NaN for what is missing",
            "Mask fill values, or scale the data and the endmembers by the same factor",
        ) from error
    if missing is not None:
        found[missing] = np.nan
    return found


def precision(Y: np.ndarray) -> type[np.float32] | type[np.float64]:
    """Tell the float type that holds data without loss, in which abundances come back.

    Parameters
    ----------
    Y : numpy.ndarray
        Data of any real type and byte order.

    Returns
    -------
    type
        float64 for float64 and integers of more than 16 bits, else float32.
    """
    return np.float32 if np.result_type(Y.dtype, np.float32) == np.float32 else np.float64


def as_endmembers(E: ArrayLike, *, largest: int, what: str = "endmembers") -> np.ndarray:
    """Take endmembers as float64, or say what is wrong with them.

    Parameters
    ----------
    E : array_like
        ``(bands, endmembers)``, finite, at least one of each.
    largest : int
        The most endmembers.
    what : str
        What they are called in messages.

    Returns
    -------
    numpy.ndarray
        ``(bands, endmembers)`` float64, contiguous, in the units given.

    Raises
    ------
    ConfigError
        When they are no real numbers, the shape is wrong, there are too many, or a value is masked, not finite or
        above 1e100.
    """
    E = as_float(as_numbers(E, name="E"), np.float64, name="E")
    if E.ndim != 2 or 0 in E.shape:
        raise ConfigError(f"the {what} have the shape {E.shape}", "(bands, endmembers), at least one of each")
    bands, count = E.shape
    if count > largest:
        raise ConfigError(
            f"there are {count} {what}",
            f"at most {largest} in one solve",
            "Select spectra, or use a method made for libraries",
        )
    gone = int((~np.isfinite(E).all(axis=1)).sum())
    if gone:
        raise ConfigError(
            f"{gone} of {bands} bands of the {what} are masked, NaN or infinite",
            f"finite {what}",
            "Drop those bands from both the endmembers and the data",
        )
    top = float(np.abs(E).max())
    if top > LARGEST_VALUE:
        raise ConfigError(
            f"the {what} have values up to {top:.2g}",
            f"values up to {LARGEST_VALUE:.0e}",
            "Drop spectra with fill values, or scale the data and the endmembers by the same factor",
        )
    return E


def as_data(Y: ArrayLike, E: np.ndarray, *, image: bool = False) -> np.ndarray:
    """Take data that go with endmembers: the one check before every solve of whole arrays.

    Parameters
    ----------
    Y : array_like
        ``(pixels, bands)``, or ``(rows, cols, bands)`` for an image; masked values are missing.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, from `as_endmembers`.
    image : bool
        Which of the two shapes is wanted.

    Returns
    -------
    numpy.ndarray
        As from `as_numbers`: not read, not copied unless values are masked.

    Raises
    ------
    ConfigError
        When Y holds no real numbers, or its shape does not fit.
    """
    Y = as_numbers(Y, name="Y")
    if Y.ndim != 2 + image or Y.shape[-1] != E.shape[0]:
        raise ConfigError(
            f"Y has the shape {Y.shape} and E the shape {E.shape}",
            f"Y {'(rows, cols, bands)' if image else '(pixels, bands)'} and E (bands, endmembers) with the same bands",
            "" if image else "Reshape an image (rows, cols, bands) with Y.reshape(-1, bands)",
        )
    return Y


def as_block(Y: ArrayLike, E: np.ndarray, *, dtype: DTypeLike | None = None) -> np.ndarray:
    """Take a block of pixels as the compiled loops read it.

    Parameters
    ----------
    Y : array_like
        ``(bands, pixels)``; masked values are missing.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``.
    dtype : dtype, optional
        float32 or float64; by default the `precision` of the data.

    Returns
    -------
    numpy.ndarray
        ``(bands, pixels)``, contiguous.

    Raises
    ------
    ConfigError
        When Y holds no real numbers or values that do not fit the type, or its bands are not those of E.
    """
    Y = as_numbers(Y, name="Y")
    if Y.ndim != 2 or Y.shape[0] != E.shape[0]:
        raise ConfigError(
            f"the data have the shape {Y.shape} (bands, pixels) and the endmembers {E.shape[0]} bands",
            "the same bands in both",
            "Resample the endmembers to the data",
        )
    return as_float(Y, precision(Y) if dtype is None else dtype, name="Y")


def as_bounds(lower: ArrayLike, upper: ArrayLike, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Take bounds of abundances, one for all or one for each.

    Parameters
    ----------
    lower, upper : array_like
        One number or ``(endmembers,)`` each, possibly infinite.
    count : int
        Number of endmembers.

    Returns
    -------
    lower, upper : numpy.ndarray
        ``(endmembers,)`` float64.

    Raises
    ------
    ConfigError
        When they are no numbers, a shape is wrong, or a lower bound is above its upper bound.
    """
    low, high = as_numbers(lower, name="lower"), as_numbers(upper, name="upper")
    if not {low.shape, high.shape} <= {(), (1,), (count,)}:
        raise ConfigError(
            f"the bounds have the shapes {low.shape} and {high.shape}",
            f"one number, or one for each of the {count} endmembers",
        )
    low, high = (np.array(np.broadcast_to(v.astype(np.float64), (count,))) for v in (low, high))
    if not ((low <= high) & (low < np.inf) & (high > -np.inf)).all():  # false for NaN, too
        raise ConfigError(f"the lower bounds are {low} and the upper bounds {high}", "lower <= upper, no NaN")
    return low, high


def as_weight(value: Any, *, name: str) -> float:
    """Take the weight of a penalty, or say that it is none.

    Parameters
    ----------
    value : float
        Finite, 0 or more.
    name : str
        Of the argument, for the message.

    Returns
    -------
    float
        The same.

    Raises
    ------
    ConfigError
        When it is no number, negative or not finite.
    """
    found = np.asarray(value)
    if found.ndim == 0 and found.dtype.kind in "fiu":
        weight = float(as_numbers(value, name=name))
        if np.isfinite(weight) and weight >= 0:
            return weight
    raise ConfigError(f"{name} is {value!r}", "a finite number, 0 or more")


def as_count(value: Any, *, name: str) -> int:
    """Take a number of things, at least one.

    Parameters
    ----------
    value : int
        1 or more.
    name : str
        Of the argument, for the message.

    Returns
    -------
    int
        The same.

    Raises
    ------
    ConfigError
        When it is no whole number or below 1.
    """
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ConfigError(f"{name} is {value!r}", "a whole number, 1 or more")
    return int(value)

"""What stored numbers mean by CF: scale_factor and add_offset, numbers that mean nothing, limits, unsigned integers."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.cf.store import Store, Variable

__all__ = ["fill_numbers", "is_unsigned", "limits_of", "packing_of", "unpacked"]


def is_unsigned(variable: Variable) -> bool:
    """Tell whether signed integers stand for unsigned ones, as in classic netCDF.

    Parameters
    ----------
    variable : Variable
        Any.

    Returns
    -------
    bool
        True for ``_Unsigned = "true"``.
    """
    return variable.text("_Unsigned") == "true" and variable.dtype.kind == "i"


def packing_of(variable: Variable) -> tuple[float, float]:
    """Return scale_factor and add_offset, 1 and 0 where the file has none.

    Parameters
    ----------
    variable : Variable
        Any.

    Returns
    -------
    tuple of float
        ``value = stored * first + second``.

    Raises
    ------
    SceneError
        If they are no numbers, or the factor is 0.
    """
    given = variable.attrs.get("scale_factor", 1.0), variable.attrs.get("add_offset", 0.0)
    try:
        gain, offset = float(given[0]), float(given[1])
    except (TypeError, ValueError):
        gain = offset = np.nan
    if not (np.isfinite(gain) and np.isfinite(offset) and gain != 0):
        raise SceneError(
            f"{variable.path} has scale_factor {given[0]!r} and add_offset {given[1]!r}",
            "numbers, scale_factor not 0",
            "Repair the file",
        )
    return gain, offset


def fill_numbers(variable: Variable) -> tuple[float, ...]:
    """Return the stored numbers that mean nothing: _FillValue, missing_value.

    Parameters
    ----------
    variable : Variable
        Any.

    Returns
    -------
    tuple of float
        Finite ones only; NaN needs no telling.
    """
    out = []
    for key in ("_FillValue", "missing_value"):
        for value in np.ravel(np.asarray(variable.attrs.get(key, ()))):
            if isinstance(value, (int, float, np.number)) and np.isfinite(value):
                wrap = is_unsigned(variable) and value < 0
                out.append(float(value) + (2.0 ** (8 * variable.dtype.itemsize) if wrap else 0.0))
    return tuple(dict.fromkeys(out))


def limits_of(variable: Variable) -> tuple[float, float]:
    """Return the smallest and largest stored number that is valid.

    The limits are in stored numbers when their type is that of the variable, else in unpacked ones (netCDF's rule).

    Parameters
    ----------
    variable : Variable
        Any.

    Returns
    -------
    tuple of float
        Infinite where the file sets none.
    """
    gain, offset = packing_of(variable)
    limits = [-np.inf, np.inf]
    both = np.ravel(np.asarray(variable.attrs.get("valid_range", ())))
    given = [*both] if both.size == 2 else [variable.attrs.get("valid_min"), variable.attrs.get("valid_max")]
    for k, value in enumerate(given):
        if value is None or isinstance(value, str):
            continue
        packed = variable.dtype.kind in "iu" and isinstance(value, (float, np.floating)) and (gain, offset) != (1, 0)
        limits[k] = (float(value) - offset) / gain if packed else float(value)
    return min(limits), max(limits)


def unpacked(store: Store, variable: Variable, *, holes: bool = True) -> np.ndarray:
    """Return all values of a short variable as they are meant.

    Parameters
    ----------
    store : Store
        The file.
    variable : Variable
        Coordinates, a list of bands, a single number.
    holes : bool
        Whether fill values are looked for. Coordinates have none, but Zarr of format 2 says 0 of whatever it stores.

    Returns
    -------
    numpy.ndarray
        Float64, of the shape stored; NaN where nothing is.

    Raises
    ------
    SceneError
        If its scale is no number.
    """
    stored = store.read(variable)
    if is_unsigned(variable):
        stored = stored.view(stored.dtype.str.replace("i", "u"))
    gain, offset = packing_of(variable)
    values = stored.astype(np.float64) * gain + offset
    return np.where(np.isin(stored, fill_numbers(variable)), np.nan, values) if holes else values

"""Names that a library gave to endmembers: from the fit state into the product and its provenance."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["named", "naming_record"]

_FOUND = ("names", "sad", "nearest", "rival_ratio")  # results; the rest says how they came about


def naming_record(shared: xr.Dataset) -> dict[str, Any]:
    """Say by which library endmembers were named, for the provenance.

    Parameters
    ----------
    shared : xarray.Dataset
        The part of a fit state that all steps share; its attribute ``naming`` is JSON.

    Returns
    -------
    dict
        ``{"naming": {...}}``: path, hash, column and limits; empty where nothing was named.
    """
    known = json.loads(shared.attrs.get("naming", "{}"))
    return {"naming": {key: value for key, value in known.items() if key not in _FOUND}} if known else {}


def named(product: xr.Dataset, shared: xr.Dataset) -> xr.Dataset:
    """Put the names of a fit state on a product.

    Parameters
    ----------
    product : xarray.Dataset
        Still with the names of the fit.
    shared : xarray.Dataset
        As in `naming_record`.

    Returns
    -------
    xarray.Dataset
        With the new names, ``name_sad (endmember)`` in radians and ``name_nearest (endmember)``; the same product
        where nothing was named.
    """
    known = json.loads(shared.attrs.get("naming", "{}"))
    if not known:
        return product
    sad = np.array([np.nan if angle is None else angle for angle in known["sad"]], dtype=np.float32)
    out = product.assign_coords(
        endmember=("endmember", np.array(known["names"]), product["endmember"].attrs),
        name_sad=("endmember", sad, {"long_name": "spectral angle to the nearest library spectrum", "units": "radian"}),
        name_nearest=("endmember", np.array(known["nearest"]), {"long_name": "nearest library spectrum"}),
    )
    out["name_sad"].encoding = {"_FillValue": None}  # NaN is a value here: nothing to compare
    out.attrs["endmember_names"] = list(known["names"])
    return out

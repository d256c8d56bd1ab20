"""Place in attributes instead of a grid mapping: ``crs``, ``transform``, and those of ``proj:`` and ``spatial:``."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import numpy as np

from hsgeo.errors import HsgeoWarning
from hsgeo_sensors.cf.store import Store, Variable
from hsgeo_sensors.common.georef import quiet_crs

__all__ = ["crs_of_attributes", "transform_of_attributes"]

NAMES = ("proj:wkt2", "proj:projjson", "proj:code", "proj:epsg", "crs_wkt", "spatial_ref", "crs")


def crs_of_attributes(store: Store, variable: Variable) -> Any:
    """Return the reference system that attributes of the variable or of the file name.

    Parameters
    ----------
    store : Store
        The file.
    variable : Variable
        The cube.

    Returns
    -------
    rasterio.crs.CRS or None
        None where there is none, or none that can be read: then a warning says so.
    """
    from pyproj.exceptions import CRSError as Unknown
    from rasterio.errors import CRSError

    for attrs in (variable.attrs, store.attrs):
        for name in NAMES:
            value = attrs.get(name)
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            try:
                return quiet_crs(_parsed, value)
            except (CRSError, Unknown, ValueError, TypeError):
                warnings.warn(
                    f"{store.path} has the attribute {name} = {str(value)[:60]!r}, which is no reference system: the "
                    "scene has none.",
                    HsgeoWarning,
                    stacklevel=2,
                )
                return None
    return None


def _parsed(value: Any) -> Any:
    import pyproj
    from rasterio.crs import CRS

    if isinstance(value, dict):
        return CRS.from_wkt(pyproj.CRS.from_json_dict(value).to_wkt())
    if isinstance(value, (int, np.integer)):
        return CRS.from_epsg(int(value))
    said = str(value).strip()
    if said.startswith("{"):
        return CRS.from_wkt(pyproj.CRS.from_json_dict(json.loads(said)).to_wkt())
    code = re.fullmatch(r"(?:\+init=)?epsg:(\d+)(?:\s+\+no_defs)?|(\d{4,6})", said, re.IGNORECASE)
    return CRS.from_epsg(int(code[1] or code[2])) if code else CRS.from_user_input(said)


def transform_of_attributes(store: Store, variable: Variable) -> Any:
    """Return the transform in attributes of the variable or of the file.

    Six numbers in the order of affine (as rasterio gives them, and ``spatial:transform``) or in that of GDAL: on a
    grid that is not turned, the places of the zeros tell which. A turned one is taken only as ``spatial:transform``.

    Parameters
    ----------
    store : Store
        The file.
    variable : Variable
        The cube.

    Returns
    -------
    affine.Affine or None
        From (column, row) of pixel corners.
    """
    from affine import Affine

    for attrs in (variable.attrs, store.attrs):
        for name in ("spatial:transform", "transform"):
            numbers = np.ravel(np.asarray(attrs.get(name, ())))
            if numbers.dtype.kind not in "iuf" or numbers.size not in (6, 9) or not np.isfinite(numbers).all():
                continue
            a, b, c, d, e, f = (float(v) for v in numbers[:6])
            if a and e and not (b or d):
                return Affine(a, b, c, d, e, f)
            if b and f and not (c or e):
                return Affine.from_gdal(a, b, c, d, e, f)
            if name == "spatial:transform" and a * e != b * d:
                return Affine(a, b, c, d, e, f)
    return None

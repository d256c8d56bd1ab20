"""Where a product lies, in the few words that a summary needs."""

from __future__ import annotations

from typing import Any

import xarray as xr

__all__ = ["placing"]


def placing(product: xr.Dataset) -> dict[str, Any]:
    """Say where a product lies; reads no pixel.

    Parameters
    ----------
    product : xarray.Dataset
        From `open_product` or `unmix`.

    Returns
    -------
    dict
        ``crs`` (short name, None where unknown), ``size`` (rows, columns), ``cell`` (width and height in the units of
        the reference system, None where unknown), ``units`` of it (``"m"``, ``"degrees"``), ``turned`` (rows are not
        lines of constant Y) and ``swath`` (on no map yet, and can be brought onto one).
    """
    import numpy as np

    from hsgeo.product.georeferencing_grid import has_geolocation
    from hsgeo.product.placement import find_placement

    where = find_placement(product)
    cell = None
    if where.transform is not None:
        a, b, _, d, e, _ = where.transform
        cell = [float(np.hypot(a, d)), float(np.hypot(b, e))]
    units = None
    if where.crs is not None:
        units = "degrees" if where.crs.is_geographic else where.crs.linear_units.replace("metre", "m")
    return {
        "crs": None if where.crs is None else where.crs.to_string()[:40],
        "size": list(where.shape),
        "cell": cell,
        "units": units,
        "turned": where.rotated,
        "swath": has_geolocation(product),
    }

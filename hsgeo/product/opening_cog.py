"""Open a product that lies in Cloud Optimized GeoTIFFs: the main file describes all, siblings hold the other rasters."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoWarning

__all__ = ["open_cog"]


def open_cog(path: Path, chunks: Any) -> xr.Dataset | None:
    """Open the main file and the siblings it names.

    Parameters
    ----------
    path : pathlib.Path
        The main file.
    chunks : dict, int, "auto" or None
        As in `rioxarray.open_rasterio`.

    Returns
    -------
    xarray.Dataset or None
        None when the file was not written by hsgeo.

    Warns
    -----
    HsgeoWarning
        When a sibling is missing; the rest is opened.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as file:
                text, crs = file.tags().get("hsgeo"), file.crs
                placed = None if file.transform.is_identity else tuple(file.transform)[:6]
                shape = file.shape
        except RasterioError:
            return None
        if text is None:
            return None
        described = json.loads(text)
        coords = {name: _stored(entry) for name, entry in described["variables"].items() if entry["coord"]}
        variables = {name: _stored(entry) for name, entry in described["variables"].items() if not entry["coord"]}
        missing = []
        for name, entry in described["rasters"].items():
            file_of = path if name == "abundance" else path.with_name(f"{path.stem}_{name}{path.suffix}")
            if not file_of.exists():
                missing.append(file_of.name)
                continue
            sizes = [variables_size(coords, dim) for dim in entry["dims"][:-2]]
            (coords if entry["coord"] else variables)[name] = _raster(file_of, entry, sizes, chunks)
    if missing:
        warnings.warn(HsgeoWarning(f"{path.name} was opened without {', '.join(missing)}: not found beside it"), stacklevel=3)
    ds = xr.Dataset(variables, coords=coords, attrs=described["attrs"])
    return _placed(ds, crs, placed, shape)


def variables_size(coords: dict[str, xr.Variable], dim: str) -> int:
    """Return the length of a leading dim; -1, to be worked out, where it has no coordinate."""
    return coords[dim].size if dim in coords else -1


def _stored(entry: dict[str, Any]) -> xr.Variable:
    dtype = np.dtype(entry["dtype"])
    values = entry["values"]
    if dtype.kind == "f":
        array = np.array(values, dtype=np.float64).astype(dtype)  # None becomes NaN
    else:
        array = np.array(values, dtype=dtype)
    return xr.Variable(tuple(entry["dims"]), array, entry["attrs"])


def _raster(path: Path, entry: dict[str, Any], sizes: list[int], chunks: Any) -> xr.Variable:
    import rioxarray

    opened = rioxarray.open_rasterio(path, chunks=chunks, cache=False)
    assert isinstance(opened, xr.DataArray)
    var = opened.variable
    if len(sizes) == 0:
        var = var.isel(band=0)
    elif len(sizes) > 1:
        data = var.data  # lazy where chunks were asked for
        var = xr.Variable(tuple(entry["dims"]), data.reshape(*sizes, *data.shape[1:]))
    dtype = np.dtype(entry["dtype"])
    if var.dtype != dtype:
        var = var.astype(dtype)
    return xr.Variable(tuple(entry["dims"]), var._data, entry["attrs"])


def _placed(ds: xr.Dataset, crs: Any, affine: Any, shape: tuple[int, int]) -> xr.Dataset:
    import rioxarray  # noqa: F401  (registers .rio)

    rows, cols = shape
    y, x = np.arange(rows), np.arange(cols)
    if affine is not None:
        a, b, c, d, e, f = affine
        if b == 0 and d == 0:
            y, x = f + e * (y + 0.5), c + a * (x + 0.5)
    ds = ds.assign_coords(y=("y", y), x=("x", x))
    if crs is not None:
        ds = ds.rio.write_crs(crs)
        if affine is None or (affine[1] == 0 and affine[3] == 0):
            ds = ds.rio.write_coordinate_system()
    if affine is not None:
        if "spatial_ref" not in ds.coords:
            ds = ds.assign_coords(spatial_ref=0)
        a, b, c, d, e, f = affine
        ds["spatial_ref"].attrs["GeoTransform"] = " ".join(repr(float(v)) for v in (c, a, b, f, d, e))
    for var in ds.data_vars.values():
        var.encoding.pop("grid_mapping", None)  # the attribute, which was stored, holds it
    return ds

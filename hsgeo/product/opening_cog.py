"""Open a product that lies in COGs: the main file describes all, siblings hold the other rasters."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoWarning

__all__ = ["open_cog"]

_CHUNK = 1024  # whole blocks of any of the usual sizes; (5, 1024, 1024) float32 is 20 MB


def open_cog(path: Path, chunks: Any) -> xr.Dataset | None:
    """Open the main file and the siblings it names.

    Parameters
    ----------
    path : pathlib.Path
        The main file.
    chunks : dict, int, "auto" or None
        As in `open_product`; a variable with two or more leading dims is always a dask array.

    Returns
    -------
    xarray.Dataset or None
        None when the file was not written by hsgeo.

    Warns
    -----
    HsgeoWarning
        When a sibling is missing; the rest is opened.
    """
    if not _is_tiff(path):  # other formats are not for GDAL: its netCDF and HDF5 drivers crash in threads
        return None
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path, driver="GTiff") as file:
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
            (coords if entry["coord"] else variables)[name] = _raster(file_of, entry, chunks)
    if missing:
        warnings.warn(
            HsgeoWarning(f"{path.name} was opened without {', '.join(missing)}: not found beside it"), stacklevel=3
        )
    ds = xr.Dataset(variables, coords=coords, attrs=described["attrs"])
    return _placed(ds, crs, placed, shape)


def _is_tiff(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    except OSError:
        return False


def _stored(entry: dict[str, Any]) -> xr.Variable:
    dtype = np.dtype(entry["dtype"])
    values = entry["values"]
    through = np.dtype(np.float64) if dtype.kind == "f" else dtype  # None becomes NaN
    array = np.array(values, dtype=through).astype(dtype)
    return xr.Variable(tuple(entry["dims"]), array, entry["attrs"])


def _raster(path: Path, entry: dict[str, Any], chunks: Any) -> xr.Variable:
    import rioxarray

    opened = rioxarray.open_rasterio(path, cache=False)
    assert isinstance(opened, xr.DataArray)
    var, dims, lead = opened.variable, tuple(entry["dims"]), entry["lead"]
    if not lead:
        var = var.isel(band=0)
    if chunks == "auto":
        chunks = {"y": _CHUNK, "x": _CHUNK}
    elif isinstance(chunks, int):
        chunks = dict.fromkeys(dims, chunks)
    if chunks is not None or len(lead) > 1:  # reshaping keeps lazy only what dask holds
        plane = {dim: size for dim, size in (chunks or {"y": _CHUNK, "x": _CHUNK}).items() if dim in ("y", "x")}
        var = var.chunk(plane)
        if len(lead) > 1:
            var = xr.Variable(dims, var.data.reshape(*lead, *var.shape[1:]))
        var.dims = dims
        var = var.chunk({dim: size for dim, size in (chunks or {}).items() if dim in dims[:-2]})
    dtype = np.dtype(entry["dtype"])
    if var.dtype != dtype:
        var = var.astype(dtype)
    var = var.copy(deep=False)
    var.dims, var.attrs, var.encoding = dims, dict(entry["attrs"]), {}
    return var


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
    for name, var in ds.data_vars.items():
        var.encoding.pop("grid_mapping", None)  # rioxarray moved it there; the attribute survives what encodings do not
        if var.dims[-2:] == ("y", "x") and "spatial_ref" in ds.coords:
            ds[name].attrs["grid_mapping"] = "spatial_ref"
    return ds

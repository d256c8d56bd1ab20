"""Put a product together: lazy tile variables and small scene variables become one flat Dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ProductError
from hsgeo.plugin.quality import quality_attrs
from hsgeo.product.placement import COUNTED, Placement, find_placement

__all__ = ["assemble", "placed"]

_SWATH = ("lat", "lon", "glt_x", "glt_y")  # what georeferencing after unmixing needs
_MEANING = {"sum": "one", "scale": "physical", "shade": "none"}  # what an abundance means unless told otherwise
_AXES = {
    "quantile": {"long_name": "probability that the abundance is below", "units": "1"},
    "sample": {"long_name": "number of the posterior sample"},
}
_LONG_NAMES = {
    "abundance": "abundance",
    "abundance_std": "standard deviation of the abundance",
    "abundance_quantile": "quantile of the abundance",
    "abundance_sample": "sample of the abundance",
    "endmembers": "endmember spectra",
    "gain": "per-pixel gain",
    "model": "endmember model chosen",
    "prior_influence": "share of the pixel that neighbours and the prior moved from one endmember to another",
    "rmse": "root mean square error of the reconstruction over the good bands",
}


def assemble(
    scene: xr.Dataset, tiles: Mapping[str, xr.DataArray], fixed: xr.Dataset, *, attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Put a product together that any xarray user, rioxarray and GDAL understand.

    Nothing is computed. On a rotated grid ``row`` and ``col`` count the pixels, from 0 and with an affine of their own
    where the scene was sliced: GDAL would take pixel numbers named ``y`` and ``x`` for places on the map.

    Parameters
    ----------
    scene : xarray.Dataset
        Gives ``y``, ``x``, ``time``, ``spatial_ref`` and, for swaths, ``lat``, ``lon``, ``glt_x``, ``glt_y``.
    tiles : mapping of str to xarray.DataArray
        Rasters, lazy or not, dims ending in ``("y", "x")`` with the scene's sizes; coordinates of
        their other dims (``sample``, ``quantile``) are kept.
    fixed : xarray.Dataset
        Scene-scope variables: ``endmembers (endmember, band)`` with ``wavelength``, ``fwhm`` and
        ``good`` on ``band``, and any other.
    attrs : mapping
        Group attributes: provenance, and ``sum``, ``scale``, ``shade`` where they are not the defaults
        ``"one"``, ``"physical"``, ``"none"``.

    Returns
    -------
    xarray.Dataset
        The product; ``to_zarr`` and every hsgeo writer take it.

    Raises
    ------
    ProductError
        When a raster does not fit the scene or the endmembers have no names.
    """
    where = find_placement(scene)
    meaning = {key: str(attrs.get(key, default)) for key, default in _MEANING.items()}
    names = _endmember_names(tiles, fixed)

    coords = _scene_coords(scene, where)
    variables: dict[str, xr.Variable] = {}
    for name, array in tiles.items():
        variables[name] = _raster(name, array, where.shape)
        for key, coord in array.coords.items():
            if not {"y", "x"} & set(coord.dims) and coord.ndim and set(coord.dims) <= set(array.dims):
                coords.setdefault(str(key), _axis(str(key), coord.variable))
    for key, var in fixed.variables.items():
        (coords if key in fixed.coords else variables)[str(key)] = _plain(var)
    if names is not None:
        coords["endmember"] = xr.Variable(("endmember",), names, {"long_name": "endmember name"})
    coords = {key: var for key, var in coords.items() if key not in variables}

    for name, var in variables.items():
        raster = var.dims[-2:] == ("y", "x")
        var.attrs = _describe(name, var, scene, meaning, mapped=raster and "spatial_ref" in coords)
        if var.dtype.kind == "f":
            var.encoding["_FillValue"] = var.dtype.type(np.nan)
    out = xr.Dataset(variables, coords=coords)
    out.attrs = _group_attrs(attrs, meaning, where, names)
    if where.crs is not None and not where.rotated:
        out = out.rio.write_coordinate_system()
    for label in out.coords:
        coord = out.variables[label]
        coord.encoding = {"_FillValue": None} if coord.dtype.kind == "f" else {}
    if "wavelength" in out.coords and out["wavelength"].dims == ("band",):
        out = out.set_xindex("wavelength")
    for label in out.data_vars:
        out.variables[label].encoding.pop(
            "grid_mapping", None
        )  # the attribute holds it: an encoding= of the user would replace this
    return out


def placed(product: xr.Dataset) -> xr.Dataset:
    """Return a product whose ``spatial_ref`` and attributes say where it lies now, as writers want it.

    Slicing leaves the transform of the whole behind; the coordinates rule.

    Parameters
    ----------
    product : xarray.Dataset
        A product, perhaps cut.

    Returns
    -------
    xarray.Dataset
        The same variables.
    """
    where = find_placement(product)
    out = product.drop_vars([dim for dim in COUNTED if where.rotated and dim in product.coords])
    out = out.assign_coords(_scene_coords(product, where))
    stale = ("spatial:", "proj:", "zarr_conventions")
    out.attrs = {key: value for key, value in product.attrs.items() if not str(key).startswith(stale)} | where.attrs()
    if where.conventions():
        out.attrs["zarr_conventions"] = where.conventions()
    if where.crs is not None and not where.rotated:
        out = out.rio.write_coordinate_system()
    for coord in out.coords.values():
        coord.encoding = {"_FillValue": None} if coord.dtype.kind == "f" else {}
    return out


def _endmember_names(tiles: Mapping[str, xr.DataArray], fixed: xr.Dataset) -> np.ndarray | None:
    for holder in (fixed, *tiles.values()):
        if "endmember" in holder.coords:
            names = [str(v) for v in holder["endmember"].values]
            return np.array(names, dtype=f"<U{max(1, *(len(n) for n in names))}")
    if any("endmember" in array.dims for array in tiles.values()):
        raise ProductError(
            "the endmembers have no names",
            "an 'endmember' coordinate of strings on 'fixed' or on 'abundance'",
            "Call fixed.assign_coords(endmember=[...])",
        )
    return None


def _scene_coords(scene: xr.Dataset, where: Placement) -> dict[str, xr.Variable]:
    coords: dict[str, xr.Variable] = {}
    for dim, size in zip(("y", "x"), where.shape, strict=True):
        if dim in scene.coords and not where.rotated:
            coords[dim] = _plain(scene[dim].variable)
        else:
            label = COUNTED[dim] if where.rotated else dim
            coords[label] = xr.Variable((dim,), np.arange(size), {"long_name": f"pixel number along {dim}"})
    for name in ("time", *_SWATH):
        if name in scene.variables and (name != "time" or scene[name].ndim == 0):
            coords[name] = _plain(scene[name].variable)
    for name in _SWATH:  # the grid that glt_x and glt_y are on
        for axis in scene[name].dims if name in coords else ():
            if axis in scene.coords and axis not in coords:
                coords[str(axis)] = _plain(scene[axis].variable)
    if where.crs is not None or where.transform is not None:
        coords["spatial_ref"] = _mapping(where)
    return coords


def _mapping(where: Placement) -> xr.Variable:
    import rioxarray  # noqa: F401  (registers .rio)

    holder = xr.Dataset()
    holder = holder.rio.write_crs(where.crs) if where.crs is not None else holder.assign_coords(spatial_ref=0)
    var = holder["spatial_ref"].variable.copy()
    if where.transform is not None:
        var.attrs["GeoTransform"] = where.geotransform
    return xr.Variable((), var.values, _writable(var.attrs))


def _raster(name: str, array: xr.DataArray, shape: tuple[int, int]) -> xr.Variable:
    if array.dims[-2:] != ("y", "x") or array.shape[-2:] != shape:
        raise ProductError(
            f"{name!r} has dims {tuple(array.dims)} and shape {tuple(array.shape)}",
            f"dims that end in ('y', 'x') with {shape[0]} rows and {shape[1]} columns, the scene's",
            f"Transpose or reindex {name!r}",
        )
    return _bare(array.variable)


def _plain(var: xr.Variable) -> xr.Variable:
    """Return a copy that Zarr can hold."""
    if var.dtype.kind in "OT":  # objects: names, flags; fixed width, so that GDAL shows them
        var = xr.Variable(var.dims, np.asarray(np.asarray(var.values, dtype=object), dtype=str), var.attrs)
    return _bare(var)


def _axis(name: str, var: xr.Variable) -> xr.Variable:
    out = _plain(var)
    out.attrs = _AXES.get(name, {}) | out.attrs
    return out


def _bare(var: xr.Variable) -> xr.Variable:
    """Return a shallow copy, lazy if it was, without the encoding of the file it came from."""
    out = var.to_base_variable().copy(deep=False)
    out.attrs = _writable(var.attrs)
    out.encoding = {}
    return out


def _describe(
    name: str, var: xr.Variable, scene: xr.Dataset, meaning: Mapping[str, str], *, mapped: bool
) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    if name in _LONG_NAMES:
        attrs["long_name"] = _LONG_NAMES[name]
    if name.startswith("abundance") or name in ("gain", "prior_influence"):
        attrs["units"] = "1"
    spectra = scene.variables.get("spectra")
    units = str((spectra.attrs if spectra is not None else {}).get("units", "1"))
    if name == "endmembers":
        attrs["units"] = units
    if name == "quality":
        attrs |= _writable(quality_attrs())
    if name == "abundance":
        attrs |= meaning
    attrs |= var.attrs
    if name == "rmse":  # a residual of the scene's spectra, whatever a stage calls its units
        attrs["units"] = units
    attrs.pop("grid_mapping", None)
    if mapped:
        attrs["grid_mapping"] = "spatial_ref"
    return attrs


def _group_attrs(
    attrs: Mapping[str, Any], meaning: Mapping[str, str], where: Placement, names: np.ndarray | None
) -> dict[str, Any]:
    out: dict[str, Any] = {"Conventions": "CF-1.11", "title": "hsgeo abundance product"}
    out |= {key: value for key, value in attrs.items() if not str(key).startswith(("spatial:", "proj:"))}
    out |= meaning
    if names is not None:
        out["endmember_names"] = [str(n) for n in names]
    out |= where.attrs()
    return _writable(out)


def _writable(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Keep what JSON, and so Zarr, can hold; the rest as text."""
    out: dict[str, Any] = {}
    for key, given in attrs.items():
        value = given
        if value is None or str(key) in ("_FillValue", "missing_value", "scale_factor", "add_offset", "coordinates"):
            continue  # these belong to the encoding, of a file that is no longer meant
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            value = str(value)
        out[str(key)] = value
    return out

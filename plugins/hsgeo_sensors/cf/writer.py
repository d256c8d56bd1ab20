"""Synthetic CF files: netCDF-4 as its library lays it out in HDF5, or Zarr; any order of dims, packed, map or swath."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["write_cf"]

SLAB = 1 << 24  # numbers converted at a time


def write_cf(
    path: str | Path,
    spectra: npt.ArrayLike,
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike | None = None,
    y: npt.ArrayLike | None = None,
    x: npt.ArrayLike | None = None,
    lat: npt.ArrayLike | None = None,
    lon: npt.ArrayLike | None = None,
    crs_wkt: str | None = None,
    mapping: dict[str, Any] | None = None,
    geotransform: str | None = None,
    dims: tuple[str, str, str] = ("wavelength", "y", "x"),
    name: str = "reflectance",
    group: str = "",
    units: str = "nm",
    dtype: str = "int16",
    scale: float | None = 2e-4,
    offset: float | None = 0.1,
    fill: float | None = -32768,
    valid_range: tuple[float, float] | None = None,
    attrs: dict[str, Any] | None = None,
    root: dict[str, Any] | None = None,
    chunks: tuple[int, int, int] | None = None,
    compress: bool = True,
    zarr_format: int = 2,
) -> Path:
    """Write a spectral variable.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.zarr`` for Zarr; else netCDF-4.
    spectra : array_like, shape (band, y, x)
        Physical values, NaN for none. Converted in slabs of rows, so it may be larger than memory.
    wavelength, fwhm : array_like, shape (band,)
        In ``units``.
    y, x : array_like, optional
        Pixel centres.
    lat, lon : array_like, shape (y, x), optional
        Of a swath, degrees.
    crs_wkt : str, optional
        Of the grid mapping.
    mapping : dict, optional
        Attributes of the grid mapping beside or instead of ``crs_wkt``.
    geotransform : str, optional
        ``GeoTransform`` of the grid mapping.
    dims : tuple of str
        Order of storage: a name for the bands and ``y`` and ``x`` in any order; other names stand for them when they
        are given as ``"bands"``, ``"y=northing"``.
    name, group : str
        Of the variable; the group also gets its coordinates.
    units : str
        Of the wavelengths.
    dtype, scale, offset, fill, valid_range
        ``stored = (value - offset) / scale``; None leaves an attribute out.
    attrs, root : dict, optional
        More attributes of the variable and of the file.
    chunks : tuple of int, optional
        In the order of storage; None: contiguous in netCDF, one chunk in Zarr.
    compress : bool
        Whether chunks are deflated.
    zarr_format : {2, 3}
        Of a Zarr store.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If ``dims`` do not name one dim of bands, one of rows and one of columns.
    """
    path = Path(path)
    cube: Any = spectra if hasattr(spectra, "shape") else np.asarray(spectra)
    roles, labels = _roles(dims)
    sizes = dict(zip(("band", "y", "x"), cube.shape, strict=True))
    about = dict(attrs or {})
    for key, value in (("scale_factor", scale), ("add_offset", offset)):
        if value is not None:
            about[key] = np.float64(value)
    if fill is not None:
        about["_FillValue"] = np.dtype(dtype).type(fill)
    if valid_range is not None:
        about["valid_range"] = np.array(valid_range, dtype)
    spectral = {"units": units, "standard_name": "radiation_wavelength"}
    b, r, c = (labels[role] for role in ("band", "y", "x"))
    small: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, Any]]] = {
        b if b == "wavelength" else "wavelength": ((b,), np.asarray(wavelength, "f8"), spectral)
    }
    if fwhm is not None:
        small["fwhm"] = ((b,), np.asarray(fwhm, "f8"), {"units": units})
    degrees = crs_wkt is None and mapping is None
    for label, role, values in ((r, "y", y), (c, "x", x)):
        if values is not None:
            what = {"y": "latitude", "x": "longitude"}[role] if degrees else f"projection_{role}_coordinate"
            unit = {"y": "degrees_north", "x": "degrees_east"}[role] if degrees else "m"
            small[label] = ((label,), np.asarray(values, "f8"), {"standard_name": what, "units": unit})
    for label, what, values in (("lat", "latitude", lat), ("lon", "longitude", lon)):
        if values is not None:
            unit = "degrees_north" if label == "lat" else "degrees_east"
            small[label] = ((r, c), np.asarray(values, "f8"), {"standard_name": what, "units": unit})
    if lat is not None:
        about["coordinates"] = "lat lon"
    grid = dict(mapping or {})
    grid |= {k: v for k, v in (("crs_wkt", crs_wkt), ("GeoTransform", geotransform)) if v is not None}
    if grid:
        small["crs"] = ((), np.array(0, "i4"), grid)
        about["grid_mapping"] = "crs"
    kinds = {"path": path, "group": group.strip("/"), "root": {"Conventions": "CF-1.11", **(root or {})}}
    lengths = {labels[role]: n for role, n in sizes.items()}
    spec = {"name": name, "dims": tuple(labels[role] for role in roles), "attrs": about, "dtype": np.dtype(dtype)}
    make = _zarr if path.suffix == ".zarr" else _netcdf
    with make(kinds, small, lengths, spec, chunks, compress, zarr_format) as target:
        _fill(target.array, cube, roles, scale, offset, fill)
    return path


def _roles(dims: tuple[str, str, str]) -> tuple[list[str], dict[str, str]]:
    """Tell the role of each dim, and its label."""
    roles, labels = [], {}
    for dim in dims:
        key, _, other = dim.partition("=")
        role = key if key in ("y", "x") else "band"
        roles.append(role)
        labels[role] = other or key
    if sorted(roles) != ["band", "x", "y"]:
        raise ConfigError(f"dims {dims}", "one name for the bands, y and x (or y=NAME, x=NAME) in any order")
    return roles, labels


def _fill(
    array: Any, cube: Any, roles: list[str], scale: float | None, offset: float | None, fill: float | None
) -> None:
    bands, height, width = cube.shape
    step = max(1, SLAB // (bands * width))
    order = [("band", "y", "x").index(role) for role in roles]
    for start in range(0, height, step):
        part = np.asarray(cube[:, start : start + step], "f8")
        stored = (part - (offset or 0.0)) / (1.0 if scale is None else scale)
        if fill is not None:
            stored = np.where(np.isnan(part), fill, stored)
        if array.dtype.kind in "iu":
            stored = np.rint(stored)
        where: list[slice] = [slice(None)] * 3
        where[roles.index("y")] = slice(start, start + part.shape[1])
        array[tuple(where)] = stored.transpose(order).astype(array.dtype)


class _Target:
    """An open file and its array."""

    def __init__(self, array: Any, close: Any = None) -> None:
        self.array, self.close = array, close

    def __enter__(self) -> _Target:
        return self

    def __exit__(self, *_: object) -> None:
        if self.close is not None:
            self.close()


def _netcdf(
    kinds: dict[str, Any],
    small: dict[str, Any],
    lengths: dict[str, int],
    spec: dict[str, Any],
    chunks: tuple[int, int, int] | None,
    compress: bool,
    _: int,
) -> _Target:
    """Lay out HDF5 as netCDF-4 does: dimension scales, coordinates being their own, dims without values marked."""
    import h5py

    file = h5py.File(kinds["path"], "w")
    file.attrs.update({key: _text(value) for key, value in kinds["root"].items()})
    place = file.require_group(kinds["group"]) if kinds["group"] else file
    for label, size in lengths.items():
        if label in small:
            scale = place.create_dataset(label, data=small[label][1])
            scale.make_scale(label)
        else:
            scale = place.create_dataset(label, shape=(size,), dtype=">f4")
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if compress and chunks else {}
    shape = tuple(lengths[dim] for dim in spec["dims"])
    own = spec["attrs"].get("_FillValue")
    array = place.create_dataset(spec["name"], shape, spec["dtype"], chunks=chunks, fillvalue=own, **packed)
    items = {label: (dims, place.get(label), values, about) for label, (dims, values, about) in small.items()}
    for label, (dims, found, values, about) in items.items():
        item = found if found is not None else place.create_dataset(label, data=values)
        item.attrs.update({key: _text(value) for key, value in about.items()})
        if dims != (label,):
            for k, dim in enumerate(dims):
                item.dims[k].attach_scale(place[dim])
    array.attrs.update({key: _text(value) for key, value in spec["attrs"].items()})
    for k, dim in enumerate(spec["dims"]):
        array.dims[k].attach_scale(place[dim])
    return _Target(array, file.close)


def _zarr(
    kinds: dict[str, Any],
    small: dict[str, Any],
    lengths: dict[str, int],
    spec: dict[str, Any],
    chunks: tuple[int, int, int] | None,
    _: bool,
    zarr_format: int,
) -> _Target:
    """Write what xarray's conventions ask for: dims by name, the fill value where each format keeps it."""
    import zarr

    root = zarr.open_group(str(kinds["path"]), mode="w", zarr_format=zarr_format)
    root.attrs.update({key: _json(value) for key, value in kinds["root"].items()})
    place = root.require_group(kinds["group"]) if kinds["group"] else root

    def create(label: str, shape: tuple[int, ...], dtype: Any, dims: tuple[str, ...], about: dict[str, Any]) -> Any:
        about = {key: _json(value) for key, value in about.items()}
        own = about.get("_FillValue")
        more: dict[str, Any] = {"fill_value": own}
        if zarr_format == 3:
            more["dimension_names"] = dims
        else:
            about.pop("_FillValue", None)
            about["_ARRAY_DIMENSIONS"] = list(dims)
        size = chunks if label == spec["name"] and chunks else tuple(max(1, n) for n in shape)
        item = place.create_array(label, shape=shape, dtype=dtype, chunks=size, **more)
        item.attrs.update(about)
        return item

    for label, (dims, values, about) in small.items():
        create(label, values.shape, values.dtype, dims, about)[...] = values
    shape = tuple(lengths[dim] for dim in spec["dims"])
    return _Target(create(spec["name"], shape, spec["dtype"], spec["dims"], spec["attrs"]))


def _text(value: Any) -> Any:
    return np.bytes_(value) if isinstance(value, str) and value.isascii() else value  # as the netCDF library: char


def _json(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

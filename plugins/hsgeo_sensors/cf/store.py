"""The variables of a netCDF-4, other HDF5 or Zarr store, groups included: names, dims, attributes; one view of both."""

from __future__ import annotations

import base64
import binascii
import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.chunks import whole_chunks
from hsgeo_sensors.common.hdf5 import open_hdf5

__all__ = ["Hdf5Store", "Store", "Variable", "ZarrStore", "is_hdf5", "is_zarr", "open_store"]

HDF5 = b"\x89HDF\r\n\x1a\n"
CLASSIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"
HIDDEN = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_ARRAY_DIMENSIONS")


@dataclass(frozen=True)
class Variable:
    """What is known of a variable before its values are read.

    Parameters
    ----------
    path : str
        With groups, without a leading slash.
    dims : tuple of str
        One for each axis; in HDF5 the path of the dimension, so that dims of different groups do not mix. A dim
        without a name is ``#`` and its size.
    shape : tuple of int
        As stored.
    dtype : numpy.dtype
        As stored.
    attrs : dict
        Text as str, single numbers as numbers.
    """

    path: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Without its groups."""
        return self.path.rpartition("/")[2]

    def text(self, key: str) -> str:
        """Return an attribute as text in lower case; empty when it is not there."""
        return str(self.attrs.get(key, "")).strip().lower()


class Store:
    """Variables by path, and a way to their values.

    Parameters
    ----------
    path : pathlib.Path
        File or folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.variables: dict[str, Variable] = {}
        self.attrs: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"  # goes into dask's tokens

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[Any]:
        """Give an array that reads what is indexed; no handle outlives the block."""
        raise NotImplementedError
        yield

    def read(self, variable: Variable) -> np.ndarray:
        """Return all values of a short variable, as stored."""
        with self.opened(variable.path) as data:
            return np.asarray(data[...])


class Hdf5Store(Store):
    """netCDF-4, or HDF5 with or without dimension scales."""

    def __init__(self, path: Path) -> None:
        import h5py

        super().__init__(path)
        try:
            with open_hdf5(path) as file:
                self.attrs = _attrs(file.attrs)
                found: list[tuple[str, Any]] = []
                file.visititems(lambda name, item: found.append((name, item)))
                for name, item in found:
                    if isinstance(item, h5py.Dataset) and item.shape is not None:
                        self._look(name, item)
        except (OSError, RuntimeError, KeyError) as error:
            raise SceneError(
                f"{path} is not a complete netCDF-4 or HDF5 file: {error}",
                "an undamaged file",
                "Download or copy it again",
            ) from error

    def _look(self, name: str, item: Any) -> None:
        if NO_VARIABLE in str(_plain(item.attrs.get("NAME", ""))):
            return
        if item.ndim == 1 and _plain(item.attrs.get("CLASS", "")) == "DIMENSION_SCALE":  # is_scale crashes on damage
            dims: tuple[str, ...] = (name,)
        else:
            dims = tuple(
                str(item.dims[k][0].name).lstrip("/") if len(item.dims[k]) else f"#{item.shape[k]}"
                for k in range(item.ndim)
            )
        self.variables[name] = Variable(name, dims, item.shape, item.dtype, _attrs(item.attrs))

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[Any]:
        """Give the dataset."""
        with open_hdf5(self.path) as file:
            yield file[path]


class ZarrStore(Store):
    """Zarr of format 2 or 3."""

    def __init__(self, path: Path) -> None:
        import zarr

        super().__init__(path)
        try:
            root = zarr.open_group(str(path), mode="r")
            self.attrs = dict(root.attrs)
            for name, item in root.members(max_depth=None):
                if isinstance(item, zarr.Array):
                    self._look(name, item)
        except Exception as error:  # zarr's own errors share no base
            raise SceneError(
                f"{path} is not a readable Zarr store: {type(error).__name__}: {error}",
                "a complete Zarr store of format 2 or 3",
                "Copy it again",
            ) from error

    def _look(self, name: str, item: Any) -> None:
        attrs = dict(item.attrs)
        dims = getattr(item.metadata, "dimension_names", None) or attrs.get("_ARRAY_DIMENSIONS") or [None] * item.ndim
        dims = tuple(f"#{n}" if dim is None else str(dim) for dim, n in zip(dims, item.shape, strict=True))
        dtype = np.dtype(item.dtype)
        fill = attrs.get("_FillValue")
        if fill is None and item.metadata.zarr_format == 2:
            fill = item.fill_value  # in format 2 it is what CF calls _FillValue
        elif isinstance(fill, str) and dtype.kind == "f":
            fill = _packed_number(fill)  # in format 3 xarray packs floats
        if fill is not None:
            attrs["_FillValue"] = fill
        self.variables[name] = Variable(name, dims, item.shape, dtype, _attrs(attrs))

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[Any]:
        """Give the array."""
        import zarr

        yield zarr.open_array(whole_chunks(self.path), path=path, mode="r")


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a Zarr store.

    Parameters
    ----------
    path : pathlib.Path
        Any path.

    Returns
    -------
    bool
        True for format 2 or 3.
    """
    return path.is_dir() and any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata"))


def is_hdf5(path: Path) -> bool:
    """Tell by its first bytes whether a file is HDF5 or classic netCDF.

    Parameters
    ----------
    path : pathlib.Path
        A file.

    Returns
    -------
    bool
        True for both: the second gets a message of its own.
    """
    with path.open("rb") as file:
        first = file.read(8)
    return first == HDF5 or first.startswith(CLASSIC)


def open_store(path: Path) -> Store:
    """Look at a store.

    Parameters
    ----------
    path : pathlib.Path
        File or folder.

    Returns
    -------
    Store
        Its variables.

    Raises
    ------
    SceneError
        If it is damaged, or of classic netCDF.
    """
    if path.is_dir():
        return ZarrStore(path)
    with path.open("rb") as file:
        if file.read(4) in CLASSIC:
            raise SceneError(
                f"{path} is classic netCDF (version 3)",
                "netCDF-4, HDF5 or Zarr, which can be read in windows by many threads",
                "Convert it: nccopy -k netCDF-4 IN OUT, or xarray.open_dataset(IN).to_netcdf(OUT, engine='h5netcdf')",
            )
    return Hdf5Store(path)


def _attrs(attrs: Any) -> dict[str, Any]:
    return {str(key): _plain(attrs[key]) for key in attrs if key not in HIDDEN}


def _plain(value: Any) -> Any:
    """Return text as str and single numbers as scalars."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0")
    if isinstance(value, (str, list, tuple)):
        return value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return ""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    return array.item() if array.size == 1 and array.dtype.kind in "iufbUO" else (array if array.size else "")


def _packed_number(text: str) -> float | None:
    try:
        return float(struct.unpack("<d", base64.standard_b64decode(text))[0])
    except (ValueError, binascii.Error, struct.error):
        try:
            return float(text)  # zarr writes NaN and Infinity as words
        except ValueError:
            return None

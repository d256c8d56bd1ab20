"""Scenes in hsgeo's own convention, as Zarr (format 2 or 3) or netCDF-4."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.core.indexing import LazilyIndexedArray

from hsgeo.errors import SceneError
from hsgeo_sensors.common.assemble import ANGLES
from hsgeo_sensors.common.chunks import whole_chunks
from hsgeo_sensors.common.hdf5 import open_hdf5
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.common.own import foreign_hdf5, foreign_zarr
from hsgeo_sensors.config import NativeOptions, parse
from hsgeo_sensors.native.writer import COUNTED

__all__ = ["NativeReader"]

COORDINATES = (
    *("wavelength", "fwhm", "good", "detector", "time", "spatial_ref", "lat", "lon", "glt_x", "glt_y"),
    *ANGLES,
)
HDF5 = b"\x89HDF\r\n\x1a\n"


class NativeReader:
    """Opens what `hsgeo_sensors.native.writer.write_native` wrote, or any store with the same names."""

    def score(self, path: Path) -> int:
        """Return 2 for a Zarr store or netCDF-4 file with ``spectra (band, y, x)``, 1 for another store, a product."""
        try:
            if path.is_dir():
                if not _format(path):
                    return 0
                return 2 if (path / "spectra").is_dir() and not foreign_zarr(path) else 1
            if path.suffix.lower() not in (".nc", ".nc4", ".netcdf"):
                return 0
            with path.open("rb") as file:
                if file.read(8) != HDF5:
                    return 0
            with open_hdf5(path) as file:
                if "spectra" in file:
                    return 0 if foreign_hdf5(file) else 2
                return int("abundance" in file)  # a product gets its own message
        except Exception:  # what cannot be looked at is not ours
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a stored scene.

        Parameters
        ----------
        path : pathlib.Path
            Folder of a Zarr store, or a netCDF-4 file (read with h5netcdf: netCDF4 is not thread-safe).
        options : mapping, optional
            See `hsgeo_sensors.config.NativeOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            The scene, its wavelength index made anew (indexes are not stored).

        Raises
        ------
        SceneError
            If there is no ``spectra (band, y, x)`` with wavelengths inside.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(NativeOptions, options)
        path = Path(path)
        try:
            scene = _stored(path, chosen.group)
        except (OSError, LookupError, ValueError, RuntimeError, AttributeError, TypeError) as error:  # xarray's, too
            raise SceneError(
                f"{path} cannot be opened: {type(error).__name__}: {error}",
                "a complete Zarr store or netCDF-4 file" + (f" with a group {chosen.group!r}" if chosen.group else ""),
                "Copy it again, or check the group",
            ) from error
        if "spectra" not in scene.variables:
            kind = (
                "a product, not a scene"
                if "abundance" in scene.variables
                else f"a store with {sorted(map(str, scene.data_vars))}"
            )
            raise SceneError(
                f"{path} is {kind}",
                "a store with spectra (band, y, x)",
                "Open a product with hsgeo.open_product; bring other datasets into the convention with "
                "xr.open_dataset(...).hsu.standardize(...)",
            )
        if scene["spectra"].dtype.kind not in "iuf":
            raise SceneError(
                f"{path} holds spectra of {scene['spectra'].dtype}", "real numbers (band, y, x)", "Write it again"
            )
        scene = scene.set_coords([name for name in COORDINATES if name in scene.data_vars])
        scene = scene.assign_coords(
            {n: c.load() for n, c in scene.coords.items() if c.ndim < 2 and n not in scene.xindexes}
        )
        centres = scene.coords.get("wavelength")
        if centres is None or centres.dims != ("band",) or centres.dtype.kind not in "iuf" or not (centres > 0).all():
            raise SceneError(
                f"{path} has no wavelength (band), or not a number above 0 for each band",
                "a scene in hsgeo's convention",
                "Open it with xarray and call .hsu.standardize(wavelength=...)",
            )
        if "wavelength" not in scene.xindexes:
            scene = scene.set_xindex("wavelength")
        kinds: tuple[tuple[str, type], ...] = (("good", bool), ("detector", str))
        for label, dtype in kinds:
            if label in scene.coords:  # stored as int8 or as variable-length strings by some formats
                stored = scene[label]
                values: np.ndarray = np.array(stored.values.tolist(), dtype=dtype)
                scene = scene.assign_coords({label: (stored.dims, values, stored.attrs)})
        for dim, label in COUNTED.items():
            if dim not in scene.coords and label in scene.coords and scene[label].dims == (dim,):
                scene = scene.rename_vars({label: dim}).set_xindex(dim)
        for variable in scene.data_vars.values():
            if "grid_mapping" in variable.encoding:
                variable.attrs["grid_mapping"] = variable.encoding.pop("grid_mapping")
        return scene if chunks is None else scene.chunk({k: n for k, n in chunks.items() if k in scene.dims})

    @classmethod
    def store(
        cls,
        path: Path,
        scene: xr.Dataset,
        *,
        zarr_format: int = 2,
        chunk: int = 128,
        overwrite: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Path:
        """Write a scene as this reader opens it; see `hsgeo_sensors.native.writer.write_native`.

        Parameters
        ----------
        path : pathlib.Path
            ``.zarr`` or ``.nc``.
        scene : xarray.Dataset
            In the scene convention, of any size.
        zarr_format, chunk, overwrite, progress
            As of `write_native`.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from hsgeo_sensors.native.writer import write_native

        return write_native(scene, path, zarr_format=zarr_format, chunk=chunk, overwrite=overwrite, progress=progress)


class Zarr(LazyRaster):
    """A variable of a Zarr store, decoded by xarray; damage to a chunk is told as that of any other file."""

    def __init__(self, path: Path, group: str | None, name: str, variable: xr.Variable) -> None:
        super().__init__(path, variable.shape, variable.dtype)
        self.group, self.name, self.variable = group, name, variable

    def __dask_tokenize__(self) -> tuple[object, ...]:
        return type(self).__qualname__, str(self.path), self.group, self.name, self.shape, self.stamp

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read a window of the array, which is open: files of chunks are not."""
        box: tuple[Any, ...] = (slice(*rows), slice(*cols))
        if bands is not None:
            run = len(bands) == 1 or bool((np.diff(bands) == 1).all())
            box = (slice(int(bands[0]), int(bands[-1]) + 1) if run else bands, *box)
        return self.variable[box].to_numpy()


class NetCdf(LazyRaster):
    """A variable of a netCDF-4 file, decoded by xarray; opened for each read."""

    def __init__(self, path: Path, group: str | None, name: str, variable: xr.Variable) -> None:
        super().__init__(path, variable.shape, variable.dtype)
        self.group, self.name, self.dims = group, name, variable.dims

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read a window with h5netcdf."""
        with _netcdf(self.path, self.group) as file:
            box: dict[Hashable, Any] = {self.dims[-2]: slice(*rows), self.dims[-1]: slice(*cols)}
            if bands is not None:
                box[self.dims[0]] = bands
            return file[self.name].variable.isel(box).to_numpy()


def _stored(path: Path, group: str | None) -> xr.Dataset:
    """Open a store without dask."""
    if path.is_dir():
        store = xr.open_dataset(
            whole_chunks(path),
            engine="zarr",
            group=group,
            consolidated=_consolidated(path),
            decode_coords="all",
            cache=False,  # else one .values would keep the whole scene
        )
        return store.assign(_lazy(store, lambda name, v: Zarr(path, group, name, v)))
    with _netcdf(path, group) as file:
        lazy = _lazy(file, lambda name, v: NetCdf(path, group, name, v))
        return file.drop_vars(list(lazy)).load().assign(lazy)


def _lazy(store: xr.Dataset, make: Callable[[str, xr.Variable], LazyRaster]) -> dict[Hashable, xr.Variable]:
    """Return the rasters of a store as arrays of ours."""
    return {
        name: xr.Variable(v.dims, LazilyIndexedArray(make(str(name), v)), v.attrs, v.encoding)
        for name, v in store.variables.items()
        if v.ndim in (2, 3) and v.dims[-2:] == ("y", "x")
    }


@contextmanager
def _netcdf(path: Path, group: str | None) -> Iterator[xr.Dataset]:
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    with open_hdf5(path) as opened, h5netcdf.File(opened, "r") as file:
        store = H5NetCDFStore(file if group is None else file[group])
        yield xr.open_dataset(store, decode_coords="all", cache=False)


def _format(path: Path) -> int:
    """Return the Zarr format of a folder, 0 when it is none."""
    if (path / "zarr.json").is_file():
        return 3
    return 2 if (path / ".zgroup").is_file() or (path / ".zmetadata").is_file() else 0


def _consolidated(path: Path) -> bool:
    if _format(path) == 2:
        return (path / ".zmetadata").is_file()
    return json.loads((path / "zarr.json").read_text()).get("consolidated_metadata") is not None

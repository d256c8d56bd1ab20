"""Any CF netCDF-4, other HDF5 or Zarr with a spectral variable: dims in any order, packing, map grid or swath."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.spectra.absorption import default_good
from hsgeo_sensors.cf.bands import band_values, find_spectral, has_spectral
from hsgeo_sensors.cf.grid import find_grid
from hsgeo_sensors.cf.packing import fill_numbers, is_unsigned, limits_of, packing_of, unpacked
from hsgeo_sensors.cf.store import Store, Variable, is_hdf5, is_zarr, open_store
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.decoding import decode_cube
from hsgeo_sensors.common.hdf5 import open_hdf5, sides_of_chunks
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.common.own import foreign_hdf5, foreign_zarr
from hsgeo_sensors.common.sample import Sample, find_fill
from hsgeo_sensors.common.scale import decide_scale
from hsgeo_sensors.common.units import quantity_with_unit
from hsgeo_sensors.config import CfOptions, parse

__all__ = ["CfReader"]

SUFFIXES = (".nc", ".nc4", ".netcdf", ".cdf", ".h5", ".hdf5", ".hdf")
OWN = ("spectra", "abundance")
"""What a scene or a product of hsgeo has at its root: for the native reader, which knows more of it."""
TIMES = ("time_coverage_start", "start_time", "acquisition_time", "acquisition_datetime", "start_datetime")
THIN = 4  # chunks of a quarter of the bands or less: bands apart are read one by one
PLANES = 2**25  # numbers of some bands that are kept while a file is opened: 128 MB of floats
ANGLES = {
    "solar_zenith_angle": "sun_zenith",
    "solar_azimuth_angle": "sun_azimuth",
    "sensor_zenith_angle": "view_zenith",
    "sensor_azimuth_angle": "view_azimuth",
}


class CfReader:
    """Opens CF stores that no reader of a product knows."""

    example = "scene.nc"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 1 for netCDF and HDF5, 2 for a Zarr store with a spectral variable; 0 for what hsgeo wrote itself."""
        try:
            if path.is_dir():
                own = not is_zarr(path) or any((path / name).is_dir() for name in OWN)
                own = own and not ((path / "spectra").is_dir() and foreign_zarr(path))
                return 0 if own or not has_spectral(open_store(path)) else 2  # 1 is native's for all other stores
            if not (path.is_file() and path.suffix.lower() in SUFFIXES and is_hdf5(path)):
                return 0
        except Exception:  # what cannot be looked at is not ours
            return 0
        try:
            with open_hdf5(path) as file:
                own = any(name in file for name in OWN)
                return int(not own or ("spectra" in file and foreign_hdf5(file)))
        except (OSError, RuntimeError, LookupError):  # classic netCDF or a broken file: opening it says so
            return 1

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a store as a scene.

        Parameters
        ----------
        path : pathlib.Path
            File of netCDF-4 or other HDF5, or folder of a Zarr store.
        options : mapping, optional
            See `hsgeo_sensors.config.CfOptions`. What the numbers are worth: ``scale_factor`` and ``add_offset``, else
            see `hsgeo_sensors.common.scale`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            A scene; its attribute ``layout`` tells how the variable was taken.

        Raises
        ------
        SceneError
            If the store is damaged, has no spectral variable or more than one, or its places contradict each other.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(CfOptions, options)
        path = Path(path)
        store = open_store(path)
        spectral = find_spectral(store, chosen)
        variable = spectral.variable
        centres, widths, good = band_values(store, spectral, chosen)
        grid = find_grid(store, spectral, grid=chosen.grid)
        names = {spectral.axis: "band", grid.y: "y", grid.x: "x"}
        raw = Raster(store, variable, tuple(names.get(k, "") for k in range(len(variable.shape))))
        if chosen.nodata is not None:
            raw.nodata = (chosen.nodata,)
        bands = len(centres)
        text = " ".join(str(variable.attrs.get(k, "")) for k in ("long_name", "standard_name"))
        units = str(variable.attrs.get("units", "")).strip()
        quantity = quantity_with_unit(chosen, variable.name, text, unit=units, name=f"{path} ({variable.path})")
        usable = default_good(centres) if good is None else good
        with store.opened(variable.path) as data:
            blocks = sides_of_chunks(data, raw.axes.index("y"), raw.axes.index("x"))
            depth = data.chunks[spectral.axis] if data.chunks else bands
        look = partial(_look, raw, blocks if THIN * depth <= bands else None, {})
        sample = Sample(look, bands=bands, shape=raw.shape[1:], usable=usable)
        about: dict[str, str] = {}
        if not raw.nodata and not np.isfinite(raw.valid).any():
            number, about = find_fill(sample, name=str(path))
            raw.nodata = () if number is None else (number,)
        scale = decide_scale(
            chosen,
            bands=bands,
            shape=(raw.shape[1], raw.shape[2]),
            said=_said(variable, bands),
            text=f"{text} {units}",
            quantity=quantity,
            nodata=raw.nodata[0] if raw.nodata else None,
            probe=sample,
            name=str(path),
        )
        raw.gain, raw.offset = scale.gain, scale.offset
        place = {}
        if grid.lat is not None and grid.lon is not None:
            for label, v in (("lat", grid.lat), ("lon", grid.lon)):
                axes = tuple("y" if dim == variable.dims[grid.y] else "x" for dim in v.dims)
                place[label] = Raster(store, v, axes if len(set(axes)) == 2 else ("y", "x"), np.float64)
        sensor = next((store.attrs[k] for k in ("instrument", "sensor", "platform") if store.attrs.get(k)), "unknown")
        return assemble(
            raw,
            wavelength=centres,
            fwhm=widths,
            good=good,
            crs=grid.crs,
            transform=grid.transform,
            angles=_angles(store),
            time=_time(store),
            quantity=quantity,
            units=units if quantity == "radiance" and units else None,
            attrs={
                "sensor": str(sensor),
                "product_id": path.stem,
                "variable": variable.path,
                "layout": f"{variable.path} ({', '.join(a or 'one' for a in raw.axes)}): {grid.why}",
                **about,
            },
            spectra_attrs={"scale_source": scale.source},
            blocks=blocks,
            chunks=chunks,
            **place,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as CF, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.nc`` or ``.zarr``.
        scene : xarray.Dataset
            Reflectance in the scene convention on a map grid.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from hsgeo_sensors.cf.writer import write_cf

        return write_cf(
            path,
            scene["spectra"].values,
            wavelength=scene["wavelength"].values,
            fwhm=scene["fwhm"].values,
            y=scene["y"].values,
            x=scene["x"].values,
            crs_wkt=scene["spatial_ref"].attrs["crs_wkt"] if "spatial_ref" in scene.coords else None,
        )


class Raster(LazyRaster):
    """A variable with bands, or latitudes or longitudes; the store is opened for each read."""

    def __init__(self, store: Store, variable: Variable, axes: tuple[str, ...], dtype: type = np.float32) -> None:
        order = ("band", "y", "x") if "band" in axes else ("y", "x")
        super().__init__(store.path, tuple(variable.shape[axes.index(axis)] for axis in order), dtype)
        self.store, self.name, self.axes, self.order = _bare(store), variable.path, axes, order
        self.unsigned = is_unsigned(variable)
        said = packing_of(variable)
        count = self.shape[0] if "band" in axes else 1
        self.gain, self.offset = np.full(count, said[0]), np.full(count, said[1])
        self.nodata = fill_numbers(variable)
        self.valid = limits_of(variable)

    def stored(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read stored numbers, ``(band, rows, columns)`` or ``(rows, columns)``: one box, axes as they come."""
        low = int(bands.min()) if bands is not None else 0
        cuts: dict[str, Any] = {"y": slice(*rows), "x": slice(*cols), "": 0}
        if bands is not None:
            cuts["band"] = slice(low, int(bands.max()) + 1)
        with self.store.opened(self.name) as data:
            try:
                block = np.asarray(data[tuple(cuts[axis] for axis in self.axes)])
            except (RuntimeError, TypeError) as error:  # broken compressed chunks
                raise OSError(str(error)) from error
        if self.unsigned:
            block = block.view(block.dtype.str.replace("i", "u"))
        kept = [axis for axis in self.axes if axis]
        block = block.transpose([kept.index(axis) for axis in self.order])
        if bands is None or (len(bands) == len(block) and (np.diff(bands) == 1).all()):
            return block
        return block[bands - low]

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read and unpack a window."""
        raw = self.stored(bands, rows, cols)
        if bands is None:
            values = raw.astype(np.float64) * self.gain + self.offset
            for number in self.nodata:
                values[raw == number] = np.nan
            return values.astype(self.dtype)
        forward = [int(k) for k in np.argsort([-abs(s) for s in raw.strides], kind="stable")]  # as it lies in memory
        out = decode_cube(
            raw.transpose(forward),
            axis=forward.index(0),
            gain=self.gain[bands],
            offset=self.offset[bands],
            nodata=self.nodata,
            valid=self.valid,
        )
        return out.transpose([forward.index(k) for k in range(3)])


def _look(
    raw: Raster,
    blocks: tuple[int, int] | None,
    planes: dict[int, np.ndarray],
    bands: np.ndarray,
    rows: tuple[int, int],
    cols: tuple[int, int],
) -> np.ndarray:
    """Read stored numbers of bands apart; where chunks hold few bands, none between them, and no large one twice."""
    if blocks is None:
        return raw.stored(bands, rows, cols)
    whole = (0, raw.shape[1]), (0, raw.shape[2])
    if 4 * blocks[0] * blocks[1] < raw.shape[1] * raw.shape[2] or len(bands) * raw.shape[1] * raw.shape[2] > PLANES:
        return np.concatenate([raw.stored(bands[k : k + 1], rows, cols) for k in range(len(bands))])
    for k, band in enumerate(bands.tolist()):
        if band not in planes:
            planes[band] = raw.stored(bands[k : k + 1], *whole)[0]
    return np.stack([planes[band][slice(*rows), slice(*cols)] for band in bands.tolist()])


def _bare(store: Store) -> Store:
    """Return a store without its list of variables: that would travel with every pickled array."""
    bare = object.__new__(type(store))
    bare.path = store.path.absolute()
    return bare


def _said(variable: Variable, bands: int) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Return the scale that the file states."""
    if "scale_factor" in variable.attrs or "add_offset" in variable.attrs:
        gain, offset = packing_of(variable)
        worth = 0.01 if variable.text("units") in ("%", "percent") else 1.0
        return np.full(bands, gain * worth), np.full(bands, offset * worth), "scale_factor and add_offset of the file"
    if variable.text("units") in ("%", "percent"):
        return np.full(bands, 0.01), np.zeros(bands), "units of the file: percent"
    return None


def _angles(store: Store) -> dict[str, float]:
    out = {}
    for v in store.variables.values():
        name = ANGLES.get(v.text("standard_name"))
        if name is not None and int(np.prod(v.shape)) == 1 and v.dtype.kind in "iuf":
            value = float(np.ravel(unpacked(store, v))[0])
            out[name] = float(np.rad2deg(value)) if v.text("units").startswith("rad") else value
    return out


def _time(store: Store) -> str | None:
    for key in TIMES:
        if isinstance(store.attrs.get(key), str):
            return str(store.attrs[key])
    for v in store.variables.values():
        if v.name.lower() == "time" and int(np.prod(v.shape)) == 1 and "since" in v.text("units"):
            about = {k: str(v.attrs[k]) for k in ("units", "calendar") if k in v.attrs}
            coded = xr.Dataset({"time": ((), np.ravel(store.read(v))[0], about)})
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # odd calendars: then there is no time
                    return str(xr.decode_cf(coded)["time"].values.astype("datetime64[us]"))
            except (ValueError, TypeError, OverflowError):
                return None
    return None

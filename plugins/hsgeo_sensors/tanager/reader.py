"""Tanager-1: basic (sensor grid) and ortho (map grid) scenes, radiance and surface reflectance, in HDF-EOS5.

Layout and traps: all that belongs to the bands stands in attributes of the cube itself; bad bands hold -0.01 or wild
numbers instead of a fill value, so only ``good_wavelengths`` tells them; chunks are tiny.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo.plugin import Quality
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.hdf5 import check_unscaled, open_hdf5, read_bands, sides_of_chunks, text_of_value
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.config import TanagerOptions, parse
from hsgeo_sensors.tanager.grid import framing, map_grid

__all__ = ["TanagerReader"]

WANTED = "a Tanager scene: *_basic_radiance_hdf5.h5, *_basic_sr_hdf5.h5, *_ortho_radiance_hdf5.h5 or *_ortho_sr_hdf5.h5"
NAME = re.compile(r"_(basic|ortho)_(radiance|sr)_hdf5\.(h5|hdf5|he5)$", re.IGNORECASE)
ROOTS = {"ortho": "HDFEOS/GRIDS/HYP", "basic": "HDFEOS/SWATHS/HYP"}
CUBES = {"surface_reflectance": ("reflectance", "sr"), "toa_radiance": ("radiance", "radiance")}
FILL = -9999.0  # of the specification, for datasets without a _FillValue
UNITS = "W m-2 sr-1 um-1"  # of the specification; the file writes W/(m^2 sr um)
FLAGS = (("beta_cloud_mask", Quality.CLOUD), ("beta_cirrus_mask", Quality.CIRRUS))
NODATA = "nodata_pixels"
FIELDS = {
    "sun_zenith": "sun_zenith",
    "sun_azimuth": "sun_azimuth",
    "view_zenith": "sensor_zenith",
    "view_azimuth": "sensor_azimuth",
}


class TanagerReader:
    """Opens Tanager scenes."""

    example = "scene.h5"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 2 for Tanager scenes, by name or by the groups inside, else 0."""
        try:
            if not path.is_file() or path.suffix.lower() not in (".h5", ".hdf5", ".he5"):
                return 0
            if NAME.search(path.name):
                return 2
            with open_hdf5(path) as file:
                return 2 if any(root in file for root in ROOTS.values()) else 0
        except Exception:  # a file that cannot be looked at is not claimed, unless its name says what it is
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a scene.

        Parameters
        ----------
        path : pathlib.Path
            The ``.h5`` file.
        options : mapping, optional
            See `hsgeo_sensors.config.TanagerOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            ``spectra``, ``quality`` (NODATA, CLOUD, CIRRUS) and, of surface reflectance, ``spectra_std``. Ortho scenes
            have a map grid, basic scenes ``lat`` and ``lon``.

        Raises
        ------
        SceneError
            If the file is broken, no Tanager scene, or contradicts itself.
        ConfigError
            If an option is wrong.
        """
        parse(TanagerOptions, options)
        path = Path(path)
        with open_hdf5(path, WANTED) as file:
            found = _find(file, path)
            root, name, dataset = found
            bands = _bands(dataset, name, path)
            layers, std = _layers(file[f"{root}/Data Fields"], dataset, name, path)
            kind = next(k for k, r in ROOTS.items() if r == root)
            place, told = _place(file, root, kind, dataset.shape[1:], path)
            shape, blocks = dataset.shape, sides_of_chunks(dataset, 1, 2)
            fill = _fill(dataset)
            angles = {k: a for k, f in FIELDS.items() if (a := _angle(layers.get(f), layers.get(NODATA))) is not None}
            time = _time(file, root, path)
            strip = text_of_value(file[root].attrs.get("strip_id", ""))
        where = f"{root}/Data Fields"
        empty = f"{where}/{NODATA}" if NODATA in layers else None
        masks = tuple((f"{where}/{layer}", int(bit)) for layer, bit in FLAGS if layer in layers)
        quantity, short = CUBES[name]
        return assemble(
            Cube(path, f"{where}/{name}", shape, fill, empty),
            **bands,
            **place,
            std=Cube(path, f"{where}/{std[0]}", shape, std[1], empty) if std else None,
            quality=_Flags(path, f"{where}/{name}", shape[1:], fill, empty, masks),
            angles=angles,
            time=time,
            quantity=quantity,
            units=UNITS if quantity == "radiance" else None,
            attrs={
                "sensor": "Tanager-1",
                "product_id": path.stem,
                "processing_level": f"{kind}_{short}",
                "quality_source": ", ".join(([NODATA] if empty else []) + [m[0].split("/")[-1] for m in masks])
                or "fill values",
                **({"strip_id": strip} if strip else {}),
                **told,
            },
            spectra_attrs={"scale_source": "physical units in the file"},
            blocks=blocks,
            chunks=chunks,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as an ortho surface reflectance file, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.h5``.
        scene : xarray.Dataset
            Reflectance in the scene convention, on a UTM grid of 30 m.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from pyproj import CRS

        from hsgeo_sensors.tanager.writer import write_tanager

        epsg = CRS.from_wkt(scene["spatial_ref"].attrs["crs_wkt"]).to_epsg()
        step = float(scene["x"][1] - scene["x"][0])
        return write_tanager(
            path,
            scene["spectra"].values,
            wavelength=scene["wavelength"].values,
            fwhm=scene["fwhm"].values,
            good=scene["good"].values if "good" in scene.coords else None,
            epsg=int(epsg or 0),
            origin=(float(scene["x"][0]) - step / 2, float(scene["y"][0]) + step / 2),
            pixel=step,
        )


class _Field(LazyRaster):
    """What all rasters share: the dataset, opened anew for each read."""

    def __init__(self, path: Path, dataset: str, shape: tuple[int, ...], fill: float, dtype: type = np.float32) -> None:
        super().__init__(path, shape, dtype)
        self.dataset, self.fill = dataset, fill

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read one box of a raster without bands."""
        with open_hdf5(self.path, WANTED) as file:
            values = file[self.dataset][rows[0] : rows[1], cols[0] : cols[1]].astype(self.dtype)
        values[values == self.fill] = np.nan
        return values


class Cube(_Field):
    """Radiance, reflectance or its standard deviation: as stored, NaN where nothing was measured."""

    def __init__(self, path: Path, dataset: str, shape: tuple[int, ...], fill: float, empty: str | None) -> None:
        super().__init__(path, dataset, shape, fill)
        self.empty = empty

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read one box; a scene without a value in a cell says so by the fill value, by ``nodata_pixels``, or both."""
        assert bands is not None
        with open_hdf5(self.path, WANTED) as file:
            values = read_bands(file[self.dataset], bands, rows, cols, axis=0).astype(np.float32, copy=False)
            empty = file[self.empty][rows[0] : rows[1], cols[0] : cols[1]] != 0 if self.empty else None
        np.putmask(values, values == np.float32(self.fill), np.nan)
        if empty is not None and empty.any():
            values[:, empty] = np.nan
        return values


class _Flags(_Field):
    """Quality bits from the scene's own masks."""

    def __init__(
        self,
        path: Path,
        dataset: str,
        shape: tuple[int, ...],
        fill: float,
        empty: str | None,
        masks: tuple[tuple[str, int], ...],
    ) -> None:
        super().__init__(path, dataset, shape, fill, np.uint16)
        self.empty, self.masks = empty, masks
        self.known = int(Quality.NODATA) | sum(bit for _, bit in masks)

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read the masks; without ``nodata_pixels``, the fill values of the middle band tell where nothing is."""
        box = np.s_[rows[0] : rows[1], cols[0] : cols[1]]
        with open_hdf5(self.path, WANTED) as file:
            if self.empty:
                empty = file[self.empty][box] != 0
            else:
                cube = file[self.dataset]
                empty = cube[(cube.shape[0] // 4, *box)] == np.float32(self.fill)
            flags = empty * np.uint16(Quality.NODATA)
            for layer, bit in self.masks:
                flags |= (file[layer][box] == 1) * np.uint16(bit)
        flags[empty] = Quality.NODATA
        return flags


def _find(file: Any, path: Path) -> tuple[str, str, Any]:
    """Return the group, the name of the cube and the cube, of which there must be one."""
    import h5py

    roots = [root for root in ROOTS.values() if root in file]
    if len(roots) != 1:
        said = "both a basic and an ortho scene" if roots else f"neither {ROOTS['ortho']} nor {ROOTS['basic']}"
        raise SceneError(f"{path} has {said}", WANTED, "Get the file as Planet delivers it")
    fields = file.get(f"{roots[0]}/Data Fields")
    cubes = [name for name in CUBES if fields is not None and isinstance(fields.get(name), h5py.Dataset)]
    if len(cubes) != 1:
        raise SceneError(
            f"{path} has {' and '.join(cubes) or 'neither surface_reflectance nor toa_radiance'} in {roots[0]}",
            WANTED,
            "Download it again; visual and methane products have no spectra",
        )
    dataset = fields[cubes[0]]
    if dataset.ndim != 3 or dataset.dtype.kind != "f":
        raise SceneError(
            f"{path} has {cubes[0]} of shape {dataset.shape} and type {dataset.dtype}",
            "floating-point numbers (bands, rows, columns)",
            "Download it again",
        )
    return roots[0], cubes[0], dataset


def _bands(dataset: Any, name: str, path: Path) -> dict[str, Any]:
    """Read what the cube's attributes say about its bands."""
    wanted = ["wavelengths", "fwhm"] + ["good_wavelengths"] * (name == "surface_reflectance")
    missing = [key for key in wanted if key not in dataset.attrs]
    if missing:
        raise SceneError(
            f"{path} lacks the attributes {', '.join(missing)} of {name}", "the layout of Tanager", "Download it again"
        )
    values = {key: np.ravel(dataset.attrs[key]).astype(np.float64) for key in wanted}
    if any(len(v) != dataset.shape[0] for v in values.values()):
        raise SceneError(
            f"{path} has {len(values['wavelengths'])} wavelengths for {name} of shape {dataset.shape}",
            "a cube (bands, rows, columns) with one wavelength, width and flag for each band",
            "Download it again; this file was written with its axes in another order, or cut",
        )
    centre = values["wavelengths"]
    if not (np.isfinite(centre) & (centre > 100)).all():  # STAC items of these scenes give micrometres, files never do
        raise SceneError(f"{path} has wavelengths from {centre.min():g} to {centre.max():g}", "nanometres")
    good = values.get("good_wavelengths")
    width = np.where(values["fwhm"] > 0, values["fwhm"], np.nan)
    return {"wavelength": centre, "fwhm": width, "good": None if good is None else good == 1}


def _layers(fields: Any, dataset: Any, name: str, path: Path) -> tuple[dict[str, Any], tuple[str, float] | None]:
    """Return the 2-D fields that are used, and the uncertainty with its fill value; all must fit the cube."""
    names = (*FIELDS.values(), NODATA, *(layer for layer, _ in FLAGS))
    layers = {layer: fields[layer] for layer in names if layer in fields}
    twin = f"{name}_uncertainty"
    shapes = dict.fromkeys(layers, dataset.shape[1:]) | ({twin: dataset.shape} if twin in fields else {})
    for layer, shape in shapes.items():
        if fields[layer].shape != shape:
            raise SceneError(
                f"{path} has {layer} of shape {fields[layer].shape} for a cube of shape {dataset.shape}",
                f"{shape}",
                "Download it again",
            )
    return layers, ((twin, _fill(fields[twin])) if twin in fields else None)


def _place(
    file: Any, root: str, kind: str, shape: tuple[int, int], path: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return where the pixels are, and attributes that tell more of it."""
    if kind == "ortho":
        crs, transform = map_grid(file, root, *shape, name=str(path))
        return {"crs": crs, "transform": transform}, {}
    group = file.get(f"{root}/Geolocation Fields")
    out = {}
    for key, name, limit in (("lat", "Latitude", 90.0), ("lon", "Longitude", 180.0)):
        field = group.get(name) if group is not None else None
        if field is None or field.shape != tuple(shape) or field.dtype.kind != "f":
            raise SceneError(
                f"{path} has " + (f"no {name}" if field is None else f"{name} {field.dtype} of shape {field.shape}"),
                f"degrees of shape {tuple(shape)} in {root}/Geolocation Fields",
                "Download it again",
            )
        value, fill = float(field[shape[0] // 2, shape[1] // 2]), _fill(field)
        if value != fill and not abs(value) <= limit:
            raise SceneError(f"{path} has a {name} of {value:g} in its centre", f"-{limit:g} to {limit:g} degrees")
        out[key] = _Field(path, field.name, tuple(shape), fill, np.float64)
    told = framing(group.attrs.get("Planet_Ortho_Framing"), name=str(path))
    return out, ({"planet_ortho_framing": told} if told else {})


def _angle(field: Any, nodata: Any) -> float | None:
    """Return an angle at the centre of the scene; where nothing is there, of the scene's middle valid pixel."""
    if field is None:
        return None
    fill = _fill(field)
    value = float(field[field.shape[0] // 2, field.shape[1] // 2])
    if np.isfinite(value) and value != fill and not (nodata is not None and nodata[tuple(n // 2 for n in field.shape)]):
        return value
    values = np.asarray(field[()], np.float64)
    valid = np.isfinite(values) & (values != fill)
    if nodata is not None:
        valid &= nodata[()] == 0
    return float(np.sort(values[valid])[valid.sum() // 2]) if valid.any() else None


def _time(file: Any, root: str, path: Path) -> str | None:
    """Return the start of the acquisition: the earliest time in the file, else what its name says."""
    from datetime import UTC, datetime

    for name in (f"{root}/Data Fields/time", f"{root}/Geolocation Fields/Time"):
        if name in file:
            values = np.asarray(file[name][()], np.float64)
            values = values[np.isfinite(values) & (values > 0)]  # seconds since 1970, UTC; the fill value is negative
            if values.size:
                return datetime.fromtimestamp(float(values.min()), UTC).isoformat()
    stamp = re.match(r"(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)_", path.name)
    return "{}-{}-{}T{}:{}:{}Z".format(*stamp.groups()) if stamp else None


def _fill(dataset: Any) -> float:
    check_unscaled(dataset)
    return float(np.ravel(dataset.attrs.get("_FillValue", FILL))[0])

"""NEON AOP surface reflectance: flight lines and tiles in HDF5, directional and bidirectional.

Layout and traps: one group per site; bands last; names of keys differ between revisions by case; byte layers hold 241
outside the flight line, whatever their attributes say.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.plugin import Quality
from hsgeo.spectra.absorption import default_good
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.hdf5 import open_hdf5, read_bands, sides_of_chunks, text_of_value
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.config import NeonOptions, parse
from hsgeo_sensors.neon.classes import bit_table, is_vegetation_map
from hsgeo_sensors.neon.grid import map_grid

__all__ = ["NeonReader"]

WANTED = (
    "NEON AOP surface reflectance (DP1.30006 or DP3.30006), such as NEON_D01_BART_DP1_20190825_145110_reflectance.h5"
)
NAME = re.compile(r"^NEON_D\d\d_\w{4}_DP[13]_.*reflectance\.(h5|hdf5)$", re.IGNORECASE)
CUBE = "Reflectance/Reflectance_Data"
ANCILLARY = "Metadata/Ancillary_Imagery"
PROBES = 2  # bands that must both hold the ignore value; outside the flight line all do, inside hardly one
EMPTY_BYTE = 241  # -9999 modulo 256


class NeonReader:
    """Opens NEON AOP reflectance."""

    example = "scene.h5"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 2 for NEON spectrometer files, by name or by the groups inside, else 0."""
        try:
            if not path.is_file() or path.suffix.lower() not in (".h5", ".hdf5"):
                return 0
            if NAME.match(path.name):
                return 2
            with open_hdf5(path) as file:
                if any(f"{site}/{CUBE}" in file or f"{site}/Radiance/Metadata" in file for site in file):
                    return 2
                return 2 if _of_2013(file) else 0
        except Exception:  # a file that cannot be looked at is not claimed, unless its name says what it is
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a flight line or tile.

        Parameters
        ----------
        path : pathlib.Path
            The ``.h5`` file.
        options : mapping, optional
            See `hsgeo_sensors.config.NeonOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            ``spectra`` and ``quality`` (NODATA outside the flight line; CLOUD, CLOUD_SHADOW, CIRRUS, SNOW and
            SATURATED from ATCOR's class map).

        Raises
        ------
        SceneError
            If the file is broken, another product, or contradicts itself.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(NeonOptions, options)
        path = Path(path)
        with open_hdf5(path, WANTED) as file:
            site = _site(file, path)
            group, dataset = file[f"{site}/Reflectance"], file[f"{site}/{CUBE}"]
            meta = group.get("Metadata", {})
            bands = _bands(group, meta, dataset, path)
            height, width = dataset.shape[:2]
            crs, transform = map_grid(
                _text(meta, "Coordinate_System/Map_Info", path),
                _text(meta, "Coordinate_System/EPSG Code", path),
                _named(dataset.attrs, "Spatial_Extent_meters"),
                height=height,
                width=width,
                name=str(path),
            )
            scale = _number(dataset, "Scale_Factor", path)
            ignore = _number(dataset, "Data_Ignore_Value", path)
            limits = np.iinfo(dataset.dtype)
            if not (np.isfinite(scale) and scale > 0) or not limits.min <= ignore <= limits.max or ignore % 1:
                raise SceneError(
                    f"{path} has a Scale_Factor of {scale:g} and a Data_Ignore_Value of {ignore:g} for {dataset.dtype}",
                    "a factor above 0, and a number that can be stored",
                    "Download it again",
                )
            classes, told = _class_map(group, dataset, chosen)
            angles = _angles(meta, dataset)
            stamp, dates = _time(meta, path)
            name, shape, blocks = dataset.name, dataset.shape, sides_of_chunks(dataset, 0, 1)
            weather = _named(dataset.attrs, "Cloud_conditions")
        usable = np.flatnonzero(bands["good"] & default_good(bands["wavelength"]))
        probes = usable[np.linspace(0, len(usable) - 1, PROBES + 2).astype(int)[1:-1]] if len(usable) else np.array([0])
        level = re.search(r"_(DP[13])_", path.name)
        return assemble(
            Cube(path, name, (shape[2], height, width), scale, ignore),
            **bands,
            crs=crs,
            transform=transform,
            quality=_Flags(path, name, (height, width), ignore, tuple(int(p) for p in probes), classes),
            angles=angles,
            time=stamp,
            attrs={
                "sensor": "NEON AOP",
                "product_id": path.stem,
                "processing_level": f"{level[1] if level else 'DP1'} {dates.pop('kind')} reflectance",
                "site": site,
                "quality_source": told,
                **({"weather": text_of_value(weather)} if weather is not None else {}),
                **dates,
            },
            spectra_attrs={"scale_source": "Scale_Factor of the file"},
            blocks=blocks,
            chunks=chunks,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as a flight line, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.h5``.
        scene : xarray.Dataset
            Reflectance in the scene convention, on a UTM grid.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from pyproj import CRS

        from hsgeo_sensors.neon.writer import write_neon

        epsg = CRS.from_wkt(scene["spatial_ref"].attrs["crs_wkt"]).to_epsg()
        step = float(scene["x"][1] - scene["x"][0])
        return write_neon(
            path,
            scene["spectra"].values,
            wavelength=scene["wavelength"].values,
            fwhm=scene["fwhm"].values,
            epsg=int(epsg or 0),
            origin=(float(scene["x"][0]) - step / 2, float(scene["y"][0]) + step / 2),
            pixel=step,
        )


class Cube(LazyRaster):
    """Reflectance; the file has rows, columns, bands."""

    def __init__(self, path: Path, dataset: str, shape: tuple[int, int, int], scale: float, ignore: float) -> None:
        super().__init__(path, shape, np.float32)
        self.dataset, self.scale, self.ignore = dataset, scale, ignore

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read one box, bring its bands to the front, and scale it: a quotient, rounded once."""
        assert bands is not None
        with open_hdf5(self.path, WANTED) as file:
            stored = read_bands(file[self.dataset], bands, rows, cols, axis=2)
        stored = _bands_first(stored)
        exact = np.float32(self.scale) == self.scale  # then a float32 quotient is the rounded true one
        out = np.divide(stored, self.scale, dtype=np.float32 if exact else np.float64).astype(np.float32, copy=False)
        np.putmask(out, stored == np.array(self.ignore).astype(stored.dtype), np.nan)
        return out


class _Flags(LazyRaster):
    """Quality bits: a few bands tell where nothing was measured, ATCOR's class map the rest."""

    def __init__(
        self,
        path: Path,
        dataset: str,
        shape: tuple[int, int],
        ignore: float,
        probes: tuple[int, ...],
        classes: tuple[str, tuple[str, ...] | None] | None,
    ) -> None:
        super().__init__(path, shape, np.uint16)
        self.dataset, self.ignore, self.probes, self.classes = dataset, ignore, probes, classes
        self.known = int(Quality.NODATA) | (int(np.bitwise_or.reduce(bit_table(classes[1]))) if classes else 0)

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read the probes and the class map."""
        box = np.s_[rows[0] : rows[1], cols[0] : cols[1]]
        with open_hdf5(self.path, WANTED) as file:
            stored = read_bands(file[self.dataset], np.array(self.probes), rows, cols, axis=2)
            empty = (stored == self.ignore).all(axis=2)
            flags = np.zeros(empty.shape, np.uint16)
            if self.classes:
                flags = bit_table(self.classes[1])[file[self.classes[0]][box]]
        flags[empty] = Quality.NODATA
        return flags


def _bands_first(values: np.ndarray) -> np.ndarray:
    """Turn (rows, columns, bands) around in pieces that stay in the processor's cache: twice as fast as in one."""
    pixels = values.reshape(-1, values.shape[2])
    out = np.empty(pixels.shape[::-1], values.dtype)
    for first in range(0, len(pixels), 256):
        out[:, first : first + 256] = pixels[first : first + 256].T
    return out.reshape(values.shape[2], *values.shape[:2])


def _site(file: Any, path: Path) -> str:
    """Return the group of the site: the one that holds a cube."""
    import h5py

    sites = [name for name in file if isinstance(file.get(f"{name}/{CUBE}"), h5py.Dataset)]
    if len(sites) == 1:
        return sites[0]
    if sites:
        raise SceneError(f"{path} holds the sites {', '.join(sites)}", "one site", "Split the file")
    if any(f"{name}/Radiance" in file for name in file):
        raise SceneError(
            f"{path} is NEON at-sensor radiance (DP1.30008)", WANTED, "Get the reflectance of this flight line"
        )
    if _of_2013(file) or any("Reflectance" in name for name in file):
        said = "is NEON reflectance in the layout of 2013 to 2015, without a group of its site, which is not read"
        raise SceneError(f"{path} {said}", WANTED, "Download its newer release from the NEON data portal")
    raise SceneError(f"{path} has no group <SITE>/{CUBE}", WANTED, "Download it again")


def _of_2013(file: Any) -> bool:
    """Tell NEON's first layout, whatever the file is called: the cube and ENVI's map info lie at the root."""
    import h5py

    cube = file.get("Reflectance")
    return isinstance(cube, h5py.Dataset) and cube.ndim == 3 and any(_plain(name) == "map info" for name in file)


def _bands(group: Any, meta: Any, dataset: Any, path: Path) -> dict[str, Any]:
    """Read what the file says about its bands; the windows of water vapour are bad."""
    if dataset.ndim != 3 or dataset.dtype.kind != "i":
        raise SceneError(
            f"{path} has Reflectance_Data of shape {dataset.shape} and type {dataset.dtype}",
            "whole numbers (line, sample, wavelength)",
            "Download it again",
        )
    centre, width = (_named(meta, f"Spectral_Data/{key}") for key in ("Wavelength", "FWHM"))
    if centre is None or len(np.ravel(centre[()])) != dataset.shape[2]:
        found = "no wavelengths" if centre is None else f"{centre.shape} wavelengths"
        raise SceneError(
            f"{path} has {found} for Reflectance_Data of shape {dataset.shape}",
            "(line, sample, wavelength), with one wavelength for each band",
            "Download it again; this file was written with its axes in another order, or cut",
        )
    centre = np.ravel(centre[()]).astype(np.float64)
    if not (np.isfinite(centre) & (centre > 100)).all():
        raise SceneError(f"{path} has wavelengths from {centre.min():g} to {centre.max():g}", "nanometres")
    fwhm = None if width is None else np.ravel(width[()]).astype(np.float64)
    if fwhm is not None and len(fwhm) != len(centre):  # 421 for 426 in published lines of 2016
        warnings.warn(
            f"{path} has {len(fwhm)} widths for {len(centre)} bands: no width is used", HsgeoWarning, stacklevel=4
        )
        fwhm = None
    good = np.ones(len(centre), bool)
    said = [np.ravel(v).astype(float) for k, v in group.attrs.items() if _plain(k).startswith("band window ")]
    if not said:
        good = default_good(centre)
    for low, high in (window[:2] for window in said):
        good &= (centre < low) | (centre > high)
    return {"wavelength": centre, "fwhm": fwhm, "good": good}


def _class_map(group: Any, dataset: Any, chosen: NeonOptions) -> tuple[tuple[str, Any] | None, str]:
    """Return the class map that gives quality bits and its class names, and what was decided."""
    layers = _named(group, ANCILLARY)
    classes = None if layers is None else _named(layers, "Haze_Cloud_Water_Map")
    nothing = "ignore value of the bands"
    if not chosen.classes or classes is None:
        return None, nothing
    if classes.shape != dataset.shape[:2] or classes.dtype != np.uint8:
        return None, f"{nothing}; Haze_Cloud_Water_Map does not fit the cube"
    twin = _named(layers, "Dark_Dense_Vegetation_Classification")
    if twin is not None and is_vegetation_map(classes, twin):
        return None, f"{nothing}; Haze_Cloud_Water_Map is a copy of the vegetation map in this file"
    names = _named(classes.attrs, "Class_Names")
    listed = None if names is None else tuple(text_of_value(n) for n in np.ravel(names))
    if listed is not None and len(listed) == 1:  # one text with commas, as ENVI headers write it
        listed = tuple(part.strip() for part in listed[0].strip("{}").split(","))
    return (classes.name, listed), f"{nothing}, Haze_Cloud_Water_Map"


def _angles(meta: Any, dataset: Any) -> dict[str, float]:
    """Return the sun's angles (median of the lines) and the view's (centre of the scene)."""
    out = {}
    for key, layer, limit in (("zenith", "Zenith_Angle", 90.0), ("azimuth", "Azimuth_Angle", 360.0)):
        logs = _named(meta, "Logs")
        found = [float(np.ravel(v[()])[0]) for v in _logged(logs, f"Solar_{layer}")] if logs is not None else []
        found = sorted(v for v in found if 0 <= v <= limit)  # lines without a log hold -1
        if found:
            out[f"sun_{key}"] = found[len(found) // 2]
        field = _named(meta, f"to-sensor_{layer}")
        if field is not None and field.shape == dataset.shape[:2]:
            value = float(field[tuple(n // 2 for n in field.shape)])
            if not 0 <= value <= limit:
                values = field[()]
                values = np.sort(values[(values >= 0) & (values <= limit)])
                value = float(values[len(values) // 2]) if len(values) else np.nan
            out[f"view_{key}"] = value
    return out


def _logged(logs: Any, key: str) -> Iterator[Any]:
    """Find a number in the log of a line, or in each line's log of a tile."""
    direct = _named(logs, key)
    if direct is not None:
        yield direct
        return
    for name in logs:
        if hasattr(logs[name], "keys") and (inner := _named(logs[name], key)) is not None:
            yield inner


def _time(meta: Any, path: Path) -> tuple[str | None, dict[str, str]]:
    """Return the time of the line as its name gives it (UTC), and the days of all lines of a tile."""
    logs = _named(meta, "Logs")
    lines = [name for name in (logs or ()) if hasattr(logs[name], "keys")]
    days = sorted({m[1] for name in lines if (m := re.search(r"(20\d{6})(?!\d)", name))})
    brdf = any("brdf" in key.lower() for line in lines for key in logs[line])
    told = {"kind": "bidirectional" if brdf or "bidirectional" in path.name.lower() else "directional"}
    stamp = re.search(r"_(20\d\d)(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)_", path.name)
    if stamp:
        return "{}-{}-{}T{}:{}:{}Z".format(*stamp.groups()), told
    day = re.search(r"_(20\d{6})_", path.name)
    days = days or ([day[1]] if day else [])
    if days:
        told["acquisition_days"] = " ".join(f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in days)
    return None, told


def _plain(key: str) -> str:
    return key.lower().replace("_", " ")


def _named(mapping: Any, path: str) -> Any:
    """Look a key up whatever its case, blanks and underscores are; None where it is missing."""
    for part in path.split("/"):
        key = next((k for k in mapping if _plain(k) == _plain(part)), None) if mapping is not None else None
        if key is None:
            return None
        mapping = mapping[key]
    return mapping


def _text(meta: Any, path: str, name: Path) -> str:
    value = _named(meta, path)
    if value is None:
        raise SceneError(f"{name} lacks Metadata/{path}", "the layout of NEON reflectance", "Download it again")
    return text_of_value(value[()])


def _number(dataset: Any, key: str, path: Path) -> float:
    value = _named(dataset.attrs, key)
    if value is None:
        raise SceneError(
            f"{path} lacks the attribute {key} of Reflectance_Data", "the layout of NEON", "Download it again"
        )
    return float(np.ravel(value)[0])

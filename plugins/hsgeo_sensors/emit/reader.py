"""EMIT L1B radiance and L2A reflectance: netCDF-4 on the sensor grid, with the files that belong to it.

Layout and traps: three groups; spectra last in the cube; fill -9999, and a constant -0.01 in bands that the product
calls bad; a lookup table counted from 1 whose grid, not the swath's, the geotransform describes. Read with h5py only.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.hdf5 import check_unscaled, open_hdf5, sides_of_chunks
from hsgeo_sensors.config import EmitOptions, parse
from hsgeo_sensors.emit.companions import KINDS, NAME, centre_angles, companion, mask_layers, text
from hsgeo_sensors.emit.cube import Cube, Flags
from hsgeo_sensors.emit.grid import geolocation, lookup_table

__all__ = ["EmitReader"]

CUBES = {"reflectance": "L2A", "radiance": "L1B"}
GROUPS = ("location", "sensor_band_parameters")
UNITS = {"uW/cm^2/SR/nm": "uW cm-2 sr-1 nm-1"}  # the product's spelling of what CF writes so
MIRRORED = "as seen by fpa"
HDF5 = b"\x89HDF\r\n\x1a\n"
WANTED = "an EMIT L2A reflectance (RFL) or L1B radiance (RAD) granule"


class EmitReader:
    """Opens EMIT granules of radiance and reflectance."""

    example = "scene.nc"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 2 for EMIT files of any product (those that are no scene get their own message), else 0.

        What was written anew with everything at the root, on the swath or on a map, is left to the CF reader.
        """
        named = False
        try:
            if not path.is_file() or path.suffix.lower() != ".nc":
                return 0
            named = NAME.match(path.name) is not None
            with path.open("rb") as file:
                if file.read(8) != HDF5:
                    return 2 * named
            with open_hdf5(path) as file:
                cube = any(getattr(file.get(name), "ndim", 0) == 3 for name in CUBES)
                grouped = any(name in file for name in GROUPS)
                if named:
                    flat = cube and not grouped and any("wavelen" in name.lower() for name in file)
                    return 0 if flat else 2
                return 2 if cube and grouped and text(file.attrs.get("instrument")) == "EMIT" else 0
        except Exception:  # what cannot be looked at is not ours, but for its name
            return 2 * named

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a granule as a scene on its sensor grid.

        Parameters
        ----------
        path : pathlib.Path
            ``EMIT_L2A_RFL_*.nc`` or ``EMIT_L1B_RAD_*.nc``, under any name.
        options : mapping, optional
            See `hsgeo_sensors.config.EmitOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            ``spectra``, ``quality``, with an uncertainty file ``spectra_std``; coordinates ``lat``, ``lon`` and the
            lookup table ``glt_x``, ``glt_y``, with an observation file the angles of the scene's centre.

        Raises
        ------
        SceneError
            If the file is broken, of another product, or contradicts itself or a companion.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(EmitOptions, options)
        path = Path(path)
        with open_hdf5(path, WANTED) as file:
            meta = _read(file, path)
            lat, lon = geolocation(file, path, meta["shape"])
            lookup = lookup_table(file, path, lat, lon)
        mirrored = _orientation(path, meta["about"], chosen.mirrored)
        given = {"mask": chosen.mask, "uncertainty": chosen.uncertainty, "observation": chosen.observation}
        if meta["quantity"] == "radiance":
            if isinstance(chosen.uncertainty, Path):
                raise ConfigError(f"uncertainty={chosen.uncertainty}, and {path.name} is radiance", "uncertainty=none")
            given["uncertainty"] = "none"
        found = {
            kind: companion(kind, given[kind], path=path, about=meta["about"], shape=meta["shape"]) for kind in KINDS
        }
        return _scene(path, meta, found, chosen, mirrored, (lat, lon, lookup), chunks)

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as a granule of this format, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.nc``.
        scene : xarray.Dataset
            Reflectance in the scene convention, on a projected grid; its pixels become the swath's.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from affine import Affine

        from hsgeo_sensors.emit.writer import Acquisition, write_emit

        x, y = (scene[name].values.astype(float) for name in ("x", "y"))
        dx, dy = x[1] - x[0], y[1] - y[0]
        acquisition = Acquisition(
            shape=(len(y), len(x)),
            crs=scene["spatial_ref"].attrs["crs_wkt"],
            transform=Affine(dx, 0, x[0] - dx / 2, 0, dy, y[0] - dy / 2),
            cell=abs(dy) / 111_195,  # metres of one degree of latitude on a sphere of 6371 km
        )
        return write_emit(
            path,
            scene["spectra"].values,
            wavelength=scene["wavelength"].values,
            fwhm=scene["fwhm"].values,
            good=scene["good"].values if "good" in scene.coords else None,
            acquisition=acquisition,
        )


def _source(mask: Path | None, chosen: EmitOptions) -> str:
    """Say where the quality bits come from."""
    if mask is not None:
        return mask.name
    why = "mask=none" if chosen.mask == "none" else "no EMIT_L2A_MASK file was found; -o reader.mask=PATH names one"
    return f"fill values of the cube; no clouds, cloud shadows or cirrus: {why}"


def _scene(
    path: Path,
    meta: Mapping[str, Any],
    found: Mapping[str, Path | None],
    chosen: EmitOptions,
    mirrored: bool,
    place: tuple[Any, Any, Any],
    chunks: Mapping[Hashable, int] | None,
) -> xr.Dataset:
    """Put the parts together, and tell where each came from."""
    bands = len(meta["wavelength"])
    mask, uncertainty, observation = (found.get(kind) for kind in ("mask", "uncertainty", "observation"))
    drop = chosen.interpolated == "mask"
    if drop and mask is None:
        raise ConfigError(
            f"interpolated='mask' needs the mask file of {path.name}, and there is none beside it",
            "an EMIT_L2A_MASK file",
            "Give it with mask=, or leave interpolated at 'keep'",
        )
    layers = None if mask is None else mask_layers(mask, bands=bands, interpolated=drop)
    bad = None if meta["good"] is None else ~meta["good"]
    shape = (bands, *meta["shape"])
    cube = Cube(path, meta["quantity"], shape, meta["fill"], bad=bad, mirrored=mirrored, packed=mask if drop else None)
    std = None
    if uncertainty is not None:
        fill = _cube(uncertainty, "reflectance_uncertainty", shape)
        std = Cube(uncertainty, "reflectance_uncertainty", shape, fill, mirrored=mirrored, positive=True)
    usable = np.ones(bands, bool) if meta["good"] is None else meta["good"]
    probe = int(np.flatnonzero(usable)[usable.sum() // 4]) if usable.any() else 0  # near infrared
    lat, lon, lookup = place
    attrs = {
        "sensor": "EMIT",
        "product_id": path.stem,
        "processing_level": CUBES[meta["quantity"]],
        "quality_source": _source(mask, chosen),
        "uncertainty_source": uncertainty.name if uncertainty is not None else None,
        "georeferencing": "lat and lon of each pixel; no lookup table" if lookup is None else None,
        "observation_source": observation.name if observation is not None else None,
        "crosstrack_orientation": meta["about"]["crosstrack_orientation"] or None,
    }
    blocks = meta["blocks"]
    told = {"scale_source": "stored in physical units"} | ({"mirrored": "across track"} if mirrored else {})
    return assemble(
        cube,
        wavelength=meta["wavelength"],
        fwhm=meta["fwhm"],
        good=meta["good"],
        quality=Flags(path, meta["quantity"], meta["shape"], meta["fill"], probe, mask, layers, mirrored=mirrored),
        std=std,
        lat=lat,
        lon=lon,
        lookup=lookup,
        angles=None if observation is None else centre_angles(observation),
        time=meta["about"]["time_coverage_start"],
        quantity=meta["quantity"],
        units=meta["units"],
        attrs={key: value for key, value in attrs.items() if value is not None},
        spectra_attrs=told,
        # counted from the other side, chunks that do not fill the width begin elsewhere
        blocks=blocks if blocks and not (mirrored and meta["shape"][1] % blocks[1]) else None,
        chunks=chunks,
    )


def _read(file: Any, path: Path) -> dict[str, Any]:
    """Read what there is to know but pixels and places."""
    quantity = next((name for name in CUBES if name in file), None)
    if quantity is None:
        named = NAME.match(path.name)
        kind = f"an EMIT {named['level']} {named['product']} file" if named else f"a file with {sorted(file)}"
        helper = {product: kind for kind, (_, product) in KINDS.items()}.get(named["product"].upper() if named else "")
        do = (
            f"Open the RFL or RAD granule beside it: this one is then found, or give it with {helper}="
            if helper
            else "Open the RFL or RAD granule of this acquisition"
        )
        raise SceneError(f"{path} is {kind}, without reflectance or radiance", WANTED, do)
    cube = file[quantity]
    fill = _cube_fill(cube, path, quantity)
    height, width, bands = cube.shape
    lists = []
    for name in ("wavelengths", "fwhm"):
        values = file.get(f"sensor_band_parameters/{name}")
        if values is None or values.shape != (bands,) or values.dtype.kind != "f":
            said = "nothing" if values is None else f"{values.dtype} {values.shape}"
            raise SceneError(
                f"{path} has {said} at sensor_band_parameters/{name}", f"{bands} floats, nm", "Download it again"
            )
        lists.append(values[:].astype(np.float64))
    good = file.get("sensor_band_parameters/good_wavelengths")
    if good is not None and good.shape != (bands,):
        raise SceneError(
            f"{path} flags {good.shape} bands of {bands}", "one good_wavelengths each", "Download it again"
        )
    names = ("flight_line", "time_coverage_start", "crosstrack_orientation", "software_build_version")
    stored = text(cube.attrs.get("units"))
    return {
        "quantity": quantity,
        "shape": (height, width),
        "fill": fill,
        "blocks": sides_of_chunks(cube, 0, 1),
        "wavelength": lists[0],
        "fwhm": np.where(lists[1] > 0, lists[1], np.nan),
        "good": None if good is None else good[:] == 1,  # 0 bad, 241 never set
        "units": None if quantity == "reflectance" else UNITS.get(stored, stored) or None,
        "about": {name: text(file.attrs.get(name)) for name in names},
    }


def _cube_fill(cube: Any, path: Path, name: str) -> float:
    """Check dtype and dimensions of a cube; return its fill value."""
    if cube.ndim != 3 or cube.dtype != np.float32:
        raise SceneError(
            f"{path} has {name} of {cube.dtype} {cube.shape}",
            "float32 (downtrack, crosstrack, bands)",
            "Download it again; convert other layouts with xarray and .hsu.standardize(...)",
        )
    if "_FillValue" not in cube.attrs:
        raise SceneError(f"{path} does not say the _FillValue of {name}", "-9999 in the product", "Download it again")
    check_unscaled(cube)
    return float(np.ravel(cube.attrs["_FillValue"])[0])


def _cube(path: Path, name: str, shape: tuple[int, int, int]) -> float:
    """Check a companion's cube against the granule's; return its fill value."""
    with open_hdf5(path, "an EMIT file") as file:
        fill = _cube_fill(file[name], path, name)
        if file[name].shape[2] != shape[0]:
            raise SceneError(f"{path} has {file[name].shape[2]} bands, not {shape[0]}", "those of the granule")
        return fill


def _orientation(path: Path, about: Mapping[str, str], chosen: bool | None) -> bool:
    """Decide if the cube is mirrored against its geolocation; warn where only the user can know.

    Lat, lon and table come from one computation, so nothing in the file can prove it: the text of the attribute is all.
    """
    if chosen is None and about["crosstrack_orientation"].lower() == MIRRORED:
        warnings.warn(
            HsgeoWarning(
                f"{path.name} (software build {about['software_build_version'] or 'unknown'}) says that its columns "
                f"are {MIRRORED!r}. Some such granules are mirrored across track against their geolocation. "
                "Compare with a map, then give mirrored=true or mirrored=false"
            ),
            stacklevel=4,
        )
    return bool(chosen)

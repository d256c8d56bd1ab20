"""Look before you read: what a file is, what a product says in sum, and its picture."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rioxarray  # noqa: F401 - registers .rio
import xarray as xr

from hsgeo.errors import ProductError
from hsgeo.product.opening import open_product, unfinished
from hsgeo.scene import check_scene, open_scene

__all__ = ["describe", "describe_scene", "draw", "summarise"]

_ANGLES = ("sun_zenith", "sun_azimuth", "view_zenith", "view_azimuth")
_COMMON = (
    *("source", "sensor", "product_id", "time", "size", "quantity", "units", "wavelength", "good_bands"),
    *("crs", "transform", "bounds", "quality", "uncompressed_bytes"),
)
_WHOLE = 2_000_000  # pixels whose lat and lon are read at once, 16 MB each: beyond it rows that stand for all
_ROWS = 17
_SAID = (
    *("sensor", "product_id", "processing_level", "acquisition_days", "quality_source", "quality_flags"),
    *("quantity", "units", "scale_source", "long_name", "grid_mapping", "Conventions"),
)


def describe(
    path: str | Path, *, reader: str | None = None, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Tell what a file is: a scene, or a product; pixels of a scene are not read.

    Parameters
    ----------
    path : path
        The file.
    reader : str, optional
        Reader, where several know the file.
    options : mapping, optional
        Of the reader; they say that it is a scene.

    Returns
    -------
    dict
        Facts by name; ``kind`` is ``"scene"`` or ``"product"``, ``next`` the command that unmixes a scene.
    """
    path = Path(path)
    if reader is None and not options:
        if unfinished(path) is not None:
            open_product(path)  # says how far it is and what to do
        try:
            product = open_product(path)
        except ProductError:
            pass
        else:
            return _describe_product(product)
    scene = describe_scene(open_scene(path, reader=reader, options=options, chunks=None))
    words = ["hsgeo", "unmix", "--input", str(path), "--out", "abund.zarr"]
    words += ["--reader", reader] if reader else []
    for key, value in (options or {}).items():
        words += ["-o", f"reader.{key}={value if isinstance(value, str) else json.dumps(value)}"]
    words += ["-o", "scene.radiance=true"] if scene["quantity"] == "radiance" else []
    return {"kind": "scene", **scene, "next": shlex.join(words)}


def _describe_product(product: xr.Dataset) -> dict[str, Any]:
    record = json.loads(str(product.attrs.get("hsgeo_provenance", "{}")))
    return {
        "kind": "product",
        "source": product.encoding.get("source"),
        "size": {dim: int(product.sizes[dim]) for dim in ("endmember", "y", "x")},
        "variables": ", ".join(str(name) for name in product.data_vars),
        **_place(product),
        **{key: record[key] for key in ("georeferencing", "georeferenced_before") if key in record},
        **{key: product.attrs.get(key) for key in ("sum", "scale", "shade", "sensor", "product_id", "history")},
        **summarise(product),
    }


def describe_scene(scene: xr.Dataset) -> dict[str, Any]:
    """Tell what a scene is, without reading its pixels.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene.

    Returns
    -------
    dict
        Sensor, level, size, bands, what is known of values and quality, where it lies, angles, and what else the reader
        says. Facts that a scene does not have are left out, but for the common ones, which are None.
    """
    check_scene(scene)
    spectra = scene["spectra"].attrs
    told = {str(k): v for k, v in scene.attrs.items() if k not in _SAID}
    told |= {str(k): v for k, v in spectra.items() if k not in _SAID}
    found = {
        "source": scene.encoding.get("source"),
        "sensor": scene.attrs.get("sensor"),
        "product_id": scene.attrs.get("product_id"),
        "processing_level": scene.attrs.get("processing_level"),
        "time": str(scene["time"].values) if "time" in scene.coords else scene.attrs.get("acquisition_days"),
        "size": {dim: int(scene.sizes[dim]) for dim in ("band", "y", "x")},
        "quantity": spectra.get("quantity"),
        "units": spectra.get("units"),
        "radiance": _RADIANCE if spectra.get("quantity") == "radiance" else None,
        "scale_source": spectra.get("scale_source"),
        **_bands(scene),
        **_place(scene),
        "extent": _extent(scene),
        **_quality(scene),
        "spectra_std": "spectra_std" in scene,
        "angles": {n: float(scene[n].values) for n in _ANGLES if n in scene.coords and scene[n].ndim == 0},
        "uncompressed_bytes": int(scene["spectra"].size) * 4,
        "also": {key: value for key, value in told.items() if np.size(value) == 1 and value is not None},
    }
    return {key: value for key, value in found.items() if key in _COMMON or value not in (None, {}, [])}


_RADIANCE = "unmixing needs -o scene.radiance=true; endmembers are then radiances, too"


def _quality(scene: xr.Dataset) -> dict[str, Any]:
    """Tell which flags there are, where they come from, and which of them leave a pixel out."""
    from hsgeo.plugin.quality import Quality, flags_known
    from hsgeo.stages.recipe import SceneOptions

    there = "quality" in scene
    said = scene.attrs.get("quality_source")
    known = flags_known(scene)
    return {
        "quality": there,
        "quality_source": said if said or there else "none: no mask in the file or beside it, so clouds are not known",
        "quality_flags": scene.attrs.get("quality_flags"),
        "flags_known": [name for flag in Quality if (name := str(flag.name).lower()) in known] if known else None,
        "default_mask": list(SceneOptions().mask) if there else None,
    }


def _extent(scene: xr.Dataset) -> list[float] | None:
    """Return west, south, east, north in degrees; west > east across the antimeridian, as `subset` takes a box."""
    from pyproj import CRS

    from hsgeo.api.subset import _bounds_of_grid
    from hsgeo.product.placement import find_placement

    where = find_placement(scene)
    if where.crs is not None and where.transform is not None:
        found = _bounds_of_grid(where, CRS.from_epsg(4326), None)
    elif all(name in scene.coords and scene[name].dims == ("y", "x") for name in ("lat", "lon")):
        lat, lon = (_of_swath(scene[name]) for name in ("lat", "lon"))
        known = (np.abs(lat) <= 90) & (np.abs(lon) <= 360)  # neither fill values nor NaN
        if not known.any():
            return None
        lat, lon = lat[known], lon[known]
        lon = lon[0] + (lon - lon[0] + 180) % 360 - 180
        found = (float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
    else:
        return None
    west, south, east, north = found
    if not np.isfinite(found).all():
        return None
    return [(west + 180) % 360 - 180, south, 180 - (180 - east) % 360, north] if east - west < 360 else list(found)


def _of_swath(values: xr.DataArray) -> np.ndarray:
    """Read latitudes or longitudes; of a large scene the first row, the last, and some between: edges bulge little."""
    if values.size <= _WHOLE:
        return np.asarray(values.values, np.float64)
    rows = np.unique(np.linspace(0, values.sizes["y"] - 1, _ROWS).round().astype(int))
    # one by one: a list of rows is read as everything from the first to the last
    return np.stack([np.asarray(values[int(row)].values, np.float64) for row in rows])


def _bands(scene: xr.Dataset) -> dict[str, Any]:
    wavelength, band = scene["wavelength"].values, scene["band"].values
    good = scene["good"].values if "good" in scene.coords else None
    gone = sorted(set(range(1, int(band.max()) + 1)) - {int(n) for n in band}) if band.dtype.kind in "iu" else []
    fwhm = scene["fwhm"].values if "fwhm" in scene.coords else np.array([np.nan])
    fwhm = fwhm[np.isfinite(fwhm)]
    out: dict[str, Any] = {
        "wavelength": [float(wavelength.min()), float(wavelength.max())],
        "fwhm": [float(fwhm.min()), float(fwhm.max())] if fwhm.size else None,
        "good_bands": int(good.sum()) if good is not None else None,
        "bands_left_out": f"{len(gone)} of the product: {_runs(gone)}" if gone else None,
    }
    if good is not None and not good.all():
        out["bad_bands"] = _runs([int(n) for n in band[~good]]) if band.dtype.kind in "iu" else int((~good).sum())
        edges = np.flatnonzero(np.diff(np.concatenate([[0], ~good, [0]])))
        out["bad_wavelengths"] = [
            [float(wavelength[low]), float(wavelength[after - 1])]
            for low, after in zip(edges[::2], edges[1::2], strict=True)
        ]
        out["bad_bands_source"] = _why_bad(wavelength, good)
    if "detector" in scene.coords:
        names, counts = np.unique(scene["detector"].values.astype(str), return_counts=True)
        out["detectors"] = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return out


def _why_bad(wavelength: np.ndarray, good: np.ndarray) -> str:
    """Compare with the default rule: readers do not say whether they followed it."""
    from hsgeo.spectra.absorption import default_good

    rule = default_good(wavelength)
    if (good == rule).all():
        return "the default rule (1340-1460, 1790-1970, above 2450 nm)"
    if not (good & ~rule).any():
        more = np.count_nonzero(rule & ~good)
        return f"the file: {more} more than by the default rule (1340-1460, 1790-1970, above 2450 nm)"
    return "the file, in place of the default rule (1340-1460, 1790-1970, above 2450 nm)"


def _runs(numbers: list[int]) -> str:
    """Write ``1-3, 7`` for 1, 2, 3, 7."""
    numbers = sorted(numbers)
    breaks = [0, *(k for k in range(1, len(numbers)) if numbers[k] != numbers[k - 1] + 1), len(numbers)]
    ends = [(numbers[a], numbers[b - 1]) for a, b in pairwise(breaks)]
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ends)


def _place(scene: xr.Dataset) -> dict[str, Any]:
    """Tell where a scene lies; a swath by its geolocation, whose arrays are not read."""
    from hsgeo.product.georeferencing_grid import lookup_grid
    from hsgeo.product.placement import find_placement

    where = find_placement(scene)
    out: dict[str, Any] = {
        "crs": where.crs.to_string() if where.crs is not None else None,
        "transform": [float(v) for v in where.transform] if where.transform is not None and where.crs else None,
        "bounds": where.attrs().get("spatial:bbox") if where.crs is not None else None,
    }
    if where.rotated and where.transform is not None:
        a, _, _, d, _, _ = where.transform
        angle = np.degrees(np.arctan2(d, a))
        way = "clockwise" if angle < 0 else "counter-clockwise"
        out["rotated"] = f"{abs(angle):.4g} degrees {way}; the grid is not north up"
    if all(name in scene.coords and scene[name].dims == ("y", "x") for name in ("lat", "lon")):
        out["geolocation"] = "lat, lon of pixel centres"
    if "glt_x" in scene.coords and "glt_y" in scene.coords:
        grid = lookup_grid(scene)
        assert grid.transform is not None
        size = f"{grid.shape[0]} x {grid.shape[1]} cells of {abs(grid.transform[0]):.6g}"
        crs = grid.crs.to_authority()
        out["lookup_table"] = f"{size}, {':'.join(crs) if crs else grid.crs.to_string()[:40]}"
    if where.crs is None:
        swath = "geolocation" in out or "lookup_table" in out
        out["grid"] = (
            f"of the sensor (swath); {'hsgeo unmix --grid or ' * ('spectra' in scene)}hsgeo georeference brings "
            "products onto a map"
            if swath
            else "nothing says where on the Earth the pixels lie; a product cannot be brought onto a map"
        )
    return out


def summarise(product: xr.Dataset) -> dict[str, Any]:
    """Sum a product up: mean abundances, rmse, and how many pixels are what.

    Parameters
    ----------
    product : xarray.Dataset
        From `open_product`; read once, chunk by chunk.

    Returns
    -------
    dict
        ``endmembers`` (mean abundance by name), ``rmse`` (mean over the usable pixels),
        ``usable``, ``pixels``, and ``flags`` (pixels by quality flag).
    """
    from dask.base import compute

    from hsgeo.plugin.quality import Quality

    quality = product["quality"]
    counts = {flag.name.lower(): ((quality & np.uint16(flag)) != 0).sum() for flag in Quality if flag.name}
    means = product["abundance"].mean(("y", "x"), skipna=True)
    done = compute(means, product["rmse"].mean(skipna=True), counts, np.isfinite(product["rmse"]).sum())
    mean, rmse, flags, usable = done
    return {
        "endmembers": {
            str(name): float(value) for name, value in zip(mean["endmember"].values, mean.values, strict=True)
        },
        "rmse": float(rmse),
        "usable": int(usable),
        "pixels": int(quality.size),
        "flags": {name: int(value) for name, value in flags.items() if int(value)},
    }


def draw(product: xr.Dataset, path: str | Path, *, scene: xr.Dataset | None = None) -> None:
    """Draw the maps and spectra of a product as a PNG.

    Parameters
    ----------
    product : xarray.Dataset
        From `open_product`.
    path : path
        The PNG.
    scene : xarray.Dataset, optional
        Its scene, for a colour picture beside the maps.
    """
    from hsgeo.product.picture import picture

    picture(product, path, scene=scene)

"""Look before you read: what a file is, what a product says in sum, and its picture."""

from __future__ import annotations

import json
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
_SAID = (
    *("sensor", "product_id", "processing_level", "acquisition_days", "quality_source", "quality_flags"),
    *("quantity", "units", "scale_source", "long_name", "grid_mapping", "Conventions"),
)


def describe(path: str | Path, *, reader: str | None = None) -> dict[str, Any]:
    """Tell what a file is: a scene, or a product; pixels of a scene are not read.

    Parameters
    ----------
    path : path
        The file.
    reader : str, optional
        Reader, where several know the file.

    Returns
    -------
    dict
        Facts by name; ``kind`` is ``"scene"`` or ``"product"``.
    """
    path = Path(path)
    if reader is None:
        if unfinished(path) is not None:
            open_product(path)  # says how far it is and what to do
        try:
            product = open_product(path)
        except ProductError:
            pass
        else:
            return _describe_product(product)
    return {"kind": "scene"} | describe_scene(open_scene(path, reader=reader, chunks=None))


def _describe_product(product: xr.Dataset) -> dict[str, Any]:
    record = json.loads(str(product.attrs.get("hsgeo_provenance", "{}")))
    return {
        "kind": "product",
        "source": product.encoding.get("source"),
        "size": {dim: int(product.sizes[dim]) for dim in ("endmember", "y", "x")},
        "variables": ", ".join(str(name) for name in product.data_vars),
        **_place(product),
        **({"georeferencing": record["georeferencing"]} if "georeferencing" in record else {}),
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
        "scale_source": spectra.get("scale_source"),
        **_bands(scene),
        **_place(scene),
        "quality": "quality" in scene,
        "quality_source": scene.attrs.get("quality_source"),
        "quality_flags": scene.attrs.get("quality_flags"),
        "spectra_std": "spectra_std" in scene,
        "angles": {n: float(scene[n].values) for n in _ANGLES if n in scene.coords and scene[n].ndim == 0},
        "uncompressed_bytes": int(scene["spectra"].size) * 4,
        "also": {key: value for key, value in told.items() if np.size(value) == 1 and value is not None},
    }
    return {key: value for key, value in found.items() if key in _COMMON or value not in (None, {}, [])}


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
    if "detector" in scene.coords:
        names, counts = np.unique(scene["detector"].values.astype(str), return_counts=True)
        out["detectors"] = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return out


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
        out["rotated"] = f"{np.degrees(np.arctan2(d, a)):.4g} degrees counter-clockwise; the grid is not north up"
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
            "of the sensor (swath); hsgeo georeference brings products onto a map"
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

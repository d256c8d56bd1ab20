"""Look before you read: what a file is, what a product says in sum, and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rioxarray  # noqa: F401 - registers .rio
import xarray as xr

from hsgeo.errors import ProductError
from hsgeo.product.opening import open_product, unfinished
from hsgeo.scene import check_scene, open_scene

__all__ = ["describe", "describe_scene", "draw", "summarise"]


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
    crs = product.rio.crs
    return {
        "kind": "product",
        "source": product.encoding.get("source"),
        "size": {dim: int(product.sizes[dim]) for dim in ("endmember", "y", "x")},
        "variables": ", ".join(str(name) for name in product.data_vars),
        "crs": crs.to_string() if crs is not None else None,
        "transform": [float(v) for v in product.rio.transform()[:6]] if crs is not None else None,
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
        Sensor, size, bands, wavelength range, quantity, CRS, transform, bounds, time, product id.
    """
    check_scene(scene)
    wavelength = scene["wavelength"].values
    good = scene["good"].values if "good" in scene.coords else None
    crs = scene.rio.crs
    return {
        "source": scene.encoding.get("source"),
        "sensor": scene.attrs.get("sensor"),
        "product_id": scene.attrs.get("product_id"),
        "time": str(scene["time"].values) if "time" in scene.coords else None,
        "size": {dim: int(scene.sizes[dim]) for dim in ("band", "y", "x")},
        "quantity": scene["spectra"].attrs.get("quantity"),
        "units": scene["spectra"].attrs.get("units"),
        "wavelength": [float(wavelength.min()), float(wavelength.max())],
        "good_bands": int(good.sum()) if good is not None else None,
        "crs": crs.to_string() if crs is not None else None,
        "transform": [float(v) for v in scene.rio.transform()[:6]] if crs is not None else None,
        "bounds": [float(v) for v in scene.rio.bounds()]
        if crs is not None and min(scene.sizes["y"], scene.sizes["x"]) > 1
        else None,
        "quality": "quality" in scene,
        "uncompressed_bytes": int(scene["spectra"].size) * 4,
    }


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
    import numpy as np
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

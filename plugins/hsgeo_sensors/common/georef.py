"""Where the pixels lie: y, x and spatial_ref of a scene, so that the CRS survives every way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["georeference", "quiet_crs"]


def georeference(scene: xr.Dataset, height: int, width: int, *, crs: Any, transform: Any) -> xr.Dataset:
    """Give a scene its ``y``, ``x`` and ``spatial_ref``.

    North-up and other unrotated grids get the map coordinates of pixel centres. Rotated grids get integers from 0 and
    keep the affine in ``spatial_ref``. Without a transform, y and x are the centres of unit pixels (0.5, 1.5, ...),
    which is what the identity transform means.

    Parameters
    ----------
    scene : xarray.Dataset
        With dims ``y`` and ``x``.
    height, width : int
        Of the grid, pixels.
    crs : object or None
        Anything rasterio takes for a CRS.
    transform : affine.Affine or None
        From (column, row) of pixel corners to map coordinates.

    Returns
    -------
    xarray.Dataset
        With coordinates, and ``grid_mapping`` in the attributes of every raster (in ``encoding`` it would get lost).
    """
    x: np.ndarray
    y: np.ndarray
    rotated = transform is not None and (transform.b != 0 or transform.d != 0)
    if rotated:
        x, y = np.arange(width, dtype=np.int64), np.arange(height, dtype=np.int64)
    elif transform is not None:
        x = transform.c + transform.a * (np.arange(width) + 0.5)
        y = transform.f + transform.e * (np.arange(height) + 0.5)
    else:
        x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    names = ({"long_name": "row"}, {"long_name": "column"}) if rotated or transform is None else ({}, {})
    scene = scene.assign_coords(y=("y", y, names[0]), x=("x", x, names[1]))
    if transform is None and crs is None:
        return scene
    import rioxarray  # noqa: F401  registers .rio

    if crs is not None:
        scene = scene.rio.write_crs(crs)
    if transform is not None:
        scene = scene.rio.write_transform(transform)
    if crs is not None and not rotated:
        scene = scene.rio.write_coordinate_system()
    for variable in scene.data_vars.values():
        variable.encoding.pop("grid_mapping", None)
        if variable.dims[-2:] == ("y", "x"):
            variable.attrs["grid_mapping"] = "spatial_ref"
    return scene


def quiet_crs(make: Callable[[Any], Any], text: Any) -> Any:
    """Make a CRS, without the lines that GDAL writes to standard error where it cannot.

    Parameters
    ----------
    make : callable
        A constructor of ``rasterio.crs.CRS``.
    text : str or int
        What it takes.

    Returns
    -------
    rasterio.crs.CRS
        What was made; errors are the constructor's.
    """
    from rasterio import Env

    with Env():  # sends GDAL's words to the log
        return make(text)

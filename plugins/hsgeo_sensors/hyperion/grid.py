"""The map grid of a Hyperion L1T product, and the checks that its GeoTIFFs and its metadata file say one thing."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.bundle import Bundle
from hsgeo_sensors.common.tiff import open_tiff
from hsgeo_sensors.hyperion.mtl import Mtl

__all__ = ["check_grid"]

AGAIN = "Download the product again"


def check_grid(product: Bundle, bands: dict[int, str], meta: Mtl, *, strict: bool) -> tuple[tuple[int, int], Any, Any]:
    """Return the grid of a product, after checking it.

    Parameters
    ----------
    product : Bundle
        The files.
    bands : dict of int to str
        The file of each band.
    meta : Mtl
        The metadata file.
    strict : bool
        Whether a size or corners in the metadata file that contradict the GeoTIFFs are an error.

    Returns
    -------
    (rows, columns), rasterio.crs.CRS, affine.Affine
        The transform maps (column, row) of pixel corners.

    Raises
    ------
    SceneError
        If a band is no int16 GeoTIFF on a map grid, bands differ or are cut short, or the corners are elsewhere.
    """
    first, last = min(bands), max(bands)  # one of each detector
    grid = _grid(product, bands[first])
    if _grid(product, bands[last]) != grid:
        raise SceneError(f"{meta.name}: bands {first} and {last} lie on different grids", "one grid", AGAIN)
    shape, crs, transform, compressed = grid
    if not compressed:
        least = 2 * shape[0] * shape[1]  # bytes of the pixels alone
        short = [name for name in bands.values() if product.sizes[name] < least]
        if short:
            raise SceneError(
                f"{product.source} has {len(short)} files that are cut short, {PurePosixPath(short[0]).name} first "
                f"({product.sizes[short[0]]} bytes)",
                f"{shape[0]} x {shape[1]} pixels, at least {least} bytes",
                AGAIN,
            )
    lines, samples = meta.optional("PRODUCT_LINES"), meta.optional("PRODUCT_SAMPLES")
    if strict and np.isfinite([lines, samples]).all() and (lines, samples) != shape:
        raise SceneError(
            f"{meta.name} says {lines:g} lines and {samples:g} samples, its GeoTIFFs have {shape[0]} x {shape[1]}",
            "the same",
            f"{AGAIN}; if they were cut and you trust them, open it with the reader option check_grid=false",
        )
    if strict:
        _check_corners(meta, shape, transform)
    return shape, crs, transform


def _grid(product: Bundle, name: str) -> tuple[tuple[int, int], Any, Any, bool]:
    from rasterio.errors import RasterioError

    path, short = product.path(name), PurePosixPath(name).name
    try:
        with open_tiff(path) as file:  # a file without a grid gets an error of ours below
            found = file.shape, file.crs, file.transform, file.compression is not None
            kinds = file.count, file.dtypes[0]
    except RasterioError as error:
        raise SceneError(f"{product.source}: {short} is no readable TIFF: {error}", "a GeoTIFF", AGAIN) from error
    if kinds != (1, "int16"):
        raise SceneError(f"{product.source}: {short} holds {kinds[0]} bands of {kinds[1]}", "one of int16", AGAIN)
    if found[1] is None or found[2].is_identity or found[2].b or found[2].d or found[2].e >= 0:
        raise SceneError(f"{product.source}: {short} is on no map grid that runs north to south", "a GeoTIFF", AGAIN)
    return found


def _check_corners(meta: Mtl, shape: tuple[int, int], transform: Any) -> None:
    """Compare the corners in the metadata with the GeoTIFFs.

    The metadata do not say whether corners are pixel centres or pixel edges; their span does.
    """
    named = {c: [meta.optional(f"PRODUCT_{c}_CORNER_MAP{a}") for a in "XY"] for c in ("UL", "UR", "LL", "LR")}
    if not np.isfinite(list(named.values())).all():
        return  # nothing to compare
    rows, cols = shape
    for inset in (0.5, 0.0):  # pixels: centres, edges
        place = {"U": inset, "D": rows - inset, "L": inset, "R": cols - inset}
        wanted = {
            c: (
                transform.c + place["L" if c[1] == "L" else "R"] * transform.a,
                transform.f + place["U" if c[0] == "U" else "D"] * transform.e,
            )
            for c in named
        }
        off = max(abs(named[c][i] - wanted[c][i]) for c in named for i in (0, 1))
        if off <= 0.1 * abs(transform.a):
            return
    east, north = (np.array([named["UL"][i], named["LR"][i]]) for i in (0, 1))
    raise SceneError(
        f"{meta.name} has corners from ({east[0]:.1f}, {north[0]:.1f}) to ({east[1]:.1f}, {north[1]:.1f}), and the "
        f"GeoTIFFs {rows} x {cols} pixels of {transform.a:g} m from ({transform.c:.1f}, {transform.f:.1f})",
        "corners that are pixel centres or pixel edges of the GeoTIFFs",
        "If you trust the GeoTIFFs, open it with the reader option check_grid=false",
    )

"""One grid for product and truth: the same pixels where the grids agree, else area averages on the coarser one."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.product.placement import Placement, find_placement

__all__ = ["align", "area_average"]

_SAME = 1e-3  # of a pixel: two grids this close are one
_COARSER = 1.5  # times the product's pixel side: then the product is averaged onto the truth's pixels instead
_WHOLE = 0.99  # of a pixel's area with values: less is no average of the pixel


def align(product: xr.Dataset, truth: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset, str]:
    """Bring a product and a truth on the same pixels.

    Parameters
    ----------
    product : xarray.Dataset
        ``abundance (endmember, y, x)`` and other variables on ``(..., y, x)``.
    truth : xarray.Dataset
        ``abundance (endmember, y, x)``; placed on the Earth, or not.

    Returns
    -------
    product, truth : xarray.Dataset
        Of one size, pixel by pixel.
    how : str
        What was done, for the report: ``"same pixels"``, ``"same grid, the part both cover"``, or what was averaged.

    Raises
    ------
    ConfigError
        The sizes differ and one of them has no place on the Earth, or they do not overlap.
    """
    here, there = find_placement(product), find_placement(truth)
    if here.crs is None or there.crs is None or here.transform is None or there.transform is None:
        if here.shape == there.shape:
            return product, truth, "same pixels, by position"
        without = "the truth" if there.crs is None or there.transform is None else "the product"
        raise ConfigError(
            f"the product has {here.shape[0]} x {here.shape[1]} pixels, the truth {there.shape[0]} x {there.shape[1]}, "
            f"and {without} has no place on the Earth",
            "the same rows and columns, or two georeferenced rasters",
            "Give the truth as a GeoTIFF with its CRS, or cut it to the product's pixels",
        )
    if _same_crs(here.crs, there.crs) and not here.rotated and not there.rotated:
        offset = _lattice_offset(here, there)
        if offset is not None:
            return _common_part(product, truth, offset)
    return _averaged(product, truth, here, there)


def _same_crs(one: Any, other: Any) -> bool:
    """Tell whether two reference systems are one; old WKT may lack the EPSG code that new WKT has."""
    return bool(one == other or (one.to_epsg() is not None and one.to_epsg() == other.to_epsg()))


def _lattice_offset(here: Placement, there: Placement) -> tuple[int, int] | None:
    """Return the product's row and column of the truth's first pixel; None where pixels do not coincide."""
    assert here.transform is not None
    assert there.transform is not None
    a, _, c, _, e, f = here.transform
    a2, _, c2, _, e2, f2 = there.transform
    rows, cols = there.shape
    if abs(a2 - a) * cols > _SAME * abs(a) or abs(e2 - e) * rows > _SAME * abs(e):
        return None
    col, row = (c2 - c) / a, (f2 - f) / e
    if abs(col - round(col)) > _SAME or abs(row - round(row)) > _SAME:
        return None
    return round(row), round(col)


def _common_part(product: xr.Dataset, truth: xr.Dataset, offset: tuple[int, int]) -> tuple[xr.Dataset, xr.Dataset, str]:
    here, there = {}, {}
    for dim, start in zip(("y", "x"), offset, strict=True):
        first, last = max(0, start), min(product.sizes[dim], start + truth.sizes[dim])
        if first >= last:
            raise _no_overlap()
        here[dim], there[dim] = slice(first, last), slice(first - start, last - start)
    whole = product.sizes["y"], product.sizes["x"]
    cut = product.isel(here)
    same = (cut.sizes["y"], cut.sizes["x"]) == whole == (truth.sizes["y"], truth.sizes["x"])
    return cut, truth.isel(there), "same pixels" if same else "same grid, the part both cover"


def _averaged(
    product: xr.Dataset, truth: xr.Dataset, here: Placement, there: Placement
) -> tuple[xr.Dataset, xr.Dataset, str]:
    ratio = _side_ratio(here, there)
    if ratio > _COARSER:
        names = [name for name in ("abundance", "abundance_std") if name in product]
        moved = _onto(product[names], here, there)
        how = f"product averaged onto the truth's pixels, {ratio:.3g} times as wide"
        product, truth = _only_rasters_moved(product, moved), truth
    else:
        moved = _onto(truth[["abundance"]], there, here)
        how = f"truth averaged onto the product's pixels, {1 / ratio:.3g} times as wide"
        truth = _only_rasters_moved(truth, moved)
    if not np.isfinite(moved["abundance"].values).any():
        raise _no_overlap()
    return product, truth, how


def _only_rasters_moved(ds: xr.Dataset, moved: xr.Dataset) -> xr.Dataset:
    """Return the moved rasters with everything of the dataset that is no raster."""
    rest = ds.drop_vars([name for name, var in ds.variables.items() if {"y", "x"} & set(var.dims)])
    return rest.drop_vars("spatial_ref", errors="ignore").assign(moved.data_vars).assign_attrs(ds.attrs)


def _no_overlap() -> ConfigError:
    return ConfigError(
        "product and truth do not overlap",
        "a truth that covers some pixels of the product whole",
        "Look at both with hsgeo info or in QGIS; see whether a CRS is wrong",
    )


def _side_ratio(here: Placement, there: Placement) -> float:
    """Return the side of the truth's pixel over the product's, measured in the middle of the truth."""
    from rasterio.warp import transform

    assert here.transform is not None
    assert there.transform is not None
    rows, cols = there.shape
    a, b, c, d, e, f = there.transform
    at = [(cols / 2 + i, rows / 2 + j) for i, j in ((0, 0), (1, 0), (0, 1))]
    xs, ys = transform(there.crs, here.crs, [a * i + b * j + c for i, j in at], [d * i + e * j + f for i, j in at])
    one, two = (np.array([xs[k] - xs[0], ys[k] - ys[0]]) for k in (1, 2))
    area = abs(one[0] * two[1] - one[1] * two[0])
    a, b, _, d, e, _ = here.transform
    return float(np.sqrt(area / abs(a * e - b * d)))


def _onto(ds: xr.Dataset, source: Placement, target: Placement) -> xr.Dataset:
    moved = {}
    for name, var in ds.data_vars.items():
        moved[name] = (var.dims, area_average(var.values, source, target), var.attrs)
    return xr.Dataset(moved, {key: ds[key] for key in ("endmember",) if key in ds.coords})


def area_average(values: np.ndarray, source: Placement, target: Placement) -> np.ndarray:
    """Average maps over the pixels of another grid, weighted by area.

    Parameters
    ----------
    values : numpy.ndarray
        ``(layers, rows, cols)``, NaN where missing.
    source, target : Placement
        Grid of the values, and the wanted one; both with CRS and transform.

    Returns
    -------
    numpy.ndarray
        ``(layers, target rows, target cols)`` float32; NaN where less than 99 % of a pixel has values.
    """
    from affine import Affine
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    assert source.transform is not None
    assert target.transform is not None
    # a rim without values: pixels of the target that reach beyond the source are then not whole
    rim = int(np.ceil(1 / _side_ratio(target, source))) + 2 if source.shape[0] else 2
    padded = np.pad(values.astype(np.float32), ((0, 0), (rim, rim), (rim, rim)), constant_values=np.nan)
    given = np.isfinite(padded)
    wanted = Affine(*target.transform)
    shift = Affine(*source.transform) * Affine.translation(-rim, -rim)

    def averaged(layers: np.ndarray) -> np.ndarray:
        out = np.zeros((layers.shape[0], target.shape[0], target.shape[1]), np.float32)
        reproject(
            layers,
            out,
            src_transform=shift,
            src_crs=source.crs,
            dst_transform=wanted,
            dst_crs=target.crs,
            resampling=Resampling.average,
            init_dest_nodata=False,
        )
        return out

    weight = averaged(given.astype(np.float32))
    total = averaged(np.where(given, padded, np.float32(0)))
    return np.where(weight >= _WHOLE, total / np.where(weight > 0, weight, 1), np.float32(np.nan))

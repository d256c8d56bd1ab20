"""What a valid product is, checked all at once, each violation with its fix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from hsgeo.errors import ProductError
from hsgeo.plugin.quality import Quality
from hsgeo.product.placement import COUNTED
from hsgeo.product.stated import STATED, find_broken_layout, find_broken_values, values_per_pixel

__all__ = ["NO_RESULT", "check_product"]

NO_RESULT = Quality.NODATA | Quality.MASKED | Quality.FAILED
"""A pixel has no abundances exactly when one of these bits is set."""

_SUM_TOLERANCE = 1e-5  # what is promised of valid pixels
_RANGE_TOLERANCE = 1e-6  # float32 rounding of values computed in float64
_ALLOWED = {
    "sum": ("one", "at_most_one", "free"),
    "scale": ("physical", "peak"),
    "shade": ("none", "explicit", "normalised"),
}
_RASTERS = {"abundance": (("endmember", "y", "x"), "f4"), "rmse": (("y", "x"), "f4"), "quality": (("y", "x"), "u2")}
_SLAB_BYTES = 64 * 2**20  # of abundances and their samples read at a time by values=True


def check_product(ds: xr.Dataset, *, values: bool = False) -> None:
    """Check a product against the convention and report every violation at once.

    Parameters
    ----------
    ds : xarray.Dataset
        ``abundance (endmember, y, x)`` float32, ``endmembers (endmember, band)`` with ``wavelength``,
        ``fwhm`` and ``good``, ``rmse (y, x)`` float32, ``quality (y, x)`` uint16; where there, the variables of
        `hsgeo.product.stated.STATED`.
    values : bool
        Read the rasters as well, by slabs of rows: abundances in range, summing to what ``sum``
        says within 1e-5, no partly-NaN pixel, NaN exactly where ``quality`` says nodata, masked or failed; samples
        like abundances, ascending quantiles, no standard deviation below 0.

    Raises
    ------
    ProductError
        Listing every violation with the call that fixes it.
    """
    broken = [*_rasters(ds), *find_broken_layout(ds), *_spectra(ds), *_names(ds), *_placement(ds), *_meaning(ds)]
    if values and not broken:
        broken = list(_values(ds))
    if broken:
        lines = "\n".join(f"  {i}. {what}: {fix}" for i, (what, fix) in enumerate(broken, 1))
        many = "1 violation" if len(broken) == 1 else f"{len(broken)} violations"
        raise ProductError(
            f"the dataset is not a valid product, {many}:\n{lines}",
            "a Dataset as hsgeo.unmix returns it (docs/conventions)",
            "Apply the fixes above, or write the product again",
        )


Broken = Iterator[tuple[str, str]]


def _rasters(ds: xr.Dataset) -> Broken:
    for name, (dims, dtype) in _RASTERS.items():
        if name not in ds.data_vars:
            yield f"{name!r} is missing", f"ds = ds.assign({name}={dims}, {dtype})"
            continue
        var = ds[name]
        if var.dims != dims:
            yield f"{name!r} has dims {var.dims}", f"ds[{name!r}] = ds[{name!r}].transpose{dims}"
        if var.dtype != np.dtype(dtype):
            yield f"{name!r} is {var.dtype}", f"ds[{name!r}] = ds[{name!r}].astype({np.dtype(dtype).name!r})"
    if "quality" in ds.data_vars:
        masks = [int(m) for m in np.atleast_1d(ds["quality"].attrs.get("flag_masks", []))]
        if masks != [flag.value for flag in Quality] or "flag_meanings" not in ds["quality"].attrs:
            yield "'quality' does not name its bits", "ds['quality'].attrs.update(hsgeo.plugin.quality_attrs())"


def _spectra(ds: xr.Dataset) -> Broken:
    if "endmembers" not in ds.data_vars:
        yield "'endmembers' is missing", "ds = ds.assign(endmembers=(('endmember', 'band'), spectra))"
        return
    var = ds["endmembers"]
    if var.dims != ("endmember", "band"):
        yield f"'endmembers' has dims {var.dims}", "ds['endmembers'] = ds['endmembers'].transpose('endmember', 'band')"
        return
    for name in ("wavelength", "fwhm", "good"):
        if name not in ds.coords or ds[name].dims != ("band",):
            yield f"'endmembers' has no coordinate {name}(band)", f"ds = ds.assign_coords({name}=('band', values))"
    if "wavelength" in ds.coords and ds["wavelength"].dims == ("band",):
        wave = ds["wavelength"].values
        if not np.all(np.isfinite(wave)) or wave.min() < 100:
            low = np.nanmin(wave) if np.isfinite(wave).any() else np.nan
            yield (
                f"'wavelength' starts at {low:g}, which is no wavelength in nanometres",
                "ds['wavelength'] = ds['wavelength'] * 1000 (micrometres)",
            )
    if "good" in ds.coords and ds["good"].dims == ("band",):
        bad = ~ds["good"].values.astype(bool)
        if bad.any() and np.isfinite(var.values[:, bad]).any():
            yield "'endmembers' has values in bad bands", "ds['endmembers'] = ds['endmembers'].where(ds['good'])"


def _names(ds: xr.Dataset) -> Broken:
    if "endmember" not in ds.dims:
        return
    fix = "ds = ds.assign_coords(endmember=[...])"
    if "endmember" not in ds.coords or ds["endmember"].dtype.kind not in "UOT":
        yield "'endmember' is not an index of names", fix
        return
    names = [str(n) for n in ds["endmember"].values]
    if len(set(names)) < len(names) or "" in names:
        yield f"endmember names are not unique or empty: {', '.join(map(repr, names))}", fix


def _placement(ds: xr.Dataset) -> Broken:
    for dim, counted in COUNTED.items():
        if dim in ds.dims and dim not in ds.coords and counted not in ds.coords:
            yield f"{dim!r} has no coordinate", f"ds = ds.assign_coords({dim}=pixel_centres)"
    if "spatial_ref" in ds.data_vars:
        yield "'spatial_ref' is a data variable, so the CRS is not seen", "ds = ds.set_coords('spatial_ref')"
    mapped = "spatial_ref" in ds.variables
    for name, var in ds.data_vars.items():
        if var.dims[-2:] != ("y", "x"):
            continue
        mapping = var.attrs.get("grid_mapping")
        if mapped and mapping != "spatial_ref":
            yield f"{name!r} does not name its grid mapping", f"ds[{name!r}].attrs['grid_mapping'] = 'spatial_ref'"
        elif not mapped and mapping is not None:
            yield f"{name!r} names the grid mapping {mapping!r}, which is missing", "ds = ds.rio.write_crs(crs)"


def _meaning(ds: xr.Dataset) -> Broken:
    for key, allowed in _ALLOWED.items():
        value = ds.attrs.get(key)
        if value not in allowed:
            yield f"attribute {key!r} is {value!r}", f"ds.attrs[{key!r}] = one of {', '.join(map(repr, allowed))}"


def _values(ds: xr.Dataset) -> Broken:
    total = ds.attrs["sum"]
    stated = [name for name in STATED if name in ds.data_vars]
    rows = max(1, _SLAB_BYTES // max(1, 4 * (ds.sizes["endmember"] + values_per_pixel(ds)) * ds.sizes["x"]))
    chunks = ds["abundance"].variable.chunksizes.get("y")
    if chunks and chunks[0] < rows:
        rows -= rows % chunks[0]
    count = dict.fromkeys(("partly", "range", "sum", "unexplained", "unflagged", "rmse"), 0)
    worst = 0.0
    wrong: dict[str, tuple[int, str]] = {}
    for top in range(0, ds.sizes["y"], rows):
        slab = ds[["abundance", "rmse", "quality", *stated]].isel(y=slice(top, top + rows)).load()
        A = slab["abundance"].values
        missing = ~np.isfinite(A)
        gone, valid = missing.all(0), ~missing.any(0)
        flagged = (slab["quality"].values & NO_RESULT.value) != 0
        count["partly"] += int((~gone & ~valid).sum())
        count["unexplained"] += int((gone & ~flagged).sum())
        count["unflagged"] += int((~gone & flagged).sum())
        count["rmse"] += int((valid & ~np.isfinite(slab["rmse"].values)).sum())
        for what, (pixels, fix) in find_broken_values(slab, total).items():
            wrong[what] = (wrong.get(what, (0, fix))[0] + pixels, fix)
        if total == "free":
            continue
        with np.errstate(invalid="ignore"):
            outside = (A < -_RANGE_TOLERANCE) | (A > 1 + _RANGE_TOLERANCE)
            off = A.sum(0, dtype=np.float64) - 1
            off = np.abs(off) if total == "one" else np.maximum(off, 0)
        off = np.where(valid, off, 0)
        count["range"] += int(outside.any(0).sum())
        count["sum"] += int((off > _SUM_TOLERANCE).sum())
        worst = max(worst, float(off.max(initial=0)))
    kind = "NODATA, MASKED or FAILED"
    texts = {
        "partly": ("pixels are NaN in some endmembers only", "set all of them NaN and the bit FAILED"),
        "range": (
            "pixels have abundances outside 0..1",
            "project them on the simplex, or say ds.attrs['sum'] = 'free'",
        ),
        "sum": (f"pixels break sum={total!r}, by {worst:.2g} at worst", "project them, or change ds.attrs['sum']"),
        "unexplained": (f"pixels are NaN but quality lacks {kind}", "set one of these bits"),
        "unflagged": (f"pixels have abundances but quality says {kind}", "set them NaN, or clear the bit"),
        "rmse": ("pixels have abundances but no rmse", "compute it: ds['rmse']"),
    }
    for key, (what, fix) in texts.items():
        if count[key]:
            yield f"{count[key]} {what}", fix
    for what, (pixels, fix) in wrong.items():
        yield f"{pixels} pixels {what}", fix

"""The scene convention: what every part of hsgeo may rely on, checked in one place, without reading a pixel."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError

__all__ = ["check_scene"]

QUANTITIES = ("reflectance", "radiance")
DIMS = ("band", "y", "x")


def check_scene(ds: xr.Dataset) -> None:
    """Check that a dataset is a scene, and name everything that is not, each with the call that mends it.

    Reads coordinates and attributes only, no pixel values.

    Parameters
    ----------
    ds : xarray.Dataset
        ``spectra (band, y, x)`` float32 with ``quantity`` and ``units``; coordinates ``band``, ``wavelength`` (nm,
        ascending), ``fwhm``, ``good`` on ``band``; ``y``, ``x``; optional ``quality (y, x)`` uint16,
        ``spatial_ref``.

    Raises
    ------
    SceneError
        If anything is wrong. ``error.found`` lists all of it.
    """
    if not isinstance(ds, xr.Dataset):
        raise SceneError(
            f"a scene is an xarray.Dataset, this is {type(ds).__name__}",
            "an xarray.Dataset with spectra (band, y, x)",
            "Make one: array.to_dataset(name='spectra').hsu.standardize(...)",
        )
    if "spectra" not in ds.data_vars:
        names = ", ".join(f"{name} {tuple(map(str, v.dims))}" for name, v in ds.data_vars.items()) or "no variables"
        problems = [("there is no variable 'spectra' (found: " + names + ")", "ds.hsu.standardize(spectra='...')")]
    else:
        problems = [*_spectra(ds), *_band_coordinates(ds), *_grid(ds)]
    if not problems:
        return
    told = "; ".join(f"({k}) {what}" for k, (what, _) in enumerate(problems, 1))
    calls = "; ".join(f"({k}) {call}" for k, (_, call) in enumerate(problems, 1))
    raise SceneError(
        f"the dataset is not a scene: {told}",
        "spectra (band, y, x) float32 with quantity and units; wavelength (nm, ascending), fwhm and good on band; y, x",
        f"Mend it: {calls}",
    )


def _spectra(ds: xr.Dataset) -> list[tuple[str, str]]:
    spectra = ds["spectra"]
    problems = []
    if spectra.dims != DIMS:
        problems.append((f"spectra has dims {tuple(map(str, spectra.dims))}, not {DIMS}", "ds.hsu.standardize()"))
    if spectra.dtype.kind in "iu":
        problems.append((f"spectra is {spectra.dtype}, not float32", "ds.hsu.standardize(scale=1e-4) or another scale"))
    elif spectra.dtype != np.float32:
        problems.append((f"spectra is {spectra.dtype}, not float32", "ds.hsu.standardize()"))
    if 0 in spectra.shape:
        problems.append((f"spectra has shape {spectra.shape}", "select at least one band, row and column"))
    if spectra.attrs.get("quantity") not in QUANTITIES:
        said = spectra.attrs.get("quantity")
        problems.append(
            (
                f"spectra.attrs['quantity'] is {said!r}, not one of {QUANTITIES}",
                "ds.hsu.standardize(quantity='reflectance')",
            )
        )
    if "units" not in spectra.attrs:
        problems.append(("spectra.attrs has no 'units'", "ds.spectra.attrs['units'] = '1'"))
    return problems


def _band_coordinates(ds: xr.Dataset) -> list[tuple[str, str]]:
    problems = []
    for name in ("band", "wavelength", "fwhm", "good"):
        if name not in ds.coords:
            problems.append((f"there is no coordinate {name!r} on band", f"ds.hsu.standardize({_HINT[name]})"))
        elif ds[name].dims != ("band",):
            problems.append(
                (
                    f"{name} has dims {tuple(map(str, ds[name].dims))}, not ('band',)",
                    f"ds.hsu.standardize({_HINT[name]})",
                )
            )
    if "wavelength" in ds.coords and ds["wavelength"].dims == ("band",) and ds.sizes["band"]:
        values = ds["wavelength"].values
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all() or (values <= 0).any():
            problems.append(
                ("wavelength has values that are not positive numbers", "ds.hsu.standardize(wavelength=[...])")
            )
        else:
            if values.max() < 100:
                problems.append((f"wavelength ends at {values.max():g}: micrometres", "ds.hsu.standardize(units='um')"))
            if (np.diff(values) < 0).any():
                problems.append(("wavelength is not ascending", "ds.sortby('wavelength')"))
    if "good" in ds.coords and ds["good"].dims == ("band",):
        if ds["good"].dtype != bool:
            problems.append((f"good is {ds['good'].dtype}, not bool", "ds.assign_coords(good=ds.good.astype(bool))"))
        elif ds.sizes["band"] and not ds["good"].values.any():
            problems.append(("no band is good", "ds.assign_coords(good=('band', [...])) with at least one True"))
    return problems


_HINT = {"band": "", "wavelength": "wavelength=[...]", "fwhm": "fwhm=[...]", "good": ""}


def _even(values: np.ndarray) -> bool:
    """Tell whether pixel centres are evenly spaced; a hundredth of a pixel is rounding."""
    if values.size < 3 or values.dtype.kind not in "iuf":
        return True
    steps = np.diff(values.astype(np.float64))
    return bool(np.abs(steps - steps.mean()).max() <= 0.01 * abs(steps.mean()))


def _grid(ds: xr.Dataset) -> list[tuple[str, str]]:
    problems = [
        (f"there is no coordinate {name}({name})", "ds.hsu.standardize()")
        for name in ("y", "x")
        if name in ds["spectra"].dims and (name not in ds.coords or ds[name].dims != (name,))
    ]
    problems += [
        (
            f"{name} is not evenly spaced, so that pixels have no one size",
            f"ds.isel({name}=slice(start, stop, step))",
        )
        for name in ("y", "x")
        if name in ds.coords and ds[name].dims == (name,) and not _even(ds[name].values)
    ]
    if "quality" in ds.variables:
        quality = ds["quality"]
        if quality.dims != ("y", "x") or quality.dtype != np.uint16:
            problems.append(
                (
                    f"quality is {quality.dtype} {tuple(map(str, quality.dims))}, not uint16 ('y', 'x')",
                    "ds['quality'] = ds.quality.transpose('y', 'x').astype('uint16'), or ds.drop_vars('quality')",
                )
            )
    mapping = ds["spectra"].attrs.get("grid_mapping", ds["spectra"].encoding.get("grid_mapping"))
    if mapping is not None and mapping not in ds.coords:
        problems.append((f"spectra names the grid mapping {mapping!r}, which is not there", "ds.rio.write_crs(...)"))
    if "spatial_ref" in ds.variables:
        if "spatial_ref" not in ds.coords:
            problems.append(("spatial_ref is a data variable", "ds.set_coords('spatial_ref')"))
        elif "grid_mapping" not in ds["spectra"].attrs:
            problems.append(
                ("spectra.attrs has no 'grid_mapping' although there is a spatial_ref: writing would lose the CRS",
                 "ds.hsu.standardize()")
            )  # fmt: skip
    return problems

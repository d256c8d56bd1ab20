"""Other people's datasets into our convention: names, axis order, units, scale; lazily."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from hsgeo.errors import ConfigError, SceneError
from hsgeo.spectra.absorption import default_good

__all__ = ["standardize"]

BAND_NAMES = ("band", "bands", "wavelength", "wavelengths", "wl", "wvl", "lambda", "channel", "channels", "spectral")
Y_NAMES = ("y", "latitude", "lat", "northing", "row", "rows", "line", "lines", "downtrack", "ydim")
X_NAMES = (
    "x",
    "longitude",
    "lon",
    "easting",
    "col",
    "cols",
    "column",
    "columns",
    "sample",
    "samples",
    "crosstrack",
    "xdim",
)
CENTRES = ("wavelength", "wavelengths", "center_wavelength", "centre_wavelength", "central_wavelength", "wl", "wvl")
WIDTHS = ("fwhm", "FWHM", "bandwidth", "full_width_half_max")
GOODS = ("good", "good_wavelengths", "good_wavelength", "good_bands", "bbl")
NODATA = ("_FillValue", "missing_value", "nodata", "nodatavals")
MICRO = 100.0  # no sensor of ours sees below 100 nm or above 100 micrometres
TILE = 256  # pixels: chunks of what was not chunked, so that scaling stays lazy


def standardize(
    ds: xr.Dataset | xr.DataArray,
    *,
    spectra: str | None = None,
    wavelength: npt.ArrayLike | None = None,
    fwhm: npt.ArrayLike | None = None,
    units: str | None = None,
    scale: float | None = None,
    offset: float | None = None,
    nodata: float | None = None,
    quantity: str | None = None,
) -> xr.Dataset:
    """Bring a dataset into the scene convention, without reading its pixels.

    Understands ``(y, x, wavelength)``, rioxarray's ``band`` with per-band coordinates or ``long_name``, and
    HyperCoast's ``(latitude, longitude, wavelength)``. Everything given explicitly stands above what is found.

    Parameters
    ----------
    ds : xarray.Dataset or xarray.DataArray
        With one three-dimensional raster, bands on any axis.
    spectra : str, optional
        Name of the raster; needed when there are several.
    wavelength, fwhm : array_like, shape (band,), optional
        Band centres and widths, in ``units``, in the order of the raster's bands.
    units : {"nm", "um"}, optional
        Of wavelengths and widths. Without it: what the coordinate says; else centres below 100 are micrometres.
    scale, offset : float, optional
        ``value = stored * scale + offset``, such as 1e-4 for reflectance x 10000. Without them: attributes
        ``scale_factor`` and ``add_offset``; else floats are taken as they are, and integers are an error.
    nodata : float, optional
        Stored number that means no measurement. Without it: ``_FillValue`` and the like in the attributes.
    quantity : {"reflectance", "radiance"}, optional
        What the values are. Without it: what names and attributes say, else reflectance.

    Returns
    -------
    xarray.Dataset
        A scene that passes `check_scene`, sorted by wavelength, with its wavelength index. Other rasters on the same
        pixels are kept, other variables are dropped.

    Raises
    ------
    SceneError
        If there is no such raster, no wavelengths, or integers without a scale.
    ConfigError
        If an argument does not fit.
    """
    for name, value, known in (("units", units, ("nm", "um")), ("quantity", quantity, ("reflectance", "radiance"))):
        if value is not None and value not in known:
            raise ConfigError(f"{name}={value!r}", " or ".join(map(repr, known)))
    data = ds.to_dataset(name=ds.name or "spectra") if isinstance(ds, xr.DataArray) else ds
    name = _raster(data, spectra)
    axes = _axes(data[name])
    centres, widths, good, said = _bands(data, name, axes[0], wavelength, fwhm)
    factor = _factor(centres, units or said)
    centres, widths = centres * factor, widths * factor
    source = data[name]
    cube = source.drop_vars([c for c in source.coords if axes[0] in source[c].dims])
    cube = cube.rename({old: new for old, new in zip(axes, ("band", "y", "x"), strict=True) if old != new})
    values = _values(cube.transpose("band", "y", "x"), scale=scale, offset=offset, nodata=nodata)
    kind = quantity or source.attrs.get("quantity") or _quantity(name, source)
    values.attrs = {
        key: value
        for key, value in source.attrs.items()
        if key not in ("scale_factor", "add_offset", "long_name", "wavelength", "fwhm", "valid_range", *NODATA)
    }
    values.attrs |= {"quantity": kind}
    values.attrs.setdefault("units", "1" if kind == "reflectance" else "unknown")
    numbers = source[axes[0]].values if axes[0] == "band" and "band" in source.coords else None
    if numbers is None or numbers.dtype.kind not in "iu":
        numbers = np.arange(1, len(centres) + 1)
    nm = {"units": "nm"}
    scene = values.to_dataset(name="spectra").assign_coords(
        band=("band", numbers.astype(np.int64), {"long_name": "band number in the product"}),
        wavelength=("band", centres, {**nm, "standard_name": "radiation_wavelength"}),
        fwhm=("band", widths, {**nm, "long_name": "full width at half maximum"}),
        good=("band", default_good(centres) if good is None else good, {"long_name": "band is used for unmixing"}),
    )
    for label in ("detector",):
        if label in source.coords and source[label].dims == (axes[0],):
            scene = scene.assign_coords({label: ("band", source[label].values)})
    scene = _others(scene, data, name, axes)
    mapping = source.attrs.get("grid_mapping", source.encoding.get("grid_mapping", "spatial_ref"))
    if mapping in data.variables and mapping not in scene.variables:  # a plain open_zarr makes it a data variable
        scene = scene.assign_coords({mapping: data[mapping].variable})
    scene = _grid(scene, axes)
    order = np.argsort(centres, kind="stable")
    if not np.array_equal(order, np.arange(len(order))):
        scene = scene.isel(band=order)
    scene.attrs = {"sensor": "unknown", "product_id": "unknown", **data.attrs}
    return scene.set_xindex("wavelength")


def _raster(ds: xr.Dataset, spectra: str | None) -> str:
    found = [str(n) for n, v in ds.data_vars.items() if v.ndim == 3 and v.dtype.kind in "iuf"]
    listed = ", ".join(f"{n} {tuple(map(str, v.dims))}" for n, v in ds.data_vars.items()) or "none"
    if spectra is not None:
        if spectra not in ds.data_vars:
            raise ConfigError(f"there is no variable {spectra!r}", listed)
        if ds[spectra].ndim != 3:
            raise SceneError(
                f"{spectra!r} has dims {tuple(map(str, ds[spectra].dims))}", "three dims: bands, rows, columns"
            )
        return spectra
    if "spectra" in found or len(found) == 1:
        return "spectra" if "spectra" in found else found[0]
    raise SceneError(
        f"there are {len(found)} rasters with three dims (variables: {listed})",
        "one raster of numbers with bands, rows and columns",
        "Name it: ds.hsu.standardize(spectra='...')",
    )


def _axes(raster: xr.DataArray) -> tuple[Hashable, Hashable, Hashable]:
    """Name the band, row and column dims of a raster."""
    lower = {str(dim).lower(): dim for dim in raster.dims}
    y = next((lower[n] for n in Y_NAMES if n in lower), None)
    x = next((lower[n] for n in X_NAMES if n in lower), None)
    rest = [dim for dim in raster.dims if dim not in (y, x)]
    if y is None or x is None or len(rest) != 1:
        band = next((lower[n] for n in BAND_NAMES if n in lower), None)
        others = [dim for dim in raster.dims if dim != band]
        if band is None or len(others) != 2 or y is not None or x is not None:
            raise SceneError(
                f"it is not clear which of the dims {tuple(map(str, raster.dims))} are rows, columns and bands",
                f"rows {Y_NAMES[:4]}, columns {X_NAMES[:4]}, bands {BAND_NAMES[:4]} or alike",
                "Rename them first: ds.rename(...)",
            )
        return band, others[0], others[1]
    return rest[0], y, x


def _bands(
    ds: xr.Dataset, name: str, band: Hashable, wavelength: npt.ArrayLike | None, fwhm: npt.ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, str | None]:
    """Return centres, widths, good and the unit as found."""
    raster, count = ds[name], ds[name].sizes[band]

    def along(names: Sequence[str]) -> xr.DataArray | None:
        return next((ds[n] for n in names if n in ds.variables and ds[n].dims == (band,)), None)

    said: str | None = None
    if wavelength is not None:
        centres = _numbers("wavelength", wavelength, count)
    else:
        found = along((*CENTRES, str(band)) if str(band).lower() in CENTRES else CENTRES)
        parsed = None if found is not None else _from_names(raster, count)
        if found is not None:
            centres, said = found.values.astype(np.float64), found.attrs.get("units")
        elif parsed is not None:
            centres, said = parsed
        else:
            raise SceneError(
                f"{name!r} has {count} bands along {band!r} and no wavelengths",
                "a coordinate 'wavelength' along the bands, or band names that hold them",
                "Give them: ds.hsu.standardize(wavelength=[...], units='nm')",
            )
    if not np.isfinite(centres).all() or (centres <= 0).any():
        raise SceneError("some wavelengths are missing or not positive", "one centre for each band")
    if fwhm is not None:
        widths = _numbers("fwhm", fwhm, count)
    else:
        stored = along(WIDTHS)
        listed = raster.attrs.get("fwhm")
        widths = np.full(count, np.nan) if stored is None else stored.values.astype(np.float64)
        if stored is None and listed is not None and np.size(listed) == count and count > 1:
            widths = np.asarray(listed, np.float64)
    flags = along(GOODS)
    good = None if flags is None else np.nan_to_num(flags.values.astype(np.float64)) > 0
    return centres, np.where(widths > 0, widths, np.nan), good, said


def _numbers(what: str, values: npt.ArrayLike, count: int) -> np.ndarray:
    numbers = np.asarray(values, np.float64)
    if numbers.shape != (count,):
        raise ConfigError(f"{what} has shape {numbers.shape} for {count} bands", f"shape ({count},)")
    return numbers


def _from_names(raster: xr.DataArray, count: int) -> tuple[np.ndarray, str | None] | None:
    """Read wavelengths from an attribute ``wavelength`` or from band names such as ``band 1 (418.24 Nanometers)``."""
    listed = raster.attrs.get("wavelength", raster.attrs.get("wavelengths"))
    if listed is not None and np.size(listed) == count:
        try:
            return np.asarray(listed, np.float64).reshape(count), raster.attrs.get("wavelength_units")
        except ValueError:
            return None
    names = raster.attrs.get("long_name")
    if isinstance(names, str) or names is None or len(names) != count:
        return None
    found = [re.search(r"(\d+(?:\.\d+)?)\s*(nm|nano|um|µm|μm|micro)", str(text), re.IGNORECASE) for text in names]
    matches = [match for match in found if match is not None]
    if len(matches) != count:
        return None
    return np.array([float(match[1]) for match in matches]), matches[0][2]


def _factor(centres: np.ndarray, units: str | None) -> float:
    said = (units or "").strip().lower()
    if said.startswith(("nm", "nano")):
        return 1.0
    if said.startswith(("um", "µm", "μm", "micro")):
        return 1e3
    if said in ("", "unknown", "none", "1"):
        return 1e3 if centres.max() < MICRO else 1.0
    raise SceneError(f"wavelengths are in {units!r}", "nm or um", "Say it: ds.hsu.standardize(units='nm')")


def _values(cube: xr.DataArray, *, scale: float | None, offset: float | None, nodata: float | None) -> xr.DataArray:
    """Mask, scale and cast; through dask where the numbers have to change."""
    stated = cube.attrs.get("scale_factor"), cube.attrs.get("add_offset")
    if cube.dtype.kind in "iu" and scale is None and stated[0] is None:
        raise SceneError(
            f"the values are {cube.dtype} and nothing says what one count is worth",
            "floats, an attribute scale_factor, or a scale",
            "Say it: ds.hsu.standardize(scale=1e-4) for reflectance x 10000",
        )
    gain = float(scale if scale is not None else stated[0] if stated[0] is not None else 1.0)
    shift = float(offset if offset is not None else stated[1] if stated[1] is not None else 0.0)
    empty = nodata if nodata is not None else next((cube.attrs[k] for k in NODATA if k in cube.attrs), None)
    empty = float(np.ravel(empty)[0]) if empty is not None else None
    if empty is not None and np.isnan(empty):
        empty = None
    if cube.dtype == np.float32 and gain == 1.0 and shift == 0.0 and empty is None:
        return cube
    if cube.chunks is None:
        cube = cube.chunk({"band": -1, "y": TILE, "x": TILE})
    valid = None if empty is None else cube != empty
    out = cube if gain == 1.0 and shift == 0.0 else cube.astype(np.float64) * gain + shift
    out = out.astype(np.float32)
    return out if valid is None else out.where(valid)


def _quantity(name: str, raster: xr.DataArray) -> str:
    said = " ".join(
        str(part) for part in (name, *(raster.attrs.get(k, "") for k in ("long_name", "standard_name", "units")))
    )
    radiant = "radiance" in said.lower() or re.search(r"\bsr\b|sr-1|sr\^-1", said) is not None
    return "radiance" if radiant and "reflectance" not in said.lower() else "reflectance"


def _others(scene: xr.Dataset, ds: xr.Dataset, name: str, axes: tuple[Hashable, Hashable, Hashable]) -> xr.Dataset:
    """Keep rasters on the same pixels: quality, and two-dimensional latitudes and longitudes as lat and lon."""
    places = {"lat": ("lat", "latitude"), "lon": ("lon", "longitude")}
    for label, variable in ds.variables.items():
        if label == name or set(variable.dims) != {axes[1], axes[2]}:
            continue
        moved = variable.transpose(axes[1], axes[2])
        plain = xr.Variable(("y", "x"), moved._data, moved.attrs, moved.encoding)
        target = next((new for new, olds in places.items() if str(label).lower() in olds), label)
        if target == label and label in scene.variables:
            continue
        scene = scene.drop_vars([label], errors="ignore")
        scene = scene.assign_coords({target: plain}) if target in places else scene.assign({target: plain})
    return scene


def _grid(scene: xr.Dataset, axes: tuple[Hashable, Hashable, Hashable]) -> xr.Dataset:
    """Complete y, x and the CRS. One-dimensional latitudes and longitudes without a CRS are WGS 84."""
    for dim, size in (("y", scene.sizes["y"]), ("x", scene.sizes["x"])):
        if dim not in scene.coords:
            scene = scene.assign_coords({dim: (dim, np.arange(size) + 0.5)})
    mapping = scene["spectra"].attrs.get("grid_mapping", scene["spectra"].encoding.get("grid_mapping"))
    mapping = mapping or ("spatial_ref" if "spatial_ref" in scene.variables else None)
    degrees = str(axes[1]).lower() in ("latitude", "lat") and str(axes[2]).lower() in ("longitude", "lon")
    if mapping is not None and mapping in scene.variables:
        scene = scene.set_coords(mapping)
    elif degrees and "lat" not in scene.coords:
        import rioxarray  # noqa: F401  registers .rio

        scene, mapping = scene.rio.write_crs("EPSG:4326"), "spatial_ref"
    else:
        mapping = None
    for variable in scene.data_vars.values():
        variable.encoding.pop("grid_mapping", None)
        variable.attrs.pop("grid_mapping", None)
        if mapping is not None and variable.dims[-2:] == ("y", "x"):
            variable.attrs["grid_mapping"] = mapping
    return scene

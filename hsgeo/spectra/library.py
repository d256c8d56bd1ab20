"""Spectral libraries: read from any format, choose, rename, bring to a sensor's bands.

A library is a Dataset with ``spectra (spectrum, band)`` float32, coordinates ``name (spectrum)``, ``class (spectrum)``
where known, ``wavelength (band)`` and ``fwhm (band)`` in nm (NaN where unknown).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.srf import resample

__all__ = ["as_library", "choose", "read_library", "resample_library"]

_MICROMETRES = 100.0  # no optical band lies above 100 um, none below 100 nm: the size tells the unit
_SCALED = 10.0  # reflectance never gets here; below it, values may be what they seem
_FORMATS = "ENVI .sli with its .hdr, CSV, Zarr or netCDF library, or an hsgeo product"


def read_library(path: str | Path, *, scale: float | None = None) -> xr.Dataset:
    """Read a spectral library or the endmembers of a product.

    Parameters
    ----------
    path : str or pathlib.Path
        ENVI library (``.sli``, its ``.hdr``, or the data file without suffix; a ``.csv`` beside it gives classes), CSV
        (rows are bands, with a wavelength column; or rows are spectra, with wavelengths as column names), Zarr or
        netCDF library, or a product.
    scale : float, optional
        Values are divided by this. None: by what the file says; where it says nothing and values exceed 10, by
        10,000, with a warning.

    Returns
    -------
    xarray.Dataset
        The library.

    Raises
    ------
    ConfigError
        The file is missing, is not a library, or has no wavelengths.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"{path} does not exist", f"a spectral library: {_FORMATS}")
    if scale is not None and not (np.isfinite(scale) and scale > 0):
        raise ConfigError(f"scale={scale}", "a positive number")
    stated: float | None
    try:
        if path.is_dir() or path.suffix.lower() in (".nc", ".nc4", ".cdf", ".h5"):
            library, stated = _own(path), 1.0
        elif path.suffix.lower() in (".csv", ".txt", ".tsv"):
            from hsgeo.spectra.library_csv import read_csv

            library, stated = read_csv(path), None
        else:
            from hsgeo.spectra.library_envi import read_sli

            library, stated = read_sli(path)
    except (OSError, ValueError, KeyError, UnicodeDecodeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{path} cannot be read as a spectral library ({type(error).__name__}: {str(error)[:200]})", _FORMATS
        ) from error
    library = _in_nanometres(library, path)
    return _scaled(library, scale if scale is not None else stated, path)


def as_library(dataset: xr.Dataset) -> xr.Dataset:
    """Take a Dataset that is a library, or the endmembers of a product, as a library.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``spectra (spectrum, band)`` or ``endmembers (endmember, band)``, and ``wavelength (band)``.

    Returns
    -------
    xarray.Dataset
        The library; bands where every spectrum is NaN (bad bands of a product) are left out.

    Raises
    ------
    ConfigError
        It is neither, or it has no wavelengths.
    """
    if "endmembers" in dataset and set(dataset["endmembers"].dims) == {"endmember", "band"}:
        values, names = dataset["endmembers"].transpose("endmember", "band"), dataset["endmembers"]["endmember"]
    elif "spectra" in dataset and set(dataset["spectra"].dims) == {"spectrum", "band"}:
        values, names = dataset["spectra"].transpose("spectrum", "band"), None
    else:
        raise ConfigError(
            f"a dataset with the variables {sorted(map(str, dataset.data_vars))[:8]}",
            "spectra (spectrum, band), or a product with endmembers (endmember, band)",
        )
    if "wavelength" not in values.coords or values["wavelength"].dims != ("band",):
        raise ConfigError("the library has no wavelength (band)", "band centres in nm")
    spectra = np.asarray(values.values, dtype=np.float32)
    keep = np.isfinite(spectra).any(axis=0) & np.isfinite(np.asarray(values["wavelength"].values, dtype=float))
    if not keep.any():
        raise ConfigError("the library has no finite value", "spectra")
    fwhm = values["fwhm"].values if "fwhm" in values.coords else np.full(spectra.shape[1], np.nan)
    if names is None:
        names = dataset["name"] if "name" in dataset else xr.DataArray(np.arange(1, len(spectra) + 1).astype(str))
    labels = {str(k): v.values.astype(str) for k, v in dataset.coords.items() if v.dims == ("spectrum",)}
    labels.pop("spectrum", None)
    labels["name"] = np.asarray(names.values).astype(str)
    return build(spectra[:, keep], values["wavelength"].values[keep], fwhm[keep], labels)


def build(
    spectra: np.ndarray, wavelength: np.ndarray, fwhm: np.ndarray | None, labels: Mapping[str, np.ndarray]
) -> xr.Dataset:
    """Put a library together.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(spectrum, band)``.
    wavelength, fwhm : numpy.ndarray
        ``(band,)`` nm; None: widths unknown.
    labels : mapping of str to numpy.ndarray
        ``name`` and further text columns ``(spectrum,)``.

    Returns
    -------
    xarray.Dataset
        The library, in the order of the file.
    """
    fwhm = np.full(len(wavelength), np.nan) if fwhm is None else np.asarray(fwhm, dtype=np.float64)
    coords = {key: ("spectrum", np.asarray(values).astype(str)) for key, values in labels.items()}
    return xr.Dataset(
        {"spectra": (("spectrum", "band"), np.asarray(spectra, dtype=np.float32))},
        {
            **coords,
            "wavelength": ("band", np.asarray(wavelength, dtype=np.float64), {"units": "nm"}),
            "fwhm": ("band", fwhm, {"units": "nm"}),
        },
    )


def choose(
    library: xr.Dataset,
    *,
    select: Sequence[str] = (),
    drop: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Keep, leave out and rename spectra, by their names.

    Parameters
    ----------
    library : xarray.Dataset
        A library.
    select : sequence of str
        Names or shell patterns to keep, in this order; empty: all.
    drop : sequence of str
        Names or patterns to leave out.
    rename : mapping of str to str
        New names by old ones.

    Returns
    -------
    xarray.Dataset
        The library chosen.

    Raises
    ------
    ConfigError
        A name is not there, nothing is left, or a new name is taken.
    """
    rename = dict(rename or {})
    names = [str(name) for name in library["name"].values]
    taken = {
        pattern: [i for i, name in enumerate(names) if fnmatchcase(name, pattern) or name == pattern]
        for pattern in [*select, *drop, *rename]
    }
    for name, found in taken.items():
        if not found:
            some = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
            raise ConfigError(f"the library has no spectrum called {name!r}", some)
    order = list(dict.fromkeys(i for pattern in select for i in taken[pattern])) or list(range(len(names)))
    dropped = {i for pattern in drop for i in taken[pattern]}
    order = [i for i in order if i not in dropped]
    if not order:
        raise ConfigError("no spectrum of the library is left", "at least one", "Drop fewer")
    kept = [rename.get(names[i], names[i]) for i in order]
    for name in rename.values():
        if kept.count(name) > 1:
            raise ConfigError(f"two spectra would be called {name!r}", "names that differ")
    chosen = library.isel(spectrum=order)
    return chosen.assign_coords(name=("spectrum", np.array(kept)))


def resample_library(library: xr.Dataset, wavelength: np.ndarray, fwhm: np.ndarray | None = None) -> xr.Dataset:
    """Bring a library to the bands of a sensor; see `hsgeo.spectra.srf.response_matrix`.

    Parameters
    ----------
    library : xarray.Dataset
        A library.
    wavelength, fwhm : numpy.ndarray
        Band centres and widths of the sensor ``(band,)`` nm.

    Returns
    -------
    xarray.Dataset
        The library on the sensor's bands; NaN where a spectrum does not cover a band.

    Raises
    ------
    ConfigError
        No band is covered by any spectrum.
    """
    values = library["spectra"].transpose("spectrum", "band")
    given = values["fwhm"].values if "fwhm" in values.coords else None
    spectra = resample(values.values, values["wavelength"].values, given, wavelength, fwhm)
    labels = {str(k): v.values for k, v in library.coords.items() if v.dims == ("spectrum",)}
    out = build(spectra, wavelength, fwhm, labels)
    return out.assign_attrs(library.attrs)


def _own(path: Path) -> xr.Dataset:
    if path.is_dir():
        if not any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json")):
            raise ConfigError(f"{path} is a folder and no Zarr group", _FORMATS)
        opened = xr.open_zarr(path, chunks=None)
    else:
        opened = xr.open_dataset(path, engine="h5netcdf")
    with opened:
        small = [str(name) for name in ("spectra", "endmembers") if name in opened and "band" in opened[name].dims]
        small = [name for name in small if opened[name].ndim == 2]
        return as_library(opened[small].load() if small else opened)


def _in_nanometres(library: xr.Dataset, path: Path) -> xr.Dataset:
    wavelength, fwhm = library["wavelength"].values, library["fwhm"].values
    if not len(wavelength) or not (np.isfinite(wavelength) & (wavelength > 0)).all():
        raise ConfigError(f"{path} has wavelengths that are not positive numbers", "band centres in nm or um")
    if wavelength.max() < _MICROMETRES:
        wavelength, fwhm = wavelength * 1000, fwhm * 1000
    elif np.isfinite(fwhm).any() and np.nanmax(fwhm) < 0.5:  # nm centres with widths left in um: none is below 0.5 nm
        fwhm = fwhm * 1000
    attrs = {"units": "nm"}
    return library.assign_coords(wavelength=("band", wavelength, attrs), fwhm=("band", fwhm, attrs))


def _scaled(library: xr.Dataset, scale: float | None, path: Path) -> xr.Dataset:
    values = library["spectra"].values
    if not np.isfinite(values).any():
        raise ConfigError(f"{path} has no finite value", "spectra")
    if scale is None:
        highest = float(np.nanmax(values))
        scale = 1.0
        if highest > _SCALED:
            scale = 10_000.0
            warnings.warn(
                HsgeoWarning(
                    f"{path.name} does not say its scale and holds values up to {highest:g}: taken as reflectance "
                    "times 10000. Give scale= if that is wrong."
                ),
                stacklevel=3,
            )
    return library.assign(spectra=library["spectra"] / np.float32(scale)) if scale != 1 else library

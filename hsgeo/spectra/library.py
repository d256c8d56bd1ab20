"""Spectral libraries: read from any format, choose, rename, bring to a sensor's bands.

A library is a Dataset with ``spectra (spectrum, band)`` float32, coordinates ``name (spectrum)``, ``class (spectrum)``
where known, further text columns ``(spectrum)`` such as ``level_2``, ``wavelength (band)`` and ``fwhm (band)`` in nm
(NaN where unknown), and ``good (band)`` where the file flags bands. Spectra of several wavelength grids lie on the
union of the grids, NaN where they have no sample; then ``grid (spectrum)`` names each one's own.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.srf import coarseness, resample

__all__ = ["as_library", "by_class", "choose", "read_library", "resample_library"]

_MICROMETRES = 100.0  # no optical band lies above 100 um, none below 100 nm: the size tells the unit
_SCALED = 10.0  # reflectance never gets here; below it, values may be what they seem
_PERCENT = 130.0  # reflectance in percent stays below; in units of 1/10000 that is a library darker than any
_COARSE = 2.0  # times the sensor's width: interpolated ECOSTRESS spectra are then off by 0.01 rad (90th percentile) ...
_TOO_COARSE = 10.0  # ... and here by 0.1 rad, as far as materials are apart
_NAMES = 10  # names that an error can list
_FORMATS = (
    ".sli or .hdr (ENVI), .csv, .txt (ECOSTRESS, USGS splib07) or a folder of them, .zarr, .nc, or an hsgeo product"
)


def read_library(
    path: str | Path, *, scale: float | None = None, level: str | int | None = None, dtype: str = "float32"
) -> xr.Dataset:
    """Read a spectral library or the endmembers of a product.

    Parameters
    ----------
    path : str or pathlib.Path
        ENVI library (``.sli``, its ``.hdr``, or the data file without suffix; a ``.csv`` beside it gives classes), CSV
        (rows are bands, with a wavelength column; or rows are spectra, with wavelengths as column names), ECOSTRESS or
        USGS splib07 text (one file, or a folder of them with all below it), Zarr or netCDF library, or a product.
    scale : float, optional
        Values are divided by this. None: by what the file says; where it says nothing and values exceed 10, by
        100 up to 130 and by 10,000 above, with a warning.
    level : str or int, optional
        Column that becomes ``class``; 2 means ``level_2``. None: ``class``, or the first level the file has.
    dtype : {"float32", "float64"}
        Of the spectra; float64 keeps every digit of a file for conversion.

    Returns
    -------
    xarray.Dataset
        The library. ENVI and CSV keep the band order of the file; text libraries are sorted by wavelength.

    Raises
    ------
    ConfigError
        The file is missing, is not a library, has no wavelengths, or has no such class level.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"{path} does not exist", f"a spectral library: {_FORMATS}")
    if scale is not None and not (np.isfinite(scale) and scale > 0):
        raise ConfigError(f"scale={scale}", "a positive number")
    try:
        library, divisor = _read(path, scale)
    except (OSError, ValueError, KeyError, UnicodeDecodeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{path} cannot be read as a spectral library ({type(error).__name__}: {str(error)[:200]})", _FORMATS
        ) from error
    library = _scaled(in_nanometres(library, path), divisor, path)
    library = library.assign(spectra=library["spectra"].astype(dtype))
    return library if level is None else by_class(library, level=level)


def _read(path: Path, scale: float | None) -> tuple[xr.Dataset, float | None]:
    """Read a file as it is; also what is left to divide by, None when neither file nor user say it."""
    from hsgeo.spectra.library_text import is_text_library, read_text

    suffix = path.suffix.lower()
    if suffix in (".nc", ".nc4", ".cdf", ".h5") or (path.is_dir() and _is_zarr(path)):
        return _own(path), scale or 1.0
    if path.is_dir() or is_text_library(path):
        found = read_text(path, scale=scale)  # its files may differ in scale, so the reader divides
        return found.assign_attrs(quantity="reflectance"), 1.0
    if suffix in (".csv", ".txt", ".tsv"):
        from hsgeo.spectra.library_csv import read_csv

        return read_csv(path), scale
    from hsgeo.spectra.library_envi import is_envi, read_sli

    if not is_envi(path):
        raise ConfigError(
            f"{path.name} is no spectral library that can be read",
            _FORMATS,
            "Write others as .csv: a row per spectrum, wavelengths as column names",
        )
    library, stated = read_sli(path)
    return library, scale or stated


def as_library(dataset: xr.Dataset, *, dtype: str = "float32") -> xr.Dataset:
    """Take a Dataset that is a library, or the endmembers of a product, as a library.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``spectra (spectrum, band)`` or ``endmembers (endmember, band)``, and ``wavelength (band)``.
    dtype : {"float32", "float64"}
        Of the spectra.

    Returns
    -------
    xarray.Dataset
        The library; the bad bands of a product, where every spectrum is NaN, are left out.

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
    spectra = np.asarray(values.values).astype(dtype)
    there = np.isfinite(spectra).any(axis=0)
    keep = (there | (values.name == "spectra")) & np.isfinite(np.asarray(values["wavelength"].values, dtype=float))
    if not (there & keep).any():
        raise ConfigError("the library has no finite value", "spectra")
    fwhm = values["fwhm"].values if "fwhm" in values.coords else np.full(spectra.shape[1], np.nan)
    if names is None:
        names = dataset["name"] if "name" in dataset else xr.DataArray(np.arange(1, len(spectra) + 1).astype(str))
    labels = {str(k): v.values.astype(str) for k, v in dataset.coords.items() if v.dims == ("spectrum",)}
    labels.pop("spectrum", None)
    labels["name"] = np.asarray(names.values).astype(str)
    flagged = "spectra" in dataset and "good" in values.coords and values["good"].dims == ("band",)
    good = values["good"].values.astype(bool)[keep] if flagged else None
    library = build(spectra[:, keep], values["wavelength"].values[keep], fwhm[keep], labels, good=good)
    said = values.attrs.get("scale", dataset.attrs.get("scale"))  # endmembers of a product: physical or peak
    about = {"scale": said} if isinstance(said, str) else {}
    for key in ("quantity", "units"):  # what the numbers are, where somebody says so
        stated = values.attrs.get(key, dataset.attrs.get(key) if values.name == "spectra" else None)
        about |= {key: stated} if isinstance(stated, str) and stated else {}
    return library.assign_attrs(about)


def by_class(library: xr.Dataset, *, level: str | int) -> xr.Dataset:
    """Take another column of a library as its classes.

    Parameters
    ----------
    library : xarray.Dataset
        A library.
    level : str or int
        A column, in any case; 2 means ``level_2``.

    Returns
    -------
    xarray.Dataset
        The library with that column as ``class``.

    Raises
    ------
    ConfigError
        There is no such column.
    """
    wanted = f"level_{level}" if isinstance(level, int) or str(level).isdigit() else str(level).strip().lower()
    columns = {str(key).lower(): key for key, value in library.coords.items() if value.dims == ("spectrum",)}
    if wanted not in columns:
        raise ConfigError(
            f"the library has no class level {level!r}", ", ".join(sorted(columns)), "Look at it: hsgeo library info"
        )
    return library.assign_coords({"class": ("spectrum", library[columns[wanted]].values.astype(str))})


def build(
    spectra: np.ndarray,
    wavelength: np.ndarray,
    fwhm: np.ndarray | None,
    labels: Mapping[str, np.ndarray],
    *,
    good: np.ndarray | None = None,
) -> xr.Dataset:
    """Put a library together.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(spectrum, band)``; float64 stays, everything else becomes float32.
    wavelength, fwhm : numpy.ndarray
        ``(band,)`` nm; None: widths unknown.
    labels : mapping of str to numpy.ndarray
        ``name`` and further text columns ``(spectrum,)``.
    good : numpy.ndarray, optional
        ``(band,)`` bool, the bands to use; None: nothing is said.

    Returns
    -------
    xarray.Dataset
        The library, in the order of the file.
    """
    fwhm = np.full(len(wavelength), np.nan) if fwhm is None else np.asarray(fwhm, dtype=np.float64)
    coords: dict[str, tuple] = {key: ("spectrum", np.asarray(values).astype(str)) for key, values in labels.items()}
    if good is not None:
        coords["good"] = ("band", np.asarray(good, dtype=bool))
    spectra = np.asarray(spectra)
    spectra = spectra if spectra.dtype == np.float64 else spectra.astype(np.float32)
    return xr.Dataset(
        {"spectra": (("spectrum", "band"), spectra)},
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
            some = ", ".join(names[:_NAMES]) + (f", ... ({len(names)} in all)" if len(names) > _NAMES else "")
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
    if "grid" in chosen.coords:  # the bands of grids that are gone
        chosen = chosen.isel(band=np.flatnonzero(np.isfinite(chosen["spectra"].values).any(axis=0)))
    return chosen.assign_coords(name=("spectrum", np.array(kept)))


def resample_library(library: xr.Dataset, wavelength: np.ndarray, fwhm: np.ndarray | None = None) -> xr.Dataset:
    """Bring a library to the bands of a sensor; see `hsgeo.spectra.srf.response_matrix`.

    Bands that the library flags as bad are taken as not measured. A library more than twice as coarse as the sensor
    gives a warning (it cannot show what the sensor would), one more than ten times as coarse is refused.

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
        No band is covered by any spectrum, or the library is far too coarse.
    """
    values = library["spectra"].transpose("spectrum", "band")
    given = values["fwhm"].values if "fwhm" in values.coords else None
    usable = values.values
    if "good" in library.coords and library["good"].dims == ("band",):
        usable = np.where(library["good"].values.astype(bool), usable, np.nan)
    spectra = resample(usable, values["wavelength"].values, given, wavelength, fwhm)
    _check_coarseness(usable, values["wavelength"].values, given, np.asarray(wavelength), fwhm)
    labels = {str(k): v.values for k, v in library.coords.items() if v.dims == ("spectrum",) and k != "grid"}
    out = build(spectra.astype(values.dtype), wavelength, fwhm, labels)
    return out.assign_attrs(library.attrs)


def _check_coarseness(
    spectra: np.ndarray, w: np.ndarray, fwhm: np.ndarray | None, to: np.ndarray, to_fwhm: np.ndarray | None
) -> None:
    worst = 0.0
    for pattern in np.unique(np.isfinite(spectra), axis=0):
        if pattern.any():
            ratio = coarseness(w[pattern], None if fwhm is None else fwhm[pattern], to, to_fwhm)
            worst = max(worst, float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else 0.0)
    if worst > _TOO_COARSE:
        raise ConfigError(
            f"the library is {worst:.0f} times as coarse as the sensor",
            f"at most {_TOO_COARSE:g} times: between its bands nothing is known",
            "Take a library of a spectrometer",
        )
    if worst > _COARSE:
        warnings.warn(
            HsgeoWarning(
                f"the library is {worst:.1f} times as coarse as the sensor: its spectra lack narrow features that the "
                "sensor sees"
            ),
            stacklevel=3,
        )


def _is_zarr(path: Path) -> bool:
    return any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))


def _own(path: Path) -> xr.Dataset:
    opened = xr.open_zarr(path, chunks=None) if path.is_dir() else xr.open_dataset(path, engine="h5netcdf")
    with opened:
        small = [str(name) for name in ("spectra", "endmembers") if name in opened and "band" in opened[name].dims]
        small = [name for name in small if opened[name].ndim == 2]
        return as_library(opened[small].load() if small else opened, dtype="float64")


def in_nanometres(library: xr.Dataset, path: Path) -> xr.Dataset:
    """Turn the micrometres of a file into nanometres, told by their size."""
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
        used, note = values, ""
        good = library["good"].values if "good" in library.coords else np.ones(values.shape[1], bool)
        if not good.all() and np.isfinite(values[:, good]).any():  # bad bands can hold anything
            used, note = values[:, good], " (bad bands left out)"
        highest = float(used[np.isfinite(used)].max())
        scale = 1.0
        if highest > _SCALED:
            scale, said = (100.0, "in percent") if highest <= _PERCENT else (10_000.0, "times 10000")
            warnings.warn(
                HsgeoWarning(
                    f"{path.name} does not say its scale and holds values up to {highest:g}{note}: taken as "
                    f"reflectance {said}. Give scale= if that is wrong."
                ),
                stacklevel=3,
            )
    if scale == 1:
        return library
    return library.assign(spectra=library["spectra"].astype(np.float64) / scale).assign_attrs(divided_by=scale)

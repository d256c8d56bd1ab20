"""Verbs for spectral libraries: describe, draw, write, bring to a sensor."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoError, HsgeoWarning

__all__ = ["draw_library", "library_facts", "resample_library", "write_library"]


def library_facts(library: xr.Dataset) -> dict[str, Any]:
    """Tell what a library holds, and what is odd about it.

    Parameters
    ----------
    library : xarray.Dataset
        A library: from `open_library`, or one of your own with ``spectra (spectrum, band)`` and ``wavelength (band)``.

    Returns
    -------
    dict
        As `hsgeo.spectra.library_facts.library_facts` says.

    Raises
    ------
    ConfigError
        It is no library.
    """
    from hsgeo.spectra.library_facts import library_facts as facts

    return facts(_whole(library))


def draw_library(library: xr.Dataset, path: str | Path, *, title: str = "") -> None:
    """Draw the spectra of a library by class.

    Parameters
    ----------
    library : xarray.Dataset
        From `open_library`.
    path : path
        The picture: .png, .pdf or .svg.
    title : str
        Above it.
    """
    from hsgeo.product.library_picture import library_picture

    library_picture(_whole(library), path, title=title)


def write_library(
    library: xr.Dataset, path: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path] = ()
) -> list[Path]:
    """Write a library as ENVI ``.sli``, CSV, Zarr or netCDF, whole or not at all.

    Parameters
    ----------
    library : xarray.Dataset
        A library.
    path : path
        The suffix says the format.
    overwrite : bool
        Replace what is there.
    inputs : iterable of path
        Files that must not be overwritten.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    HsgeoError
        If it cannot be written; then nothing has changed.
    """
    from hsgeo.product.writing import check_target
    from hsgeo.spectra.library_table import check_table
    from hsgeo.spectra.library_write import library_files
    from hsgeo.spectra.library_write import write_library as write

    library = _whole(library)
    if Path(path).suffix.lower() == ".csv":  # before its input is missed: the table belongs to that, too
        check_table(Path(path))
    read = [file for given in inputs for file in _files(Path(given))]
    for target in library_files(path):
        check_target(target, overwrite=overwrite, resume=False, inputs=read)
    return write(library, path, overwrite=overwrite)


def resample_library(library: xr.Dataset, to: str | Path) -> xr.Dataset:
    """Bring a library to the bands of a sensor, a scene, a product or another library.

    Parameters
    ----------
    library : xarray.Dataset
        A library.
    to : str or path
        A file, or the name of a sensor that a catalog has. A CSV with a column ``wavelength`` and one ``fwhm`` (and
        ``good``) lists bands.

    Returns
    -------
    xarray.Dataset
        The library on those bands. A band that no spectrum covers is NaN and flagged in ``good``, as are bands that
        the target flags; a warning says how many there are.

    Raises
    ------
    HsgeoError
        The target is neither, the library covers none of its bands, or is far too coarse.
    """
    from hsgeo.spectra.library import resample_library as resample

    library = _whole(library)
    wavelength, fwhm, good, name = _bands(to)
    out = resample(library, wavelength, fwhm)
    there = np.isfinite(out["spectra"].values)
    lost = ~there.any(axis=0)
    some = ~there.all(axis=0) & ~lost
    said = [f"{int(lost.sum())} are covered by no spectrum ({_ranges(wavelength, lost)})"] if lost.any() else []
    said += [f"{int(some.sum())} are not covered by all ({_ranges(wavelength, some)})"] if some.any() else []
    if said:
        warnings.warn(
            HsgeoWarning(f"of the {len(wavelength)} bands of {name} {' and '.join(said)}: NaN there"),
            stacklevel=2,
        )
    flags = good & ~lost if good is not None else ~lost
    return out if flags.all() else out.assign_coords(good=("band", flags))


def _whole(library: xr.Dataset) -> xr.Dataset:
    """Give a library that a user put together what all have: names, widths."""
    from hsgeo.spectra.library import as_library

    if {"spectra", "name", "wavelength", "fwhm"} <= set(library.variables) and "name" in library.coords:
        return library
    kind = library["spectra"].dtype if "spectra" in library else np.dtype("float32")
    made = as_library(library, dtype="float32" if kind == np.float32 else "float64")
    return made.assign_attrs(library.attrs) if "spectra" in library else made


def _files(path: Path) -> list[Path]:
    """Return the files that belong to a library that is read."""
    from hsgeo.spectra.library_table import is_csv_library

    table = path.with_suffix(".csv")
    beside = [Path(f"{path}.hdr"), *(path.with_suffix(end) for end in (".hdr", ".sli"))]
    beside += [] if is_csv_library(table) else [table]
    known = path.suffix.lower() in (".sli", ".hdr", "")
    return [path, *(file for file in beside if known and file.is_file())]


def _ranges(wavelength: np.ndarray, flag: np.ndarray) -> str:
    order = np.argsort(wavelength, kind="stable")
    w, flag = wavelength[order], flag[order]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flag, [False]]).astype(int)))
    return ", ".join(f"{w[a]:.0f}-{w[b - 1]:.0f}" for a, b in zip(edges[::2], edges[1::2], strict=True)) + " nm"


def _bands(to: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, str]:
    from hsgeo.scene.catalog import sensor, sensors

    path = Path(to)
    if path.exists():
        found, name = _target(path), path.name
        fwhm = found["fwhm"].values if "fwhm" in found.coords else np.full(found["wavelength"].size, np.nan)
        good = found["good"].values.astype(bool) if "good" in found.coords else None
        return found["wavelength"].values.astype(float), fwhm.astype(float), good, name
    if str(to).strip().lower() not in sensors():
        raise ConfigError(
            f"there is no file and no sensor called {str(to)!r}",
            f"a scene, a library, a product, or one of the sensors {', '.join(sensors())}",
        )
    known = sensor(str(to))
    return known.wavelength, known.fwhm, known.good, known.name


def _target(path: Path) -> xr.Dataset:
    """Open a scene, a library or a product for its bands."""
    from hsgeo.product.opening import open_product
    from hsgeo.scene import open_scene
    from hsgeo.spectra.library import in_nanometres, read_library
    from hsgeo.spectra.library_csv import read_bands

    reasons = []
    if path.suffix.lower() in (".csv", ".tsv"):
        bands = read_bands(path)
        if bands is not None:
            return in_nanometres(bands, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HsgeoWarning)  # its values do not matter, so neither does their scale
        for opening in (open_product, read_library, open_scene):
            try:
                return opening(path)
            except HsgeoError as error:
                reasons.append(error)
    raise ConfigError(
        f"{path} is no product, no library and no scene ({reasons[-1].found})",
        "something with bands, or the name of a sensor",
    )

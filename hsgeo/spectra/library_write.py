"""Write spectral libraries: ENVI ``.sli``, CSV, Zarr and netCDF, whole or not at all."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.library_grid import one_grid
from hsgeo.spectra.library_table import check_table

__all__ = ["library_files", "write_library"]

_FORMATS = ".sli (ENVI, with .hdr and .csv beside it), .csv, .zarr or .nc"
_KEPT = ("name", "class")  # first columns of tables, in this order


def library_files(path: str | Path) -> list[Path]:
    """Say which files a library of this name takes.

    Parameters
    ----------
    path : str or pathlib.Path
        ``lib.sli`` (or ``lib.hdr``), ``lib.csv``, ``lib.zarr`` or ``lib.nc``.

    Returns
    -------
    list of pathlib.Path
        The main one first; with ``.sli`` its header and its table of classes.

    Raises
    ------
    ConfigError
        No library format has this suffix.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".sli", ".hdr"):
        return [path.with_suffix(end) for end in (".sli", ".hdr", ".csv")]
    if suffix in (".csv", ".zarr", ".nc"):
        return [path]
    found = f"no library format has the suffix {suffix}" if suffix else f"{path} has no suffix"
    raise ConfigError(found, _FORMATS)


def write_library(library: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write a library; `read_library` gives it back, in every bit with ``.sli``, ``.zarr`` and ``.nc``.

    Float32 spectra are written as float32, float64 ones as float32 where that loses nothing and as float64 elsewhere.
    CSV is the layout of emit-sds (a row per spectrum) and keeps neither widths nor bad bands. ``.sli`` and CSV know but
    one wavelength grid: others are interpolated, with a warning (`hsgeo.spectra.library_grid.one_grid`).

    Parameters
    ----------
    library : xarray.Dataset
        A library.
    path : str or pathlib.Path
        The suffix says the format; the folder exists.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        The suffix is unknown, something is there, a table of classes or another library would be lost
        (`hsgeo.spectra.library_table.check_table`), or it cannot be written; then nothing has changed.
    """
    targets = library_files(path)
    check_table(targets[0])
    there = [target for target in targets if target.exists()]
    if there and not overwrite:
        raise ConfigError(f"{there[0]} exists", "a new path", "Use --overwrite to replace it")
    main = targets[0]
    if main.suffix.lower() in (".sli", ".csv") and "grid" in library.coords:
        grids = len(np.unique(library["grid"].values))
        library = one_grid(library)
        w = library["wavelength"].values
        warnings.warn(
            HsgeoWarning(
                f"spectra of {grids} wavelength grids were interpolated to the commonest, {len(w)} bands, "
                f"{w.min():g}-{w.max():g} nm; .zarr and .nc keep them as they are"
            ),
            stacklevel=2,
        )
    try:
        scratch = Path(tempfile.mkdtemp(dir=main.parent, prefix=f".{main.stem}-"))
    except OSError as error:
        raise ConfigError(f"{main.parent} cannot be written to ({error.strerror})", "an existing folder") from error
    try:
        _WRITERS[main.suffix.lower()](_exact(library), scratch / main.name)
        made = [target for target in targets if (scratch / target.name).exists()]
        _exchange(there, made, scratch)
    except OSError as error:
        raise ConfigError(f"{main} cannot be written ({error.strerror or error})", "a folder with room") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return made


def _exchange(old: list[Path], new: list[Path], scratch: Path) -> None:
    """Put what lies in a scratch folder in the place of what is there; on failure, all is as before."""
    done: list[tuple[Path, Path]] = []
    moves = [(path, scratch / f"old-{i}") for i, path in enumerate(old)]  # a folder cannot be replaced by a folder
    moves += [(scratch / path.name, path) for path in new]
    try:
        for source, target in moves:
            os.replace(source, target)
            done.append((source, target))
    except OSError:
        for source, target in reversed(done):
            os.replace(target, source)
        raise


def _exact(library: xr.Dataset) -> xr.Dataset:
    """Take float32 where that loses nothing; layout as all writers want it."""
    spectra = library["spectra"].transpose("spectrum", "band")
    short = spectra.astype(np.float32)
    if spectra.dtype != np.float32 and np.array_equal(short.astype(np.float64), spectra, equal_nan=True):
        spectra = short
    return library.drop_vars("spectra").assign(spectra=spectra)


def _write_sli(library: xr.Dataset, path: Path) -> None:
    from hsgeo.spectra.library_envi import listed_name

    spectra = library["spectra"].values
    kind = "<f4" if spectra.dtype == np.float32 else "<f8"
    spectra.astype(kind).tofile(path)
    header = {
        "description": "{Spectral library written by hsgeo}",
        "samples": spectra.shape[1],
        "lines": spectra.shape[0],
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Spectral Library",
        "data type": 4 if kind == "<f4" else 5,
        "interleave": "bsq",
        "byte order": 0,
        "wavelength units": "Nanometers",
        "reflectance scale factor": "1.0",
        "z plot titles": "{Wavelength, Reflectance}",
        "band names": "{Spectral Library}",
        "spectra names": _listed([listed_name(name) for name in library["name"].values.tolist()]),
        "wavelength": _listed([repr(w) for w in library["wavelength"].values.tolist()]),
    }
    fwhm = library["fwhm"].values
    if np.isfinite(fwhm).any():
        header["fwhm"] = _listed([repr(w) if np.isfinite(w) else "0" for w in fwhm.tolist()])
    if "good" in library.coords:
        header["bbl"] = _listed([str(int(flag)) for flag in library["good"].values])
    lines = ["ENVI", *(f"{key} = {value}" for key, value in header.items())]
    path.with_suffix(".hdr").write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = _columns(library)
    exact = all(listed_name(name) == name for name in library["name"].values.tolist())
    if len(columns) > 1 or not exact:
        table = columns if len(columns) > 1 else [*columns, "class"]
        with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["spectra names", *table[1:]])
            writer.writerows(zip(*(_column(library, key) for key in table), strict=True))


def _write_csv(library: xr.Dataset, path: Path) -> None:
    lost = [what for what, gone in _lost(library).items() if gone]
    if lost:
        warnings.warn(HsgeoWarning(f"CSV keeps no {' and no '.join(lost)}"), stacklevel=3)
    columns = _columns(library)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, *(repr(w) for w in library["wavelength"].values.tolist())])
        labels = zip(*(_column(library, key) for key in columns), strict=True)
        for row, values in zip(labels, library["spectra"].values, strict=True):
            writer.writerow([*row, *(str(value) if np.isfinite(value) else "" for value in values)])


def _lost(library: xr.Dataset) -> dict[str, bool]:
    flagged = "good" in library.coords and not library["good"].values.all()
    return {"band widths": bool(np.isfinite(library["fwhm"].values).any()), "bad band list": bool(flagged)}


def _write_zarr(library: xr.Dataset, path: Path) -> None:
    _plain(library).to_zarr(path, zarr_format=2, consolidated=True)


def _write_netcdf(library: xr.Dataset, path: Path) -> None:
    _plain(library).to_netcdf(path, engine="h5netcdf")


def _plain(library: xr.Dataset) -> xr.Dataset:
    out = library.copy()
    out.attrs = {"title": "hsgeo spectral library"}
    # what the numbers are, where the library says so: a run compares it with its scene
    out["spectra"].attrs = {key: library.attrs[key] for key in ("quantity", "units") if key in library.attrs}
    for name in out.variables:
        out[name].encoding = {}
    return out


_WRITERS: dict[str, Callable[[xr.Dataset, Path], None]] = {
    ".sli": _write_sli,
    ".csv": _write_csv,
    ".zarr": _write_zarr,
    ".nc": _write_netcdf,
}


def _columns(library: xr.Dataset) -> list[str]:
    columns = [str(key) for key, value in library.coords.items() if value.dims == ("spectrum",)]
    return [key for key in _KEPT if key in columns] + [key for key in columns if key not in _KEPT]


def _column(library: xr.Dataset, key: str) -> list[str]:
    if key not in library.coords:  # a table has two columns at least, to be told from a list
        return [""] * library.sizes["spectrum"]
    return [" ".join(str(text).split()) for text in library[key].values]


def _listed(items: list[str]) -> str:
    """Write a list as ENVI does, in lines that editors and other readers can take."""
    lines = [", ".join(items[i : i + 8]) for i in range(0, len(items), 8)]
    return "{\n " + ",\n ".join(lines) + "}"

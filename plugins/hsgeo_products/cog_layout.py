"""How a product lies in GeoTIFFs: a file per variable, a band per entry of its leading dims, a description in tags."""

from __future__ import annotations

import csv
import errno
import io
import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["Paths", "band_names", "describe", "endmember_table", "raster_names", "reserve", "tags", "windows"]

_LARGEST = 200_000
"""Values of a variable without y and x that still go into a tag: spectra do, a swath's lookup grid does not."""


@dataclass(frozen=True)
class Paths:
    """The files of one product, finished and unfinished.

    Parameters
    ----------
    main : pathlib.Path
        ``abund.tif``, the abundances.
    """

    main: Path

    def final(self, name: str) -> Path:
        """Return the file of a variable: the main one for ``abundance``, else ``abund_rmse.tif`` and so on."""
        return self.main if name == "abundance" else self.main.with_name(f"{self.main.stem}_{name}{self.main.suffix}")

    def raw(self, name: str) -> Path:
        """Return the plain GeoTIFF that the tiles of a variable are written to."""
        return self.main.with_name(f"{self.main.name}.partial.{name}.tif")

    def cooked(self, name: str) -> Path:
        """Return the COG before it gets its name."""
        return self.main.with_name(f"{self.main.name}.partial.{name}.cog.tif")

    @property
    def table(self) -> Path:
        """The endmember spectra as CSV."""
        return self.main.with_name(f"{self.main.stem}_endmembers.csv")

    @property
    def run(self) -> Path:
        """Facts of the unfinished run, JSON."""
        return self.main.with_name(f"{self.main.name}.partial.json")

    @property
    def done(self) -> Path:
        """One line per finished region."""
        return self.main.with_name(f"{self.main.name}.partial.done")


def raster_names(template: xr.Dataset) -> list[str]:
    """Return every variable and coordinate over (y, x); ``abundance`` is the main file."""
    return [str(name) for name, var in template.variables.items() if var.dims[-2:] == ("y", "x")]


def band_names(template: xr.Dataset, name: str) -> list[str]:
    """Name the bands of a variable by its leading coordinates, in C order; the variable itself where there are none."""
    lead = template[name].dims[:-2]
    axes = []
    for dim in lead:
        values = template[dim].values if dim in template.coords else range(template.sizes[dim])
        axes.append([f"{value}" if dim == "endmember" else f"{dim} {value}" for value in values])
    return [" ".join(parts) for parts in itertools.product(*axes)] if lead else [name]


def tags(template: xr.Dataset, name: str) -> dict[str, str]:
    """Return the tags of the file of one variable."""
    attrs = template.attrs
    out = {"hsgeo_variable": name}
    for key in ("hsgeo_run_id", "hsgeo_version", "history", "sum", "scale", "shade"):
        if key in attrs:
            out[key] = str(attrs[key])
    if name == "abundance":
        out["hsgeo"] = json.dumps(describe(template))
    return out


def describe(template: xr.Dataset) -> dict[str, Any]:
    """Describe the whole product: what opening it again needs besides the rasters.

    Parameters
    ----------
    template : xarray.Dataset
        The product.

    Returns
    -------
    dict
        ``attrs``; ``rasters`` by name (dims, lead: sizes of all but y and x, dtype, attrs, whether a
        coordinate); ``variables`` by name (dims, dtype, attrs, values, whether a coordinate). Plain JSON
        types; NaN is null.
    """
    rasters, variables = {}, {}
    for name, var in template.variables.items():
        entry: dict[str, Any] = {"dims": list(var.dims), "dtype": var.dtype.str, "attrs": dict(var.attrs)}
        entry["coord"] = name in template.coords
        if var.dims[-2:] == ("y", "x"):
            rasters[str(name)] = {**entry, "lead": list(var.shape[:-2])}
        elif name not in ("y", "x", "spatial_ref") and var.size <= _LARGEST:
            variables[str(name)] = {**entry, "values": _listed(var.values)}
    return {"attrs": {**template.attrs, "hsgeo_status": "complete"}, "rasters": rasters, "variables": variables}


def endmember_table(template: xr.Dataset) -> str | None:
    """Return the endmember spectra as CSV text: wavelength and fwhm in nm, good, one column per endmember.

    Parameters
    ----------
    template : xarray.Dataset
        The product.

    Returns
    -------
    str or None
        None where the product has no endmembers.
    """
    if "endmembers" not in template.data_vars:
        return None
    spectra = template["endmembers"].transpose("band", "endmember")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    known = [name for name in ("wavelength", "fwhm", "good") if name in template.coords]
    writer.writerow([*known, *(str(n) for n in spectra["endmember"].values)])
    for i, row in enumerate(spectra.values):
        writer.writerow([*(_cell(template[name].values[i]) for name in known), *map(_cell, row)])
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, np.bool_):
        return str(int(value))
    return "" if np.isnan(value) else f"{value!s}"  # str of a numpy float: its shortest exact form


def _listed(values: np.ndarray) -> Any:
    if values.dtype.kind == "M":
        return np.datetime_as_string(values).tolist()
    if values.dtype.kind in "fmc":
        return _without_nan(values.astype(object) if values.dtype.kind != "f" else values.astype(np.float64).tolist())
    if values.dtype.kind in "OT":
        return values.astype(str).tolist()
    return values.tolist()


def _without_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if value != value else value


def windows(shape: tuple[int, int], side: int) -> Iterator[tuple[slice, slice]]:
    """Cut a raster into squares, row by row."""
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield slice(top, min(top + side, shape[0])), slice(left, min(left + side, shape[1]))


def reserve(path: Path, size: int) -> None:
    """Fail at once where there is no room for a file: GDAL tells of a full disk on stderr, not the caller.

    Parameters
    ----------
    path : pathlib.Path
        The file, made anew.
    size : int
        Bytes.

    Raises
    ------
    OSError
        When the disk has no room for it, or a limit does not allow it.
    """
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise OSError(errno.ENOSPC, f"{size / 1e9:.2f} GB are needed for {path.name}, {free / 1e9:.2f} GB are free")
    with path.open("wb") as file:
        file.truncate(size)  # takes no room, but shows a limit on the size of files

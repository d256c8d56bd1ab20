"""Scenes stored in hsgeo's own convention, for scenes that are read often: chunks that suit tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from hsgeo.errors import ConfigError

__all__ = ["write_native"]


def write_native(scene: xr.Dataset, path: str | Path, *, zarr_format: int = 2, chunk: int = 128) -> Path:
    """Store a scene.

    Parameters
    ----------
    scene : xarray.Dataset
        A scene (docs/conventions).
    path : str or pathlib.Path
        ``.zarr`` or ``.nc``; an existing one is not replaced.
    zarr_format : {2, 3}
        2 is read by every GDAL since 3.4.
    chunk : int
        Side of the chunks, pixels; each holds all bands.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If the path exists or its suffix is neither.
    """
    path = Path(path)
    if path.exists():
        raise ConfigError(f"{path} exists", "a new path", "Remove it or choose another name")
    plain = scene.copy()
    if "wavelength" in plain.xindexes:
        plain = plain.drop_indexes("wavelength")  # indexes are not stored; the reader makes it anew
    encoding: dict[Any, dict[str, Any]] = {}
    for name, variable in plain.data_vars.items():
        variable.encoding = {}
        if variable.dims[-2:] == ("y", "x"):
            sides = {"y": chunk, "x": chunk}
            size = tuple(min(n, sides.get(str(d), n)) for d, n in zip(variable.dims, variable.shape, strict=True))
            encoding[name] = {"chunks": size} if path.suffix != ".nc" else {"chunksizes": size}
    for name, coordinate in plain.coords.items():
        coordinate.encoding = {}
        if coordinate.dtype.kind == "U" and path.suffix == ".zarr" and zarr_format == 3:
            plain = plain.assign_coords({name: coordinate.astype(object)})  # format 3 specifies no fixed-width strings
    if path.suffix == ".zarr":
        if plain.chunks:
            plain = plain.chunk({d: n for d, n in (("band", -1), ("y", chunk), ("x", chunk)) if d in plain.dims})
        plain.to_zarr(path, zarr_format=zarr_format, consolidated=zarr_format == 2, encoding=encoding)
    elif path.suffix == ".nc":
        plain.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    else:
        raise ConfigError(f"{path} has the suffix {path.suffix!r}", ".zarr or .nc")
    return path

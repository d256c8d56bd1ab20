"""Scenes stored in hsgeo's own convention, for scenes that are read often: chunks that suit tiles."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, SceneError

__all__ = ["COUNTED", "write_native"]

COUNTED = {"y": "row", "x": "col"}
"""Names in the file of the coordinates that number the pixels of a rotated grid."""
BLOCK = 64 * 2**20  # bytes of spectra held at a time
_PATIENCE = 5.0  # s: zarr ends with the first chunk that fails, while its threads still write the others


def write_native(
    scene: xr.Dataset,
    path: str | Path,
    *,
    zarr_format: int = 2,
    chunk: int = 128,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Store a scene with everything it has: quality, stated errors, geolocation, lookup table, angles.

    A ``.zarr`` is written block by block, beside the target, and put in its place when it is complete. An interrupt
    ends it after the block in work, and leaves nothing behind.

    Parameters
    ----------
    scene : xarray.Dataset
        A scene (docs/conventions), lazy or not.
    path : str or pathlib.Path
        ``.zarr`` or ``.nc``.
    zarr_format : {2, 3}
        2 is read by every GDAL since 3.4.
    chunk : int
        Side of the chunks, pixels; each holds all bands.
    overwrite : bool
        Replace an existing one.
    progress : callable
        ``progress(blocks done, blocks in all)``.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If the path exists or its suffix is neither.
    SceneError
        If the disk cannot take it.
    """
    path = Path(path)
    if path.suffix not in (".zarr", ".nc"):
        raise ConfigError(f"{path} has the suffix {path.suffix!r}", ".zarr or .nc")
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists", "a new path", "Remove it or choose another name")
    try:
        if path.suffix == ".nc":
            plain, encoding = _plain(scene, chunk, "chunksizes")
            _put(path, lambda fresh: plain.to_netcdf(fresh, engine="h5netcdf", encoding=encoding))
        else:
            _apart(
                lambda go_on: _put(path, lambda fresh: _write_zarr(scene, fresh, zarr_format, chunk, progress, go_on))
            )
    except OSError as error:
        raise SceneError(
            f"{path} cannot be written: {error}", "a writable folder with room", "Choose another path"
        ) from error
    return path


class _StoppedError(Exception):
    """Raised between blocks once nobody waits for them."""


def _apart(work: Callable[[Callable[[], None]], None]) -> None:
    """Work in a thread of its own, so that an interrupt never leaves zarr in the middle of a block."""
    stop = threading.Event()

    def go_on() -> None:
        if stop.is_set():
            raise _StoppedError

    with ThreadPoolExecutor(1, thread_name_prefix="hsgeo-store") as pool:
        done = pool.submit(work, go_on)
        try:
            done.result()
        except BaseException:
            stop.set()  # leaving the pool waits for the block in work and for the cleaning
            raise


def _put(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside a path, then put what was written in its place."""
    token = secrets.token_hex(4)
    fresh, old = path.with_name(f".{path.name}.{token}.new"), path.with_name(f".{path.name}.{token}.old")
    try:
        write(fresh)
        if path.is_dir() and not path.is_symlink():
            os.rename(path, old)
        os.replace(fresh, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.rename(old, path)
        raise
    finally:
        _remove(fresh)
        _remove(old)


def _remove(path: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while path.exists() and time.monotonic() < until:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if path.exists():
            time.sleep(0.05)


def _plain(scene: xr.Dataset, chunk: int, key: str) -> tuple[xr.Dataset, dict[Any, dict[str, Any]]]:
    """Return the scene without what files cannot hold, and the chunks of its rasters."""
    plain = scene.copy()
    if "wavelength" in plain.xindexes:
        plain = plain.drop_indexes("wavelength")  # indexes are not stored; the reader makes it anew
    if _is_rotated(scene):  # GDAL would take pixel numbers named y and x for places on the map
        plain = plain.drop_indexes(["y", "x"]).rename_vars(COUNTED)
    encoding: dict[Any, dict[str, Any]] = {}
    for name, variable in plain.variables.items():
        variable.encoding = {}
        if variable.ndim > 1:
            sides = [
                n if dim == "band" else min(n, chunk) for dim, n in zip(variable.dims, variable.shape, strict=True)
            ]
            encoding[name] = {key: tuple(sides)}
    return plain, encoding


def _is_rotated(scene: xr.Dataset) -> bool:
    parts = str(scene["spatial_ref"].attrs.get("GeoTransform", "")).split() if "spatial_ref" in scene.coords else []
    return len(parts) == 6 and (float(parts[2]) != 0 or float(parts[4]) != 0) and {"y", "x"} <= set(scene.xindexes)


def _write_zarr(
    scene: xr.Dataset,
    path: Path,
    zarr_format: int,
    chunk: int,
    progress: Callable[[int, int], None],
    go_on: Callable[[], None],
) -> None:
    import dask.array as da
    import zarr

    plain, encoding = _plain(scene, chunk, "chunks")
    hollow = plain
    for name in encoding:  # one lazy block that is never computed: only its shape and type are written
        var = plain.variables[name]
        empty = xr.Variable(var.dims, da.zeros(var.shape, dtype=var.dtype, chunks=-1), var.attrs)
        hollow = hollow.assign_coords({name: empty}) if name in plain.coords else hollow.assign({name: empty})
    for name, coordinate in plain.coords.items():
        if coordinate.dtype.kind == "U" and zarr_format == 3:
            hollow = hollow.assign_coords({name: coordinate.astype(object)})  # format 3: no fixed-width strings
    hollow.to_zarr(path, zarr_format=zarr_format, consolidated=zarr_format == 2, encoding=encoding, compute=False)
    blocks = [(name, block) for name in encoding for block in _blocks(plain.variables[name], chunk)]
    opened = {name: zarr.open_array(path / str(name), mode="r+") for name in encoding}
    for done, (name, block) in enumerate(blocks):
        go_on()
        progress(done, len(blocks))
        opened[name][block] = np.asarray(plain.variables[name][block].values)
    go_on()
    progress(len(blocks), len(blocks))


def _blocks(variable: xr.Variable, chunk: int) -> list[tuple[slice, ...]]:
    """Cut a raster into whole chunks side by side, as many as memory allows: rows are cheapest to read whole."""
    lead = (slice(None),) * (variable.ndim - 2)
    rows, cols = variable.shape[-2:]
    column = max(1, variable.dtype.itemsize * chunk * int(np.prod(variable.shape[:-2], dtype=np.int64)))
    wide = max(chunk, BLOCK // column // chunk * chunk)
    return [
        (*lead, slice(y, min(y + chunk, rows)), slice(x, min(x + wide, cols)))
        for y in range(0, rows, chunk)
        for x in range(0, cols, wide)
    ]

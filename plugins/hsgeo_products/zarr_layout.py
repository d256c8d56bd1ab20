"""How a product lies in a Zarr store: chunks, groups, metadata; everything but the tiles."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError
from hsgeo_products.config import ZarrOptions
from hsgeo_products.regions import count_tiles

__all__ = ["MARKS", "chunk_side", "lay_down", "open_array", "root_attrs", "swap", "tile_names"]

MARKS = ".hsgeo"
"""Folder inside an unfinished store: ``run.json`` and one empty file in ``done/`` for each finished region."""

_CHUNK = 512  # (5, 512, 512) float32 is 5 MB: large enough for object stores, small enough to view


def chunk_side(size: int, tile: int, wanted: int | None) -> int:
    """Choose a chunk side such that every tile covers whole chunks.

    Parameters
    ----------
    size, tile : int
        Pixels of the raster and of a tile along one axis.
    wanted : int or None
        What the user asked for.

    Returns
    -------
    int
        A divisor of ``tile``, or anything up to ``size`` when one tile spans the axis.

    Raises
    ------
    ConfigError
        When ``wanted`` does not divide the tile.
    """
    if wanted is not None:
        if tile < size and tile % wanted:
            raise ConfigError(
                f"chunk={wanted} with tiles of {tile} pixels",
                "a chunk size that divides the tile size",
                f"Use --tile {max(1, round(tile / wanted)) * wanted}, or leave chunk out",
            )
        return min(wanted, size)
    if tile >= size:
        return min(_CHUNK, size)
    # below a quarter of the usual side there would be too many small files: then the tile itself is the chunk
    fits = (side for side in range(min(_CHUNK, tile), _CHUNK // 4, -1) if tile % side == 0)
    return next(fits, tile)


def tile_names(template: xr.Dataset) -> list[str]:
    """Return the variables that are written tile by tile."""
    return [str(name) for name, var in template.data_vars.items() if var.dims[-2:] == ("y", "x")]


def lay_down(
    template: xr.Dataset,
    path: Path,
    state: Mapping[str, xr.Dataset],
    tile: tuple[int, int],
    chunk: tuple[int, int],
    options: ZarrOptions,
) -> None:
    """Write all of a product but its tiles: metadata, coordinates, scene-scope variables, fit states, marks.

    Parameters
    ----------
    template : xarray.Dataset
        The lazy product.
    path : pathlib.Path
        A store that does not exist yet.
    state : mapping of str to xarray.Dataset
        Fit states by stage id.
    tile, chunk : tuple of int
        Rows and columns of a tile and of a chunk.
    options : ZarrOptions
        Format and compression.
    """
    import dask.array

    fmt = options.zarr_format
    grids = [str(name) for name, var in template.variables.items() if var.dims[-2:] == ("y", "x")]
    hollow = template.copy(deep=False)
    encoding: dict[str, dict[str, Any]] = {}
    for name in grids:
        var = template.variables[name]
        # one lazy block that is never computed: only its shape and type are written
        lazy = xr.Variable(var.dims, dask.array.zeros(var.shape, dtype=var.dtype, chunks=-1), var.attrs)
        hollow = hollow.assign_coords({name: lazy}) if name in template.coords else hollow.assign({name: lazy})
        lead = var.shape[:-2]
        # samples and quantiles apart, the endmembers of a pixel together
        encoding[name] = {"chunks": (*(1 for _ in lead[:-1]), *lead[-1:], *chunk)}
    hollow = hollow.assign_attrs({**template.attrs, "hsgeo_status": "incomplete"})
    _write_group(hollow, path, None, fmt, options.level, encoding)
    for name in grids:
        if name in template.coords:  # lat and lon of a swath: known now, written by rows of chunks
            array = open_array(path, name)
            for top in range(0, template.sizes["y"], chunk[0]):
                rows = slice(top, top + chunk[0])
                array[rows] = template[name].isel(y=rows).values
    for stage, learnt in state.items():
        _write_group(learnt, path, f"fit/{stage}", fmt, options.level, {})
    _consolidate(path, fmt)
    marks = path / MARKS / "done"
    marks.mkdir(parents=True)
    shape = (template.sizes["y"], template.sizes["x"])
    facts = {"tile": tile, "chunk": chunk, "tiles": count_tiles(shape, tile), "zarr_format": fmt}
    (path / MARKS / "run.json").write_text(json.dumps(facts))


def _write_group(
    ds: xr.Dataset, path: Path, group: str | None, fmt: int, level: int, encoding: dict[str, dict[str, Any]]
) -> None:
    ds = ds.copy(deep=False)  # the caller's keeps its encoding, and stays lazy
    ds = ds.drop_indexes([name for name in ds.xindexes if name not in ds.dims])  # an index on wavelength is not stored
    for name, var in list(ds.variables.items()):
        entry = encoding.setdefault(str(name), {})
        if "chunks" not in entry:
            var.load()  # what is not a raster is small and written at once
        entry["compressors"] = _compressor(fmt, level)
        if var.dtype.kind == "f":
            # data: NaN is no result. Coordinates have no holes, and CF forbids the attribute there
            entry["_FillValue"] = None if name in ds.coords else var.dtype.type(np.nan)
        elif var.dtype.kind == "U" and fmt == 3:  # format 3 knows no fixed-width strings
            ds[name] = (var.dims, var.values.astype(object), var.attrs)
        elif var.dtype.kind in "OT" and fmt == 2:
            ds[name] = (var.dims, np.asarray(var.values.astype(object), dtype=str), var.attrs)
    for var in ds.variables.values():
        var.encoding = {}  # of a file it was read from, perhaps in the other format
    # compute=False: the hollow rasters of the root stay unwritten, numpy-backed variables are written all the same
    ds.to_zarr(
        path,
        group=group,
        mode="a" if group else "w-",
        zarr_format=fmt,
        consolidated=False,  # once, at the end, for all groups
        compute=group is not None,
        encoding=encoding,
    )


def _consolidate(path: Path, fmt: int) -> None:
    import zarr
    from zarr.errors import ZarrUserWarning

    with warnings.catch_warnings():
        # format 3 has no consolidated metadata in its specification yet, but xarray warns where it is missing, and
        # readers that do not know it pass over it
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(path, zarr_format=2 if fmt == 2 else 3)


def _compressor(fmt: int, level: int) -> Any:
    # plain zstd: threaded blosc may order its blocks by chance, and equal runs must leave equal bytes
    if fmt == 2:
        from numcodecs import Zstd

        return Zstd(level=level)
    from zarr.codecs import ZstdCodec

    return ZstdCodec(level=level)


def open_array(path: Path, name: str) -> Any:
    """Open one array of a store for writing."""
    import zarr

    # chunks of fill value are written too: a missing chunk of quality would read as 0, usable. The array keeps the
    # setting that it was opened under (zarr 3.1 drops the one that open_array takes)
    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(path / name, mode="r+")


def swap(fresh: Path, path: Path) -> None:
    """Put a new store where an old one may be; the old one is removed only when the new one is in its place."""
    if not path.exists():
        os.rename(fresh, path)
        return
    old = path.with_name(f".{path.name}.{secrets.token_hex(4)}.old")
    os.rename(path, old)
    try:
        os.rename(fresh, path)
    except OSError:
        os.rename(old, path)
        raise
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink()


def root_attrs(path: Path) -> dict[str, Any] | None:
    """Read the attributes of a store's root without a look at its members; None where there is no store."""
    for name in (".zattrs", "zarr.json"):
        try:
            found = json.loads((path / name).read_text())
        except (OSError, ValueError):
            continue
        return found.get("attributes", {}) if name == "zarr.json" else found
    return None

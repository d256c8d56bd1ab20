"""Products as one flat Zarr group, written tile by tile, resumable."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, ProductError, Region
from hsgeo_products.config import ZarrOptions
from hsgeo_products.regions import Bounds, check_covered, checked_region, count_tiles

__all__ = ["ZarrSink", "ZarrWriter", "chunk_side"]

_MARKS = ".hsgeo"
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


class ZarrWriter:
    """Writes ``.zarr`` products.

    Parameters
    ----------
    options : ZarrOptions, optional
        Format, chunks, compression.
    """

    def __init__(self, options: ZarrOptions | None = None) -> None:
        self.options = options or ZarrOptions()

    def create(
        self,
        template: xr.Dataset,
        path: Path,
        *,
        state: Mapping[str, xr.Dataset],
        tile: tuple[int, int],
        overwrite: bool,
        resume: bool,
    ) -> ZarrSink:
        """Write metadata and scene-scope variables, marked incomplete, or take up an unfinished store.

        The new store is made beside the target and renamed, so a failure leaves an old output untouched.
        With ``resume``, a target that is not there is begun.

        Parameters
        ----------
        template : xarray.Dataset
            The lazy product.
        path : pathlib.Path
            The store; its parent folder exists.
        state : mapping of str to xarray.Dataset
            Fit states, written to the child groups ``fit/<stage>``.
        tile : tuple of int
            Rows and columns of a tile.
        overwrite, resume : bool
            Replace an existing store; go on with an incomplete one.

        Returns
        -------
        ZarrSink
            Where the tiles go.

        Raises
        ------
        ProductError
            When the target exists, is another run's, or cannot be written.
        ConfigError
            When the chunk size asked for does not divide the tile.
        """
        path = Path(path)
        tile = (int(tile[0]), int(tile[1]))
        if path.exists() and resume:
            return _resumed(template, path, tile, self.options)
        if path.exists() and not overwrite:
            raise ProductError(f"{path} exists", "a new path", "Use --overwrite to replace it or --resume to go on")
        shape = (template.sizes["y"], template.sizes["x"])
        sides = [chunk_side(n, t, self.options.chunk) for n, t in zip(shape, tile, strict=True)]
        chunk = (sides[0], sides[1])
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        try:
            _lay_down(template, fresh, state, tile, chunk, self.options)
            _swap(fresh, path)
        except OSError as error:
            if isinstance(error, ProductError):
                raise
            raise ProductError(
                f"{path} cannot be written: {error}", "a writable folder with room", "Choose another --output"
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return ZarrSink(path, _tile_names(template), shape, tile, chunk)


class ZarrSink:
    """A Zarr product being written, from one process and any of its threads.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    names : list of str
        Tile variables.
    shape, tile, chunk : tuple of int
        Rows and columns of the raster, of a tile, of a chunk.
    """

    def __init__(
        self, path: Path, names: list[str], shape: tuple[int, int], tile: tuple[int, int], chunk: tuple[int, int]
    ) -> None:
        self.path, self._shape, self._tile, self._chunk = path, shape, tile, chunk
        self._marks = path / _MARKS / "done"
        self._arrays = {name: _array(path, name) for name in names}
        self._began = time.monotonic()

    def write(self, region: Region, tile: xr.Dataset) -> None:
        """Write one tile and mark it done.

        Parameters
        ----------
        region : Region
            Rows and columns; whole chunks.
        tile : xarray.Dataset
            Every tile variable of the template, numpy-backed.

        Raises
        ------
        ProductError
            When the region covers part of a chunk, or a variable is missing or has a wrong shape.
        """
        r0, r1, c0, c1 = checked_region(region, self._shape, self._chunk)
        blocks = {}
        for name, array in self._arrays.items():
            if name not in tile.variables:
                raise ProductError(f"a tile lacks {name!r}", "every tile variable of the template")
            values = np.asarray(tile[name].values, dtype=array.dtype)
            if values.shape != (*array.shape[:-2], r1 - r0, c1 - c0):
                raise ProductError(
                    f"{name!r} of a tile has shape {values.shape}", f"{(*array.shape[:-2], r1 - r0, c1 - c0)}"
                )
            blocks[name] = values
        for name, values in blocks.items():
            self._arrays[name][..., r0:r1, c0:c1] = values
        (self._marks / f"{r0}-{r1}-{c0}-{c1}").touch()

    def done(self) -> list[Region]:
        """Name the finished regions, in order."""
        return [(slice(r0, r1), slice(c0, c1)) for r0, r1, c0, c1 in sorted(self._finished())]

    def finish(self) -> None:
        """Mark the product complete.

        Raises
        ------
        ProductError
            When a tile is missing.
        """
        check_covered(self._finished(), self._shape, self._tile, self.path)
        _complete(self.path, time.monotonic() - self._began)
        gone = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.done")
        os.rename(self.path / _MARKS, gone)  # at once, so that no half-removed folder is left in the store
        shutil.rmtree(gone, ignore_errors=True)

    def _finished(self) -> Iterable[Bounds]:
        for mark in self._marks.iterdir():
            r0, r1, c0, c1 = (int(part) for part in mark.name.split("-"))
            yield r0, r1, c0, c1


# ---- laying down -----------------------------------------------------------------------------------------------------


def _tile_names(template: xr.Dataset) -> list[str]:
    return [str(name) for name, var in template.data_vars.items() if var.dims[-2:] == ("y", "x")]


def _lay_down(
    template: xr.Dataset,
    path: Path,
    state: Mapping[str, xr.Dataset],
    tile: tuple[int, int],
    chunk: tuple[int, int],
    options: ZarrOptions,
) -> None:
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
            array = _array(path, name)
            for top in range(0, template.sizes["y"], chunk[0]):
                rows = slice(top, top + chunk[0])
                array[rows] = template[name].isel(y=rows).values
    for stage, learnt in state.items():
        _write_group(learnt, path, f"fit/{stage}", fmt, options.level, {})
    _consolidate(path, fmt)
    marks = path / _MARKS / "done"
    marks.mkdir(parents=True)
    shape = (template.sizes["y"], template.sizes["x"])
    facts = {"tile": tile, "chunk": chunk, "tiles": count_tiles(shape, tile), "zarr_format": fmt}
    (path / _MARKS / "run.json").write_text(json.dumps(facts))


def _write_group(
    ds: xr.Dataset, path: Path, group: str | None, fmt: int, level: int, encoding: dict[str, dict[str, Any]]
) -> None:
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


def _array(path: Path, name: str) -> Any:
    import zarr

    # chunks of fill value are written too: a missing chunk of quality would read as 0, usable
    return zarr.open_array(path / name, mode="r+", config={"write_empty_chunks": True})


def _swap(fresh: Path, path: Path) -> None:
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


# ---- resuming and completing -----------------------------------------------------------------------------------------


def _resumed(template: xr.Dataset, path: Path, tile: tuple[int, int], options: ZarrOptions) -> ZarrSink:
    again = "Use --overwrite to begin anew"
    attrs = _root_attrs(path)
    if attrs is None or "hsgeo_status" not in attrs:
        raise ProductError(f"{path} is no product of hsgeo, so it cannot be resumed", "an incomplete product", again)
    if attrs["hsgeo_status"] == "complete":
        raise ProductError(f"{path} is complete, there is nothing to resume", "an incomplete product", again)
    mine, theirs = template.attrs.get("hsgeo_run_id"), attrs.get("hsgeo_run_id")
    if mine != theirs:
        raise ProductError(
            f"{path} was begun by run {theirs}, this is run {mine}: input, recipe, options, seed or versions differ",
            "the same run",
            f"Repeat the first call exactly, or {again[0].lower()}{again[1:]}",
        )
    try:
        facts = json.loads((path / _MARKS / "run.json").read_text())
        arrays = {name: _array(path, name) for name in _tile_names(template)}
    except (OSError, ValueError, KeyError) as error:
        raise ProductError(f"{path} has lost what resuming needs: {error}", "an intact store", again) from error
    if tuple(facts["tile"]) != tile:
        height, width = facts["tile"]
        side = f"--tile {height}" if height == width else f"tile=({height}, {width})"
        raise ProductError(
            f"{path} was begun with tiles of {height} x {width} pixels, now they are {tile[0]} x {tile[1]}",
            "the same tiles",
            f"Use {side}, or {again[0].lower()}{again[1:]}",
        )
    if facts["zarr_format"] != options.zarr_format:
        raise ProductError(
            f"{path} was begun in Zarr format {facts['zarr_format']}, now {options.zarr_format} is asked for",
            "the same format",
            again,
        )
    for name, array in arrays.items():
        var = template[name]
        if array.shape != var.shape or array.dtype != var.dtype:
            raise ProductError(
                f"{name!r} in {path} is {array.dtype} {array.shape}, this run makes {var.dtype} {var.shape}",
                "the same variables",
                again,
            )
        for torn in (path / name).rglob("*.partial"):  # a chunk that the killed run was just writing
            torn.unlink()
    shape = (template.sizes["y"], template.sizes["x"])
    return ZarrSink(path, list(arrays), shape, tile, (facts["chunk"][0], facts["chunk"][1]))


def _root_attrs(path: Path) -> dict[str, Any] | None:
    for name in (".zattrs", "zarr.json"):
        try:
            found = json.loads((path / name).read_text())
        except (OSError, ValueError):
            continue
        return found.get("attributes", {}) if name == "zarr.json" else found
    return None


def _complete(path: Path, seconds: float) -> None:
    """Set the status, in the consolidated copy first: the root attributes are what is asked."""
    found = _root_attrs(path) or {}
    volatile = json.loads(found.get("hsgeo_volatile", "{}"))
    volatile |= {"finished": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": round(seconds, 3)}
    change = {"hsgeo_status": "complete", "hsgeo_volatile": json.dumps(volatile, sort_keys=True)}
    for name in (".zmetadata", "zarr.json", ".zattrs"):
        file = path / name
        if not file.exists():
            continue
        document = json.loads(file.read_text())
        target = document
        if name == ".zmetadata":
            target = document["metadata"][".zattrs"]
        elif name == "zarr.json":
            target = document["attributes"]
        target |= change
        fresh = path / f"{name}.new"
        fresh.write_text(json.dumps(document, indent=2))
        os.replace(fresh, file)

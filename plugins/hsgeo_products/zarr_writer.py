"""Products as one flat Zarr group, written tile by tile, resumable."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.plugin import ProductError, Region
from hsgeo_products.config import ZarrOptions
from hsgeo_products.regions import Bounds, check_covered, checked_region
from hsgeo_products.zarr_layout import MARKS, chunk_side, lay_down, open_array, root_attrs, swap, tile_names

__all__ = ["ZarrSink", "ZarrWriter"]


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
        if not path.parent.is_dir():
            raise ProductError(f"the folder {path.parent} does not exist", "an existing folder", "Make it first")
        if path.exists() and resume:
            return _resumed(template, path, tile, self.options)
        if path.exists() and not overwrite:
            raise ProductError(f"{path} exists", "a new path", "Use --overwrite to replace it or --resume to go on")
        shape = (template.sizes["y"], template.sizes["x"])
        sides = [chunk_side(n, t, self.options.chunk) for n, t in zip(shape, tile, strict=True)]
        chunk = (sides[0], sides[1])
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        try:
            lay_down(template, fresh, state, tile, chunk, self.options)
            swap(fresh, path)
        except OSError as error:
            if isinstance(error, ProductError):
                raise
            raise ProductError(
                f"{path} cannot be written: {error}", "a writable folder with room", "Choose another --out"
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return ZarrSink(path, tile_names(template), shape, tile, chunk)


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
        self._marks = path / MARKS / "done"
        self._arrays = {name: open_array(path, name) for name in names}
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
            When the region covers part of a chunk, a variable is missing or has a wrong shape, or the disk is full.
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
        try:
            for name, values in blocks.items():
                self._arrays[name][..., r0:r1, c0:c1] = values
            (self._marks / f"{r0}-{r1}-{c0}-{c1}").touch()
        except OSError as error:
            raise ProductError(
                f"{self.path} cannot be written: {error}", "a folder with room", "Free space, then --resume"
            ) from error

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
        try:
            _complete(self.path, time.monotonic() - self._began)
        except OSError as error:
            raise ProductError(
                f"{self.path} cannot be finished: {error}", "a folder with room", "Free space, then --resume"
            ) from error
        gone = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.done")
        os.rename(self.path / MARKS, gone)  # at once, so that no half-removed folder is left in the store
        shutil.rmtree(gone, ignore_errors=True)

    def discard(self) -> None:
        """Remove the store."""
        gone = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.gone")
        os.rename(self.path, gone)  # at once, as in finish
        shutil.rmtree(gone, ignore_errors=True)

    def _finished(self) -> Iterable[Bounds]:
        for mark in self._marks.iterdir():
            r0, r1, c0, c1 = (int(part) for part in mark.name.split("-"))
            yield r0, r1, c0, c1


# ---- resuming and completing -----------------------------------------------------------------------------------------


def _resumed(template: xr.Dataset, path: Path, tile: tuple[int, int], options: ZarrOptions) -> ZarrSink:
    again = "Use --overwrite to begin anew"
    attrs = root_attrs(path)
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
        facts = json.loads((path / MARKS / "run.json").read_text())
        arrays = {name: open_array(path, name) for name in tile_names(template)}
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


def _complete(path: Path, seconds: float) -> None:
    """Set the status, in the consolidated copy first: the root attributes are what is asked."""
    found = root_attrs(path) or {}
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

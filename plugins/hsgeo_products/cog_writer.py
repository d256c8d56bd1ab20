"""Products as Cloud Optimized GeoTIFFs, written tile by tile in bounded memory, resumable."""

from __future__ import annotations

import glob
import json
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window

from hsgeo.plugin import ProductError, Region
from hsgeo_products.cog_layout import Paths, band_names, endmember_table, raster_names, reserve, tags, windows
from hsgeo_products.config import CogOptions
from hsgeo_products.regions import Bounds, check_covered, checked_region, count_tiles

__all__ = ["CogSink", "CogWriter"]

_RAW_BLOCK = 256  # of the plain GeoTIFF: small, as scenes smaller than a block are padded to it on disk


class CogWriter:
    """Writes ``.tif`` products: abundances in one file, every other raster in a sibling, spectra as CSV.

    Parameters
    ----------
    options : CogOptions, optional
        Compression, blocks, cache.
    """

    def __init__(self, options: CogOptions | None = None) -> None:
        self.options = options or CogOptions()

    def create(
        self,
        template: xr.Dataset,
        path: Path,
        *,
        state: Mapping[str, xr.Dataset],
        tile: tuple[int, int],
        overwrite: bool,
        resume: bool,
    ) -> CogSink:
        """Make the plain GeoTIFFs that the tiles go to, or take up those of a run that was stopped.

        An old output stays until `CogSink.finish`. With ``resume``, an output that is not there is begun.

        Parameters
        ----------
        template : xarray.Dataset
            The lazy product.
        path : pathlib.Path
            The main file; its parent folder exists.
        state : mapping of str to xarray.Dataset
            Not kept: GeoTIFF has no place for it.
        tile : tuple of int
            Rows and columns of a tile.
        overwrite, resume : bool
            Replace an existing output; go on with an incomplete one.

        Returns
        -------
        CogSink
            Where the tiles go.

        Raises
        ------
        ProductError
            When the target exists, is another run's, or cannot be written.
        """
        paths = Paths(Path(path))
        tile = (int(tile[0]), int(tile[1]))
        if "abundance" not in template.data_vars:
            raise ProductError("the product has no abundance", "a product with abundance (endmember, y, x)")
        if resume and paths.run.exists():
            _check_same_run(template, paths, tile)
            return CogSink(template, paths, tile, self.options)
        if paths.main.exists() and resume:
            raise ProductError(
                f"{path} is complete, there is nothing to resume", "an incomplete product", "Use --overwrite to redo it"
            )
        if not overwrite:
            siblings = [paths.final(name) for name in raster_names(template)]
            for there in (paths.main, paths.run, *siblings, paths.table):
                if there.exists():
                    raise ProductError(
                        f"{there} exists", "a new path", "Use --overwrite to replace it or --resume to go on"
                    )
        _discard(paths)
        try:
            with _gdal(self.options):
                for name in raster_names(template):
                    _make_raw(template, name, paths.raw(name))
            paths.done.write_text("")
            facts = {"run_id": template.attrs.get("hsgeo_run_id"), "tile": tile}
            shape = (template.sizes["y"], template.sizes["x"])
            facts |= {"tiles": count_tiles(shape, tile), "rasters": raster_names(template)}
            paths.run.write_text(json.dumps(facts))
        except BaseException as error:
            _discard(paths)
            if isinstance(error, OSError | RasterioError) and not isinstance(error, ProductError):
                raise ProductError(
                    f"{path} cannot be written: {error}", "a writable folder with room", "Choose another --out"
                ) from error
            raise
        return CogSink(template, paths, tile, self.options)


class CogSink:
    """A COG product being written, from one process and any of its threads.

    Parameters
    ----------
    template : xarray.Dataset
        The lazy product.
    paths : Paths
        Its files.
    tile : tuple of int
        Rows and columns of a tile.
    options : CogOptions
        Compression, blocks, cache.
    """

    def __init__(self, template: xr.Dataset, paths: Paths, tile: tuple[int, int], options: CogOptions) -> None:
        self._template, self._paths, self._tile, self._options = template, paths, tile, options
        self._shape = (template.sizes["y"], template.sizes["x"])
        self._names = [name for name in raster_names(template) if name in template.data_vars]
        self._lock = threading.Lock()

    def write(self, region: Region, tile: xr.Dataset) -> None:
        """Write one tile and note it as done; the files are closed in between, so a kill loses this tile only.

        Parameters
        ----------
        region : Region
            Rows and columns that start at multiples of the tile.
        tile : xarray.Dataset
            Every tile variable of the template, numpy-backed.

        Raises
        ------
        ProductError
            When the region does not fit the tiles, a variable is missing or has a wrong shape, or the disk is full.
        """
        r0, r1, c0, c1 = checked_region(region, self._shape, self._tile)
        blocks = {}
        for name in self._names:
            if name not in tile.variables:
                raise ProductError(f"a tile lacks {name!r}", "every tile variable of the template")
            var = self._template[name]
            values = np.asarray(tile[name].values, dtype=var.dtype)
            if values.shape != (*var.shape[:-2], r1 - r0, c1 - c0):
                raise ProductError(f"{name!r} of a tile has shape {values.shape}", f"{r1 - r0} x {c1 - c0} pixels")
            blocks[name] = _as_bands(values)
        try:
            with self._lock, _gdal(self._options):
                for name, values in blocks.items():
                    _put(self._paths.raw(name), values, r0, c0)
                with self._paths.done.open("a") as file:
                    file.write(f"\n{r0} {r1} {c0} {c1}.")
        except (OSError, RasterioError) as error:
            raise ProductError(
                f"{self._paths.main} cannot be written: {error}",
                "a folder with room",
                "Free space, then --resume; where that fails, --overwrite begins anew",
            ) from error

    def done(self) -> list[Region]:
        """Name the finished regions, in order."""
        return [(slice(r0, r1), slice(c0, c1)) for r0, r1, c0, c1 in sorted(set(self._finished()))]

    def discard(self) -> None:
        """Remove the unfinished files."""
        with self._lock:
            _discard(self._paths)

    def finish(self) -> None:
        """Turn the plain GeoTIFFs into COGs, compare each with what was written, and give them their names.

        Raises
        ------
        ProductError
            When a tile is missing, or a COG does not hold what was written.
        """
        with self._lock:
            check_covered(self._finished(), self._shape, self._tile, self._paths.main)
            names = raster_names(self._template)
            try:
                with _gdal(self._options):
                    for name in names:
                        self._cook(name)
                self._publish(names)
            except (OSError, RasterioError) as error:
                if isinstance(error, ProductError):
                    raise
                raise ProductError(
                    f"{self._paths.main} cannot be finished: {error}", "a folder with room", "Free space, then --resume"
                ) from error

    def _finished(self) -> Iterator[Bounds]:
        for line in self._paths.done.read_text().splitlines():
            if line.endswith("."):  # a line without its end was cut by a kill; the next begins anew
                r0, r1, c0, c1 = (int(part) for part in line[:-1].split())
                yield r0, r1, c0, c1

    def _cook(self, name: str) -> None:
        raw, cooked = self._paths.raw(name), self._paths.cooked(name)
        real = self._template[name].dtype.kind == "f"
        try:
            rasterio.shutil.copy(
                raw,
                cooked,
                driver="COG",
                COMPRESS=self._options.compress.upper(),
                PREDICTOR="YES",
                BLOCKSIZE=self._options.blocksize,
                BIGTIFF="IF_SAFER",
                OVERVIEW_RESAMPLING="AVERAGE" if real else "NEAREST",  # bits and model numbers have no average
            )
        except Exception as error:  # GDAL's own, of a class that rasterio does not show
            raise OSError(f"GDAL says {error}") from error
        # a COG can be valid and yet empty, or cut by a full disk: the first and the last block that hold something must
        # hold the same
        blocks = list(windows(self._shape, _RAW_BLOCK))
        with rasterio.open(raw) as before, rasterio.open(cooked) as after:
            for order in (blocks, blocks[::-1]):
                for rows, cols in order:
                    window = Window.from_slices(rows, cols)
                    wrote = before.read(window=window)
                    if real and np.isnan(wrote).all():
                        continue
                    if not np.array_equal(wrote, after.read(window=window), equal_nan=real):
                        raise ProductError(
                            f"the COG of {name!r} does not hold what was written",
                            "equal pixels, and a folder with room",
                            "Free space, then --resume. If there is room, report this with the version of GDAL (rio "
                            "--gdal-version); compress=deflate may help",
                        )
                    break

    def _publish(self, names: list[str]) -> None:
        paths = self._paths
        stale = _listed_files(paths)
        table = endmember_table(self._template)
        new = [name for name in names if name != "abundance"]
        for name in [*new, "abundance"]:  # the main file last: where it is, the product is whole
            if name == "abundance" and table is not None:
                fresh = paths.main.with_name(f"{paths.main.name}.partial.endmembers.csv")
                fresh.write_text(table, encoding="utf-8")
                os.replace(fresh, paths.table)
            os.replace(paths.cooked(name), paths.final(name))
        for file in stale - {paths.final(name) for name in names}:
            file.unlink(missing_ok=True)
        _discard(paths)


# ---- files -----------------------------------------------------------------------------------------------------------


@contextmanager
def _gdal(options: CogOptions) -> Iterator[None]:
    # CACHEMAX: by default 5 % of the machine's memory. Scenes without CRS are legal, and warned of when opened
    with rasterio.Env(GDAL_CACHEMAX=options.cache), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _make_raw(template: xr.Dataset, name: str, path: Path) -> None:
    var = template[name]
    rows, cols = var.shape[-2:]
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": rows,
        "width": cols,
        "count": int(np.prod(var.shape[:-2], dtype=int)),
        "dtype": "uint8" if var.dtype.kind == "b" else var.dtype.name,
        # uncompressed and complete from the start: a tile is rewritten in place, so a kill hurts no other
        "tiled": True,
        "blockxsize": _RAW_BLOCK,
        "blockysize": _RAW_BLOCK,
        "interleave": "band",
        "bigtiff": "IF_SAFER",
    }
    if var.dtype.kind == "f":
        profile["nodata"] = float("nan")
    pixels = (rows // -_RAW_BLOCK) * (cols // -_RAW_BLOCK) * _RAW_BLOCK**2  # whole blocks
    reserve(path, pixels * profile["count"] * np.dtype(profile["dtype"]).itemsize)
    mapping = template.variables["spatial_ref"].attrs if "spatial_ref" in template.variables else {}
    if "crs_wkt" in mapping:
        profile["crs"] = CRS.from_wkt(mapping["crs_wkt"])
    if "GeoTransform" in mapping:
        profile["transform"] = Affine.from_gdal(*(float(v) for v in mapping["GeoTransform"].split()))
    with rasterio.open(path, "w", **profile) as file:
        for number, text in enumerate(band_names(template, name), 1):
            file.set_band_description(number, text)
        file.update_tags(**tags(template, name))
    if name in template.coords:  # lat and lon of a swath: known now
        for part_rows, part_cols in windows((rows, cols), 4 * _RAW_BLOCK):
            values = var.isel(y=part_rows, x=part_cols).values
            _put(path, _as_bands(values), part_rows.start, part_cols.start)


def _as_bands(values: np.ndarray) -> np.ndarray:
    bands = values.reshape(-1, *values.shape[-2:])
    return bands.astype("uint8") if bands.dtype.kind == "b" else bands


def _put(path: Path, bands: np.ndarray, row: int, col: int) -> None:
    window = Window(col, row, bands.shape[2], bands.shape[1])
    with rasterio.open(path, "r+") as file:
        file.write(bands, window=window)
    with rasterio.open(path) as file:  # what GDAL cannot write when it closes a file, it does not tell
        if not np.array_equal(file.read(window=window), bands, equal_nan=bands.dtype.kind == "f"):
            raise OSError(f"{path.name} does not take what is written; is the disk full?")


def _check_same_run(template: xr.Dataset, paths: Paths, tile: tuple[int, int]) -> None:
    again = "Use --overwrite to begin anew"
    try:
        facts = json.loads(paths.run.read_text())
        theirs, begun = facts["run_id"], tuple(facts["tile"])
        missing = [name for name in (*facts["rasters"], None) if not _part(paths, name).exists()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProductError(f"{paths.run} cannot be read: {error}", "an intact file", again) from error
    mine = template.attrs.get("hsgeo_run_id")
    if mine != theirs or facts["rasters"] != raster_names(template):
        raise ProductError(
            f"{paths.main} was begun by run {theirs}, this is run {mine}: input, recipe, options, seed or versions "
            "differ",
            "the same run",
            f"Repeat the first call exactly, or {again[0].lower()}{again[1:]}",
        )
    if begun != tile:
        side = f"--tile {begun[0]}" if begun[0] == begun[1] else f"tile={begun}"
        raise ProductError(
            f"{paths.main} was begun with tiles of {begun[0]} x {begun[1]} pixels, now they are {tile[0]} x {tile[1]}",
            "the same tiles",
            f"Use {side}, or {again[0].lower()}{again[1:]}",
        )
    if missing:
        raise ProductError(f"{_part(paths, missing[0])} is gone", "every .partial file of the run", again)
    for name in facts["rasters"]:
        try:
            with rasterio.open(paths.raw(name), driver="GTiff"):
                pass
        except RasterioError as error:
            raise ProductError(
                f"{paths.raw(name)} is damaged, so the run cannot go on", "intact .partial files", again
            ) from error


def _part(paths: Paths, name: str | None) -> Path:
    return paths.done if name is None else paths.raw(name)


def _listed_files(paths: Paths) -> set[Path]:
    """Name the rasters of the product that is about to be replaced."""
    if not paths.main.exists():
        return set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(paths.main) as file:
                described = json.loads(file.tags().get("hsgeo", "{}"))
    except (RasterioError, ValueError):
        return set()  # whatever it was, it had no siblings of ours
    return {paths.final(name) for name in described.get("rasters", {})}


def _discard(paths: Paths) -> None:
    """Remove the unfinished files, the note that they exist last."""
    for file in paths.main.parent.glob(f"{glob.escape(paths.main.name)}.partial.*"):
        if file != paths.run:
            file.unlink(missing_ok=True)
    paths.run.unlink(missing_ok=True)

"""Open products again: lazily, with their CRS, and only when they are whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from hsgeo.errors import ProductError

__all__ = ["open_product", "open_state", "unfinished", "unfinished_tile"]

_SMALL = 1_000_000  # values of a variable that is no raster, such as the endmembers: 4 MB, read at once

Chunks = dict[str, int] | int | Literal["auto"] | None


def open_product(path: str | Path, *, chunks: Chunks = "auto") -> xr.Dataset:
    """Open a product that hsgeo wrote, Zarr (format 2 or 3) or COG, lazily and with its CRS.

    Parameters
    ----------
    path : str or pathlib.Path
        ``abund.zarr``, or the main file ``abund.tif`` of a COG product; its siblings are found beside it.
    chunks : dict, int, "auto" or None
        Dask chunks as in `xarray.open_dataset`; None: lazy arrays that read what is indexed.

    Returns
    -------
    xarray.Dataset
        ``abundance``, ``endmembers``, ``rmse``, ``quality`` and what else was written; ``wavelength`` indexed.

    Raises
    ------
    ProductError
        When there is nothing, no product of hsgeo, or an incomplete one.
    """
    path = Path(path)
    partial = unfinished(path)
    if partial is not None:
        raise ProductError(
            f"{path} is incomplete: {partial[0]} of {partial[1]} tiles are written",
            "a complete product",
            "Repeat the call that began it with --resume, or with --overwrite to begin anew",
        )
    if not path.exists():
        raise ProductError(f"{path} does not exist", "a product of hsgeo: a .zarr folder or a .tif file")
    if path.is_dir():
        # a product that a user wrote with to_zarr has no status, and is as good
        if not any(str(key).startswith("hsgeo_") for key in _zarr_attrs(path) or {}):
            raise _foreign(path)
        ds = _open_zarr(path, None, chunks)
    else:
        from hsgeo.product.opening_cog import open_cog

        opened = open_cog(path, chunks)
        if opened is None:
            raise _foreign(path)
        ds = opened
    if "spatial_ref" in ds.data_vars:
        ds = ds.set_coords("spatial_ref")
    if "wavelength" in ds.coords and ds["wavelength"].dims == ("band",) and "wavelength" not in ds.xindexes:
        ds = ds.set_xindex("wavelength")
    for var in ds.variables.values():
        if var.dims[-2:] != ("y", "x") and var.size <= _SMALL:
            var.load()
    ds.encoding["source"] = str(path)
    return ds


def open_state(path: str | Path) -> dict[str, xr.Dataset]:
    """Read the fit states that a Zarr product carries.

    An incomplete one is read too, so that a resumed run learns nothing anew.

    Parameters
    ----------
    path : str or pathlib.Path
        ``abund.zarr``.

    Returns
    -------
    dict of str to xarray.Dataset
        In memory, by stage id; empty when no stage had anything to learn.

    Raises
    ------
    ProductError
        When it is no Zarr product of hsgeo.
    """
    path = Path(path)
    if not path.exists():
        raise ProductError(f"{path} does not exist", "a .zarr product of hsgeo")
    if _zarr_attrs(path) is None:
        raise ProductError(
            f"{path} carries no fit state", "a .zarr product of hsgeo", "GeoTIFF keeps no state: write .zarr for that"
        )
    fits = path / "fit"
    stages = sorted(folder.name for folder in fits.iterdir() if folder.is_dir()) if fits.is_dir() else []
    return {stage: _open_zarr(path, f"fit/{stage}", None).load() for stage in stages}


def unfinished(path: str | Path) -> tuple[int, int] | None:
    """Count the tiles of an output that a stopped run left.

    Writers of any format leave the same signs: a Zarr store has ``hsgeo_status="incomplete"`` and a folder
    ``.hsgeo`` with ``run.json`` and ``done/``; a file output ``abund.tif`` that is not there yet has
    ``abund.tif.partial.json`` and ``abund.tif.partial.done`` beside it, one line per finished tile.

    Parameters
    ----------
    path : str or pathlib.Path
        The output.

    Returns
    -------
    tuple of int or None
        Finished tiles, all tiles; None where nothing is unfinished.
    """
    path = Path(path)
    if path.is_dir():
        if (_zarr_attrs(path) or {}).get("hsgeo_status", "complete") == "complete":
            return None
        done = path / ".hsgeo" / "done"
        return (sum(1 for _ in done.iterdir()) if done.is_dir() else 0), _tiles(path / ".hsgeo" / "run.json")
    run = path.with_name(f"{path.name}.partial.json")
    if path.exists() or not run.exists():
        return None
    try:
        lines = path.with_name(f"{path.name}.partial.done").read_text().splitlines()
    except OSError:
        lines = []
    return sum(line.endswith(".") for line in lines), _tiles(run)


def unfinished_tile(path: str | Path) -> int | None:
    """Return the side of the tiles that an unfinished output was begun with; to resume it, they must be the same.

    Parameters
    ----------
    path : str or pathlib.Path
        The output.

    Returns
    -------
    int or None
        Pixels; None where nothing is unfinished.
    """
    path = Path(path)
    run = path / ".hsgeo" / "run.json" if path.is_dir() else path.with_name(f"{path.name}.partial.json")
    tile = _facts(run).get("tile")
    return max(int(side) for side in tile) if tile else None


def _tiles(run: Path) -> int:
    return int(_facts(run).get("tiles", 0))


def _facts(run: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(run.read_text()))
    except (OSError, ValueError):
        return {}


def _zarr_attrs(path: Path) -> dict[str, Any] | None:
    for name in (".zattrs", "zarr.json"):
        try:
            found = json.loads((path / name).read_text())
        except (OSError, ValueError):
            continue
        return found.get("attributes", {}) if name == "zarr.json" else found
    return None


def _open_zarr(path: Path, group: str | None, chunks: Chunks) -> xr.Dataset:
    # one that a user wrote may lack consolidated metadata, and xarray warns when it has to find that out itself
    consolidated = group is None and (
        (path / ".zmetadata").exists() or "consolidated_metadata" in _facts(path / "zarr.json")
    )
    return xr.open_dataset(path, engine="zarr", group=group, chunks=chunks, consolidated=consolidated)


def _foreign(path: Path) -> ProductError:
    return ProductError(
        f"{path} is no product of hsgeo",
        "a .zarr folder or a .tif file that hsgeo wrote",
        "Open other files with hsgeo.open_scene, xarray or rioxarray",
    )

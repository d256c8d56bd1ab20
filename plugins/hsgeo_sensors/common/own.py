"""Whether a cube named ``spectra`` is a scene of hsgeo, by the names of its dims; others use the word, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["foreign_hdf5", "foreign_zarr"]

DIMS = ("band", "y", "x")


def foreign_hdf5(file: Any) -> bool:
    """Tell whether ``spectra`` at the root of an HDF5 file is a cube of somebody else.

    Parameters
    ----------
    file : h5py.File
        With ``spectra``.

    Returns
    -------
    bool
        True where it has three dims that are not those of a scene; without names, where no ``band`` lies beside it.
    """
    cube = file["spectra"]
    if getattr(cube, "ndim", 0) != len(DIMS):
        return False  # damaged, or anything: whoever owns the name says so
    named = [str(dim[0].name or "").lstrip("/") if len(dim) else "" for dim in cube.dims]  # lost ones have no name
    if not any(named):
        return "band" not in file
    return any(name not in ("", own) for name, own in zip(named, DIMS, strict=True))


def foreign_zarr(path: Path) -> bool:
    """Tell whether ``spectra`` at the root of a Zarr store is a cube of somebody else.

    Parameters
    ----------
    path : pathlib.Path
        The store, with a folder ``spectra``.

    Returns
    -------
    bool
        True where it has three dims that are not those of a scene.
    """
    array = path / "spectra"
    try:
        if (array / "zarr.json").is_file():
            named = json.loads((array / "zarr.json").read_text()).get("dimension_names")
        else:
            named = json.loads((array / ".zattrs").read_text()).get("_ARRAY_DIMENSIONS")
    except (OSError, ValueError, AttributeError):
        return False
    return named is not None and len(named) == len(DIMS) and tuple(named) != DIMS

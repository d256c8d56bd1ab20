"""Open a truth of any kind as one dataset: raster, npz, polygons or points, another product."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, ProductError
from hsgeo.evaluation.conventions import check_convention
from hsgeo.evaluation.fractions import class_values, fractions
from hsgeo.evaluation.raster import read_raster
from hsgeo.evaluation.sound import COVER, check_fractions, check_scale, covered, scaled
from hsgeo.vector.features import VECTOR_SUFFIXES, read_features

__all__ = ["open_truth"]


def open_truth(
    path: str | Path,
    like: xr.Dataset,
    *,
    convention: str | None = None,
    scale: float | None = None,
    class_field: str | None = None,
    columns: Sequence[str] = (),
    min_cover: float | None = None,
) -> tuple[xr.Dataset, list[str]]:
    """Open a truth.

    Parameters
    ----------
    path : path
        GeoTIFF or other raster with one band per class; ``.npz`` with ``abundances (rows, cols, p)`` and, where
        there, ``endmembers (bands, p)``, ``names``, ``wavelength_nm``, ``convention``; ``.geojson``, ``.shp``,
        ``.gpkg``; a product, or any ``.zarr`` or ``.nc`` with ``abundance (endmember, y, x)``.
    like : xarray.Dataset
        The product that is scored: its grid and names.
    convention : str, optional
        Of `CONVENTIONS`; None: what the file says. Where an npz holds two truths, it chooses.
    scale : float, optional
        What fractions are multiplied by, such as 0.01 for percent; None: found out for whole numbers of a raster.
    class_field, columns
        Of polygons and points (`class_values`).
    min_cover : float, optional
        Least sum of the classes, 0 to 1, for a pixel to count; None: 0.95 for polygons, and for rasters of two or
        more classes that sum to that somewhere; else no limit.

    Returns
    -------
    truth : xarray.Dataset
        ``abundance (endmember, y, x)``, ``endmembers (endmember, band)`` where known; attribute ``convention``.
    notes : list of str
        What the reader of the score should know.

    Raises
    ------
    ConfigError
        The file is no truth, its numbers are no fractions, or the convention is not known.
    """
    path = Path(path)
    check_convention(convention)
    check_scale(scale)
    if not path.exists():
        raise ConfigError(f"{path} does not exist", "a truth: raster, .npz, .geojson, .shp, .gpkg or a product")
    suffix = path.suffix.lower()
    notes: list[str] = []
    least = min_cover
    if suffix == ".npz":
        truth, notes = _from_npz(path, convention)
    elif suffix in VECTOR_SUFFIXES:
        features = read_features(path)
        names = [str(name) for name in like["endmember"].values]
        labels = class_values(features, names, class_field=class_field, columns=columns)
        truth, notes = fractions(features, labels, like, min_cover=COVER if min_cover is None else min_cover)
        least = None  # done, by area
        truth.attrs["convention"] = "independent"  # what somebody mapped is not the output of an unmixing
    elif path.is_dir() or suffix in (".nc", ".nc4"):
        truth = _from_store(path)
    else:
        truth, notes, found = read_raster(path, scale)
        scale, least = None, found if least is None else least
    truth = scaled(truth, scale)
    check_fractions(truth, str(path))
    if least is not None:
        truth, lost = covered(truth, least)
        notes += lost
    stated = convention or truth.attrs.get("convention")
    truth.attrs["convention"] = check_convention(str(stated)) if stated else None
    return truth, notes


def _from_npz(path: Path, convention: str | None) -> tuple[xr.Dataset, list[str]]:
    try:
        with np.load(path, allow_pickle=False) as held:
            content: dict[str, Any] = {key: held[key] for key in held.files if key != "image"}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "an .npz of plain arrays") from error
    notes = []
    ending = ""
    if "abundances_classic" in content:
        ending = "_classic" if convention == "zhu_peak_nnls" else ""
        if convention is None:
            notes.append("the file holds two truths, this is 'abundances' (--convention zhu_peak_nnls takes the other)")
    A = content.get(f"abundances{ending}")
    if A is None or A.ndim != 3 or A.dtype.kind not in "fiu":
        raise ConfigError(
            f"{path} holds {', '.join(f'{key} {np.shape(value)}' for key, value in content.items()) or 'nothing'}",
            "abundances (rows, cols, p)",
            "Write it with np.savez(path, abundances=..., names=...)",
        )
    names = [str(name) for name in content.get("names", [f"class-{k + 1}" for k in range(A.shape[2])])]
    if len(names) != A.shape[2] or len(set(names)) < len(names):
        raise ConfigError(f"{path} has the names {names} for {A.shape[2]} classes", "one different name each")
    truth = xr.Dataset(
        {"abundance": (("endmember", "y", "x"), np.moveaxis(A, 2, 0).astype(np.float32))}, {"endmember": names}
    )
    E = content.get(f"endmembers{ending}")
    if E is not None and E.ndim == 2 and E.shape[1] == len(names):
        truth["endmembers"] = (("endmember", "band"), E.T.astype(np.float64))
        wavelength = content.get("wavelength_nm")
        if wavelength is not None and wavelength.shape == E.shape[:1]:
            truth = truth.assign_coords(wavelength=("band", wavelength.astype(np.float64)))
    if "convention" in content:
        truth.attrs["convention"] = str(content["convention"])
    return truth, notes


def _from_store(path: Path) -> xr.Dataset:
    from hsgeo.product.opening import open_product

    if path.is_dir() and not any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json", ".zattrs")):
        raise ConfigError(
            f"{path} is a folder, and no Zarr store",
            "a raster, .npz, .geojson, .shp, .gpkg or a product",
            "Give the file itself",
        )

    try:
        truth = open_product(path)
    except ProductError as refused:
        if "incomplete" in refused.found:
            raise
        try:
            truth = xr.open_dataset(path, engine="zarr" if path.is_dir() else "h5netcdf", chunks=None)
        except Exception as error:  # zarr, h5py and xarray raise what they like
            raise ConfigError(
                f"{path} cannot be opened", "a product, Zarr or netCDF", "See whether it is whole"
            ) from error
    if "abundance" not in truth or set(truth["abundance"].dims) != {"endmember", "y", "x"}:
        raise ConfigError(
            f"{path} holds {', '.join(map(str, truth.data_vars)) or 'nothing'}",
            "abundance (endmember, y, x)",
            "Give a product, or a dataset with that variable",
        )
    if "endmember" not in truth.coords:
        truth = truth.assign_coords(endmember=[f"class-{k + 1}" for k in range(truth.sizes["endmember"])])
    truth["abundance"] = truth["abundance"].transpose("endmember", "y", "x")
    return truth.set_coords("spatial_ref") if "spatial_ref" in truth.data_vars else truth

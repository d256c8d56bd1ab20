"""Features to fractions: what share of every pixel each class covers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.product.placement import find_placement
from hsgeo.vector.features import Features
from hsgeo.vector.placing import point_pixels, project, strips, touched

__all__ = ["Labels", "class_values", "fractions"]

Labels = tuple[list[str], np.ndarray]
"""Names of the classes, and the fractions ``(features, classes)`` of each feature."""


def class_values(
    features: Features,
    known: Iterable[str],
    *,
    class_field: str | None = None,
    columns: Sequence[str] = (),
) -> Labels:
    """Find out what the features say: a class each, or fractions in columns.

    Parameters
    ----------
    features : Features
        From `read_features`.
    known : iterable of str
        Names of the product's endmembers, by which field or columns are recognised.
    class_field : str, optional
        Field with the class; None: the text field with most names in common with the product.
    columns : sequence of str
        Fields with fractions, 0 to 1; none: the numeric fields named like endmembers.

    Returns
    -------
    names : list of str
        Classes.
    values : numpy.ndarray
        ``(features, classes)``, 0 to 1; NaN where a column is empty.

    Raises
    ------
    ConfigError
        There is no such field, or it cannot be told which one is meant.
    """
    fields = features.fields
    for name in [*columns, *([class_field] if class_field else [])]:
        if name not in fields:
            raise ConfigError(f"there is no field {name!r}", ", ".join(fields) or "a file with fields", "Choose one")
    wanted = {plain(name) for name in known}
    if not columns and class_field is None:
        columns = [name for name in fields if plain(name) in wanted and _numeric(features, name)]
        if not columns:
            class_field = _guess_field(features, wanted)
    if columns:
        values = np.array([[_number(row.get(name)) for name in columns] for row in features.properties], np.float64)
        return list(columns), values
    assert class_field is not None  # or there are columns
    texts = [str(row.get(class_field) or "").strip() for row in features.properties]
    names = list(dict.fromkeys(text for text in texts if text))
    one_hot = np.array([[float(text == name) for name in names] for text in texts], np.float64).reshape(len(texts), -1)
    one_hot[[not text for text in texts]] = np.nan
    return names, one_hot


def fractions(
    features: Features, labels: Labels, like: xr.Dataset, *, min_cover: float = 0.95
) -> tuple[xr.Dataset, list[str]]:
    """Turn features into fractions on the pixels of a product.

    Polygons are cut at a tenth of a pixel; later ones lie over earlier ones. A pixel of which polygons cover at least
    ``min_cover`` gets their area-weighted mean, divided by what is covered. Points give their pixel their mean.

    Parameters
    ----------
    features : Features
        Polygons or points.
    labels : Labels
        From `class_values`.
    like : xarray.Dataset
        The product.
    min_cover : float
        Least part of a pixel that polygons must cover, 0 to 1.

    Returns
    -------
    truth : xarray.Dataset
        ``abundance (endmember, y, x)`` float32, NaN where nothing is known, on the product's grid.
    notes : list of str
        What the reader should know.

    Raises
    ------
    ConfigError
        The product is not placed on the Earth, or no feature lies on it.
    """
    from affine import Affine

    place = find_placement(like)
    if place.crs is None or place.transform is None:
        raise ConfigError(
            "the product has no place on the Earth",
            "a georeferenced product for a truth of polygons or points",
            "Give the truth as .npz with the product's rows and columns",
        )
    geometries, sound, notes = project(features, place.crs, what="the truth", whose="the product")
    values = labels[1][sound]
    affine = Affine(*place.transform)
    rows, cols = touched(geometries, affine, place.shape)
    like, affine = like.isel(y=rows, x=cols), affine * Affine.translation(cols.start, rows.start)
    shape = (like.sizes["y"], like.sizes["x"])
    area = [g["type"].endswith("Polygon") for g in geometries]
    if all(area):
        share = _from_polygons(geometries, values, affine, shape, min_cover)
    elif not any(area):
        share = _from_points(geometries, values, affine, shape)
    else:
        raise ConfigError("the truth mixes polygons and points", "one of them", "Put them into two files")
    if not np.isfinite(share).any():
        raise ConfigError(
            "no feature of the truth covers a pixel of the product"
            + (f" to {100 * min_cover:g} %" if all(area) else ""),
            "features inside the product",
            "See whether a CRS is wrong, or lower --min-cover",
        )
    coords = {name: like.coords[name] for name in ("y", "x", "spatial_ref") if name in like.coords}
    truth = xr.Dataset({"abundance": (("endmember", "y", "x"), share)}, {"endmember": labels[0], **coords})
    if "spatial_ref" in truth.coords:
        truth["abundance"].attrs["grid_mapping"] = "spatial_ref"
    return truth, notes


def plain(name: object) -> str:
    """Return a name without case and outer blanks, as names are compared."""
    return str(name).strip().casefold()


def _guess_field(features: Features, wanted: set[str]) -> str:
    texts = {
        name: {plain(row.get(name)) for row in features.properties if isinstance(row.get(name), str)} - {""}
        for name in features.fields
    }
    texts = {name: found for name, found in texts.items() if found}
    best = max(texts, key=lambda name: len(texts[name] & wanted), default=None)
    if best is not None and (texts[best] & wanted or len(texts) == 1):
        return best
    told = "; ".join(f"{name}: {', '.join(sorted(found)[:4])}" for name, found in texts.items())
    raise ConfigError(
        f"it cannot be told which field of the truth names the class (text fields: {told or 'none'}; "
        f"all fields: {', '.join(features.fields) or 'none'})",
        "a field with names of endmembers, or numeric fields named like them",
        "Say --class-field NAME, or --columns A,B,...",
    )


def _numeric(features: Features, name: str) -> bool:
    return all(np.isfinite(_number(row.get(name))) for row in features.properties if row.get(name) is not None)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _from_polygons(
    geometries: list[Any], values: np.ndarray, affine: Any, shape: tuple[int, int], min_cover: float
) -> np.ndarray:
    out = np.full((values.shape[1], *shape), np.nan, np.float32)
    usable = [i for i in range(len(geometries)) if np.isfinite(values[i]).all()]
    table = np.vstack([np.zeros(values.shape[1]), np.nan_to_num(values)])
    for top, stop, cells in strips([(geometries[i], i + 1) for i in usable], affine, shape):
        cover = (cells > 0).mean(axis=(1, 3))
        seen = cover >= max(min_cover, 1e-9)
        for k in range(values.shape[1]):
            part = table[cells, k].mean(axis=(1, 3))
            out[k, top:stop][seen] = (part[seen] / cover[seen]).astype(np.float32)
    return out


def _from_points(geometries: list[Any], values: np.ndarray, affine: Any, shape: tuple[int, int]) -> np.ndarray:
    inverse = ~affine
    total, count = np.zeros((*shape, values.shape[1])), np.zeros(shape)
    for geometry, row in zip(geometries, values, strict=True):
        if np.isfinite(row).all():
            for y, x in point_pixels(geometry, inverse, shape):
                total[y, x] += row
                count[y, x] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count[..., None]
    return np.moveaxis(mean, -1, 0).astype(np.float32)

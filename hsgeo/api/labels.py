"""Labels of any kind as labelled pixels of a scene: vector files, tables of points, rows and columns, rasters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.stages.labels import Labels

__all__ = ["labels_path", "open_labels"]

_KINDS = "a .geojson, .shp, .gpkg or .csv file, {name: [(row, col), ...]}, or a DataArray (y, x) of classes"
_Found = tuple[list[str], np.ndarray, np.ndarray]  # names, and (row, col) and place in the names of every label


def labels_path(labels: Any) -> Path | None:
    """Return the file that labels are read from, if it is one.

    Parameters
    ----------
    labels : path, mapping, xarray.DataArray, Labels or None
        As for `hsgeo.fit`.

    Returns
    -------
    pathlib.Path or None
        The file.
    """
    return Path(labels) if isinstance(labels, (str, Path)) else None


def open_labels(
    labels: Any,
    scene: xr.Dataset,
    *,
    field: str | None = None,
    layer: str | None = None,
    notice: Callable[[str], None],
) -> Labels:
    """Bring labels to the pixels of a scene.

    Parameters
    ----------
    labels : path, mapping, xarray.DataArray or Labels
        File of polygons or points, table of points, pixels by class, or a raster of classes (`hsgeo.fit`); `Labels`
        come back as they are.
    scene : xarray.Dataset
        The scene.
    field : str, optional
        Field or column that names the class.
    layer : str, optional
        Layer of a GeoPackage.
    notice : callable
        Told what the user should know.

    Returns
    -------
    Labels
        At least two classes, each with a pixel. A pixel for which two classes are given is left out.

    Raises
    ------
    ConfigError
        They cannot be read or placed, lie outside the scene, or have fewer than two classes.
    """
    if isinstance(labels, Labels):
        return labels
    shape = (scene.sizes["y"], scene.sizes["x"])
    path = labels_path(labels)
    if path is None and (field or layer):
        raise ConfigError("a field or layer for labels that are no file", "labels in a file", "Leave it out")
    if path is not None:
        names, places, index = _from_file(path, scene, shape, field, layer, notice)
    elif isinstance(labels, Mapping):
        names, places, index = _from_mapping(labels)
    elif isinstance(labels, xr.DataArray):
        names, places, index = _from_raster(labels, shape)
    else:
        raise ConfigError(f"labels is a {type(labels).__name__}", _KINDS)
    if len(names) < 2:
        raise ConfigError(
            f"the labels have {f'the one class {names[0]!r}' if names else 'no class'}",
            "two classes or more: abundances are shares of several",
            "Label another material, too, or see whether the right field was taken (--label-field)",
        )
    outside = (places < 0).any(axis=1) | (places >= shape).any(axis=1)
    if outside.any():
        row, col = places[outside][0].tolist()
        raise ConfigError(
            f"the label at row {row}, column {col} lies outside the scene",
            f"rows 0 to {shape[0] - 1}, columns 0 to {shape[1] - 1}",
            "Rows and columns count from 0; see whether they are swapped",
        )
    flat, index, clashes = _single(places[:, 0] * shape[1] + places[:, 1], index)
    if clashes:
        notice(f"{clashes} pixels are labelled with two classes and left out")
    empty = [name for k, name in enumerate(names) if not (index == k).any()]
    if empty:
        raise ConfigError(
            f"the class {empty[0]!r} labels no pixel of the scene",
            "for every class a point inside the scene, or a polygon that covers a pixel to 95 %",
            "Draw it larger or elsewhere, take points instead, or leave the class out",
        )
    row, col = np.divmod(flat, shape[1])
    said = {"path": None if path is None else str(path), "field": field, "layer": layer}
    return Labels(tuple(names), row.astype(np.int32), col.astype(np.int32), index.astype(np.int16), said)


def _single(flat: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Take every pixel once, sorted, and none that has two classes; also how many had."""
    pairs = np.unique(np.stack([flat, index]), axis=1)
    pixels, count = np.unique(pairs[0], return_counts=True)
    clear = np.isin(pairs[0], pixels[count == 1])
    return pairs[0][clear], pairs[1][clear], int((count > 1).sum())


def _numbered(texts: list[str]) -> tuple[list[str], np.ndarray]:
    """Return the classes in order of appearance, and of each text its place among them; -1: empty."""
    names = list(dict.fromkeys(text for text in texts if text))
    place = {name: k for k, name in enumerate(names)}
    return names, np.array([place.get(text, -1) for text in texts], int)


def _from_file(
    path: Path,
    scene: xr.Dataset,
    shape: tuple[int, int],
    field: str | None,
    layer: str | None,
    notice: Callable[[str], None],
) -> _Found:
    from hsgeo.vector.features import VECTOR_SUFFIXES, Features, read_features
    from hsgeo.vector.points import read_points

    if not path.exists():
        raise ConfigError(f"{path} does not exist", "a file of labels: .geojson, .shp, .gpkg or .csv")
    if path.suffix.lower() == ".csv" and layer is None:
        texts, places, on_grid = read_points(path, field=field)
        names, index = _numbered(texts)
        if on_grid:
            if (places != np.floor(places)).any():
                raise ConfigError(f"{path} has rows or columns that are no whole numbers", "row, col from 0, or x, y")
            return names, places[index >= 0].astype(int), index[index >= 0]
        points = tuple({"type": "Point", "coordinates": (x, y)} for x, y in places.tolist())
        features = Features(points, tuple({} for _ in points), None)
        return names, *_on_scene(features, index, scene, shape, path, notice, said=False)
    if path.suffix.lower() not in (*VECTOR_SUFFIXES, ".csv"):
        raise ConfigError(
            f"{path.name} is no file of labels that can be read",
            ".geojson, .shp, .gpkg, or .csv with the columns name,x,y or name,row,col",
            "Export it from QGIS as GeoPackage; open a raster of classes and give it as a DataArray (y, x)",
        )
    from hsgeo.vector.labelling import feature_classes

    features = read_features(path, layer=layer)
    names, index = _numbered(feature_classes(features, field=field))
    return names, *_on_scene(features, index, scene, shape, path, notice, said=True)


def _on_scene(
    features: Any,
    index: np.ndarray,
    scene: xr.Dataset,
    shape: tuple[int, int],
    path: Path,
    notice: Callable[[str], None],
    *,
    said: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(row, col)`` and class of the pixels of the scene on which features lie; ``said``: pass notes on."""
    from affine import Affine

    from hsgeo.product.placement import find_placement
    from hsgeo.vector.labelling import labelled_pixels
    from hsgeo.vector.placing import project

    place = find_placement(scene)
    if place.crs is None or place.transform is None:
        raise ConfigError(
            f"the labels {path.name} have coordinates, and the scene has no place on the Earth",
            "a georeferenced scene, or labels in rows and columns",
            "Give the labels as .csv with the columns name,row,col",
        )
    geometries, kept, notes = project(features, place.crs, what="the label file", whose="the scene")
    for note in notes if said else ():
        notice(note)
    named = [k for k, feature in enumerate(kept) if index[feature] >= 0]
    if not named:
        return np.empty((0, 2), int), np.empty(0, int)
    geometries, index = [geometries[k] for k in named], index[kept[named]]
    flat, classes = labelled_pixels(geometries, index, Affine(*place.transform), shape)
    if not flat.size:
        raise ConfigError(
            f"no label of {path.name} lies in the scene",
            "points inside the scene, or polygons that cover a pixel to 95 %",
            "See whether a CRS is wrong, or x and y are swapped",
        )
    return np.stack(np.divmod(flat, shape[1]), axis=1), classes


def _from_mapping(labels: Mapping[Any, Any]) -> _Found:
    names, places, index = [str(name).strip() for name in labels], [np.empty((0, 2), int)], [np.empty(0, int)]
    for k, (name, given) in enumerate(labels.items()):
        try:
            pixels = np.asarray(given, dtype=np.float64).reshape(-1, 2)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the labels of {name!r} are no pixels", "a list of (row, col)") from error
        if (pixels != np.floor(pixels)).any():  # NaN, too
            raise ConfigError(f"the labels of {name!r} are no whole numbers", "a list of (row, col), from 0")
        places.append(pixels.astype(int))
        index.append(np.full(len(pixels), k))
    if len(set(names)) < len(names) or not all(names):
        raise ConfigError(f"the labels have the classes {names}", "names that differ, none of them empty")
    return names, np.concatenate(places), np.concatenate(index)


def _from_raster(labels: xr.DataArray, shape: tuple[int, int]) -> _Found:
    """Take texts (empty: no label) or whole numbers (NaN, 0 and below: none) on the scene's pixels."""
    if set(labels.dims) != {"y", "x"} or labels.transpose("y", "x").shape != shape:
        raise ConfigError(
            f"labels of dims {dict(labels.sizes)}", f"dims (y, x) with the {shape[0]} x {shape[1]} pixels of the scene"
        )
    values = labels.transpose("y", "x").values
    if values.dtype.kind in "biuf":
        there = np.isfinite(values) & (values > 0)
        if (values[there] != np.floor(values[there])).any():
            raise ConfigError("labels that are no whole numbers", "classes 1, 2, ..., or their names")
        found, index = np.unique(values[there].astype(np.int64), return_inverse=True)
        names = [f"class-{number}" for number in found.tolist()]
    else:
        texts = values.astype(str)
        there = ~np.isin(texts, ("", "nan", "None"))
        unique, index = np.unique(texts[there], return_inverse=True)
        names = [str(text) for text in unique]
    return names, np.argwhere(there), index.ravel()

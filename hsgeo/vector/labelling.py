"""Features to labelled pixels: those that polygons of one class cover, and those that hold a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.vector.features import Features
from hsgeo.vector.placing import point_pixels, strips, touched
from hsgeo.vector.points import CLASS_COLUMNS

__all__ = ["COVER", "feature_classes", "labelled_pixels"]

COVER = 0.95  # of a pixel that its class must cover: two sub-pixel columns less, or a drawn edge's last wobble


def feature_classes(features: Features, *, field: str | None = None) -> list[str]:
    """Read the class of every feature.

    Parameters
    ----------
    features : Features
        Polygons or points.
    field : str, optional
        Field of the class; None: ``class``, ``name`` or ``label``, or else the only field with text.

    Returns
    -------
    list of str
        One a feature; empty where the field is.

    Raises
    ------
    ConfigError
        There is no such field, or it cannot be told which one is meant.
    """
    by_plain = {name.strip().casefold(): name for name in reversed(features.fields)}
    texts = [name for name in features.fields if any(isinstance(row.get(name), str) for row in features.properties)]
    wanted = [field.strip().casefold()] if field else list(CLASS_COLUMNS)
    found = next((by_plain[name] for name in wanted if name in by_plain), None)
    if found is None and field is None and len(texts) == 1:
        found = texts[0]
    if found is None:
        raise ConfigError(
            f"there is no field {field!r} in the labels" if field else "it cannot be told which field names the class",
            f"a field with classes; there are: {', '.join(features.fields) or 'none'}",
            "Say which: --label-field",
        )
    return [_text(row.get(found)) for row in features.properties]


def labelled_pixels(
    geometries: Sequence[Any], index: np.ndarray, affine: Any, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels that a class covers to 95 %, or that hold a point of it.

    Polygons are cut at a tenth of a pixel; later ones lie over earlier ones.

    Parameters
    ----------
    geometries : sequence of dict
        In the reference system of the grid; polygons and points may be mixed.
    index : numpy.ndarray
        ``(geometries,)`` int, the class of each, from 0.
    affine : affine.Affine
        From columns and rows to coordinates.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    pixels : numpy.ndarray
        Flat indices; a pixel can come several times, with different classes where points disagree.
    classes : numpy.ndarray
        Class of each.
    """
    from affine import Affine

    rows, cols = touched(geometries, affine, shape)
    inner = affine * Affine.translation(cols.start, rows.start)
    size = (rows.stop - rows.start, cols.stop - cols.start)
    area = [str(geometry["type"]).endswith("Polygon") for geometry in geometries]
    shapes = [(g, int(k) + 1) for g, k, polygon in zip(geometries, index, area, strict=True) if polygon]
    pixels, classes = [np.empty(0, int)], [np.empty(0, int)]
    for top, _, cells in strips(shapes, inner, size):
        for k in range(int(index.max()) + 1):
            y, x = np.nonzero((cells == k + 1).mean(axis=(1, 3)) >= COVER)
            pixels.append((y + top + rows.start) * shape[1] + x + cols.start)
            classes.append(np.full(y.size, k))
    for geometry, k, polygon in zip(geometries, index.tolist(), area, strict=True):
        if not polygon:
            held = [row * shape[1] + col for row, col in point_pixels(geometry, ~affine, shape)]
            pixels.append(np.array(held, int))
            classes.append(np.full(len(held), k))
    return np.concatenate(pixels), np.concatenate(classes)


def _text(value: Any) -> str:
    """Return a class as text; numbers of tables, which know no integers, without their ``.0``."""
    if value is None or value != value:  # NaN
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value).strip()

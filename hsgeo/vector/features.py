"""One record for features of any vector format, and the choice of the reader by suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError

__all__ = ["VECTOR_SUFFIXES", "Features", "read_features"]

VECTOR_SUFFIXES = (".geojson", ".json", ".shp", ".gpkg")
_KINDS = ("Polygon", "MultiPolygon", "Point", "MultiPoint")


@dataclass(frozen=True)
class Features:
    """Geometries with their properties.

    Parameters
    ----------
    geometries : tuple of dict
        GeoJSON geometries: Polygon, MultiPolygon, Point, MultiPoint.
    properties : tuple of dict
        Values by field, one dict for each geometry.
    crs : str or None
        Reference system as EPSG code or WKT; None: not stated.
    """

    geometries: tuple[dict[str, Any], ...]
    properties: tuple[dict[str, Any], ...]
    crs: str | None

    @property
    def fields(self) -> list[str]:
        """Names of the fields, in the order of the file."""
        return list(dict.fromkeys(name for row in self.properties for name in row))


def read_features(path: str | Path, *, layer: str | None = None) -> Features:
    """Read polygons or points.

    Parameters
    ----------
    path : path
        ``.geojson``, ``.shp`` (with ``.dbf`` and ``.prj`` beside it) or ``.gpkg``.
    layer : str, optional
        Layer of a GeoPackage that has several; None: its only one.

    Returns
    -------
    Features
        All features that have a geometry.

    Raises
    ------
    ConfigError
        The file cannot be read, is of another format, has no such layer, or holds no polygon and no point.
    """
    path = Path(path)
    if layer is not None and path.suffix.lower() != ".gpkg":
        raise ConfigError(
            f"the layer {layer!r} of {path}, which has no layers", "a layer of a GeoPackage", "Leave the layer out"
        )
    try:
        if path.suffix.lower() == ".shp":
            from hsgeo.vector.shapefile import read_shapefile

            found = read_shapefile(path)
        elif path.suffix.lower() == ".gpkg":
            from hsgeo.vector.geopackage import read_geopackage

            found = read_geopackage(path, layer=layer)
        else:
            from hsgeo.vector.geojson import read_geojson

            found = read_geojson(path)
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError, IndexError, TypeError, ArithmeticError) as error:
        raise ConfigError(
            f"{path} cannot be read as a vector file: {type(error).__name__}: {error}",
            "GeoJSON, Shapefile or GeoPackage",
            "Open it in QGIS and export it as GeoJSON",
        ) from error
    kept = [pair for pair in zip(found.geometries, found.properties, strict=True) if pair[0]]
    other = sorted({str(geometry.get("type")) for geometry, _ in kept} - set(_KINDS))
    if other or not kept:
        raise ConfigError(
            f"{path} holds {', '.join(other) if other else 'no feature'}",
            "polygons or points",
            "Export the layer with the areas or plots",
        )
    return Features(tuple(pair[0] for pair in kept), tuple(pair[1] for pair in kept), found.crs)

"""Read GeoJSON (RFC 7946, and the older form with a ``crs`` member)."""

from __future__ import annotations

import json
from pathlib import Path

from hsgeo.errors import ConfigError
from hsgeo.vector.features import Features

__all__ = ["read_geojson"]

_DEFAULT = "OGC:CRS84"  # RFC 7946: longitude and latitude in WGS 84


def read_geojson(path: Path) -> Features:
    """Read a FeatureCollection, or a single Feature.

    Parameters
    ----------
    path : pathlib.Path
        The file, UTF-8.

    Returns
    -------
    Features
        In file order.

    Raises
    ------
    ConfigError
        It is JSON of another kind.
    OSError, ValueError
        It cannot be read, or is no JSON.
    """
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    kind = content.get("type") if isinstance(content, dict) else None
    if kind not in ("FeatureCollection", "Feature"):
        raise ConfigError(
            f"{path} is JSON of type {kind!r}", "a GeoJSON FeatureCollection", "Export it again, for example from QGIS"
        )
    features = content["features"] if kind == "FeatureCollection" else [content]
    named = ((content.get("crs") or {}).get("properties") or {}).get("name")
    return Features(
        tuple(feature.get("geometry") or {} for feature in features),
        tuple(dict(feature.get("properties") or {}) for feature in features),
        str(named) if named else _DEFAULT,
    )

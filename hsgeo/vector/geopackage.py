"""Read a GeoPackage: features in SQLite, geometries as well-known binary (OGC 12-128, OGC 06-103)."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError
from hsgeo.vector.features import Features

__all__ = ["read_geopackage"]

_ENVELOPE = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}  # bytes by the header's envelope code
_DEEPEST = 2  # levels of collections inside each other; a geometry has one, and a file that nests more means harm


def read_geopackage(path: Path, *, layer: str | None = None) -> Features:
    """Read a feature layer of a GeoPackage.

    Parameters
    ----------
    path : pathlib.Path
        The file; opened read-only.
    layer : str, optional
        Name of the layer; None: the only one.

    Returns
    -------
    Features
        In table order.

    Raises
    ------
    ConfigError
        It holds no layer of features, several and none was named, or none of that name.
    OSError, ValueError
        It cannot be read or is damaged.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as base:
            base.row_factory = sqlite3.Row
            layers = base.execute("SELECT table_name, column_name, srs_id FROM gpkg_geometry_columns").fetchall()
            named = ", ".join(str(found["table_name"]) for found in layers) or "none"
            if layer is not None:
                layers = [found for found in layers if str(found["table_name"]) == layer]
            if len(layers) != 1:
                raise ConfigError(
                    f"{path} has no layer {layer!r}" if layer else f"{path} holds several layers of features, or none",
                    f"one of its layers: {named}",
                    "Name it (--label-layer), or export it to a file of its own",
                )
            table, column, srs = layers[0]
            quoted = '"' + str(table).replace('"', '""') + '"'
            rows = [dict(row) for row in base.execute(f"SELECT * FROM {quoted}")]  # noqa: S608 - quoted above
            crs = base.execute(
                "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id=?",
                (srs,),
            ).fetchone()
    except sqlite3.Error as error:
        raise ValueError(str(error)) from error
    geometries = [_geometry(row.pop(column)) for row in rows]
    return Features(tuple(geometries), tuple(rows), _crs(crs))


def _crs(row: Any) -> str | None:
    if row is None or str(row[2]).strip().lower() in ("", "undefined"):
        return None
    return f"EPSG:{row[1]}" if str(row[0]).upper() == "EPSG" else str(row[2])


def _geometry(blob: bytes | None) -> dict[str, Any]:
    if not blob:
        return {}
    if blob[:2] != b"GP" or len(blob) < 8:
        raise ValueError("a geometry is no GeoPackage geometry")
    size = _ENVELOPE.get(blob[3] >> 1 & 7)
    if size is None:
        raise ValueError("a geometry's envelope is damaged")
    if blob[3] >> 4 & 1:
        return {}
    try:
        return _wkb(blob, 8 + size, 0)[0]
    except (struct.error, IndexError) as error:
        raise ValueError(f"a geometry is damaged: {error}") from error


def _wkb(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    """Return the geometry that begins at a byte, and the byte after it."""
    order = "<" if data[at] else ">"
    (kind,) = struct.unpack_from(f"{order}I", data, at + 1)
    dims = 2 + (kind // 1000 in (1, 2)) + 2 * (kind // 1000 == 3)
    kind, at = kind % 1000, at + 5

    def number(at: int) -> tuple[int, int]:
        return struct.unpack_from(f"{order}I", data, at)[0], at + 4

    def line(at: int, count: int) -> tuple[list[tuple[float, float]], int]:
        flat = struct.unpack_from(f"{order}{dims * count}d", data, at)
        return [(flat[i], flat[i + 1]) for i in range(0, dims * count, dims)], at + 8 * dims * count

    if kind == 1:
        points, at = line(at, 1)
        return {"type": "Point", "coordinates": points[0]}, at
    count, at = number(at)
    if kind == 3:
        rings = []
        for _ in range(count):
            size, at = number(at)
            ring, at = line(at, size)
            rings.append(ring)
        return {"type": "Polygon", "coordinates": rings}, at
    if kind in (4, 6) and depth < _DEEPEST:
        parts = []
        for _ in range(count):
            part, at = _wkb(data, at, depth + 1)
            parts.append(part["coordinates"])
        return {"type": "MultiPoint" if kind == 4 else "MultiPolygon", "coordinates": parts}, at
    return {"type": f"geometry type {kind}"}, len(data)

"""Read an ESRI Shapefile: ``.shp``, its table ``.dbf``, its reference system ``.prj`` (ESRI white paper, 1998)."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError
from hsgeo.vector.features import Features

__all__ = ["read_shapefile"]

_MAGIC = 9994
_POINT, _POLYGON, _MULTIPOINT = 1, 5, 8  # plus 10 with Z, plus 20 with M


def read_shapefile(path: Path) -> Features:
    """Read polygons or points and their table.

    Parameters
    ----------
    path : pathlib.Path
        ``.shp``; ``.dbf`` must lie beside it, ``.prj`` and ``.cpg`` may.

    Returns
    -------
    Features
        In file order; the parts of a polygon are its rings, filled by the even-odd rule.

    Raises
    ------
    ConfigError
        A part is missing, or they do not fit together.
    OSError, ValueError
        It cannot be read or is cut short.
    """
    table = _beside(path, ".dbf")
    if table is None:
        raise ConfigError(f"{path} has no .dbf beside it", "the whole Shapefile", "Copy .shp, .dbf and .prj together")
    geometries = _shapes(path.read_bytes())
    code_page = _beside(path, ".cpg")
    named = code_page.read_text(encoding="ascii", errors="ignore").strip() if code_page else ""
    rows = _rows(table.read_bytes(), named)
    if len(rows) != len(geometries):
        raise ConfigError(
            f"{path} holds {len(geometries)} shapes and {len(rows)} table rows", "as many", "Export it again"
        )
    place = _beside(path, ".prj")
    crs = place.read_text(encoding="utf-8", errors="replace").strip() if place else None
    return Features(tuple(geometries), tuple(rows), crs or None)


def _beside(path: Path, suffix: str) -> Path | None:
    for name in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
        if name.exists():
            return name
    return None


def _shapes(data: bytes) -> list[dict[str, Any]]:
    if len(data) < 100 or struct.unpack(">i", data[:4])[0] != _MAGIC:
        raise ValueError("it does not begin as a .shp does")
    found, at = [], 100
    while at + 8 <= len(data):
        words = struct.unpack(">i", data[at + 4 : at + 8])[0]
        record = data[at + 8 : at + 8 + 2 * words]
        if words < 2 or len(record) < 2 * words:
            raise ValueError("it is cut short")
        found.append(_shape(record))
        at += 8 + 2 * words
    return found


def _shape(record: bytes) -> dict[str, Any]:
    try:
        kind = struct.unpack_from("<i", record)[0]
        if kind == 0:
            return {}
        if kind % 10 == _POINT:
            return {"type": "Point", "coordinates": struct.unpack_from("<2d", record, 4)}
        if kind % 10 == _MULTIPOINT:
            (count,) = struct.unpack_from("<i", record, 36)
            return {"type": "MultiPoint", "coordinates": _points(record, 40, count)}
        if kind % 10 == _POLYGON:
            parts, count = struct.unpack_from("<2i", record, 36)
            starts = [*struct.unpack_from(f"<{parts}i", record, 44), count]
            points = _points(record, 44 + 4 * parts, count)
            rings = [points[first:last] for first, last in pairwise(starts)]
            return {"type": "Polygon", "coordinates": [ring for ring in rings if len(ring) >= 4]}
    except struct.error as error:
        raise ValueError(f"a shape is damaged: {error}") from error
    return {"type": f"shape type {kind}"}


def _points(record: bytes, at: int, count: int) -> list[tuple[float, float]]:
    flat = struct.unpack_from(f"<{2 * count}d", record, at)
    return list(zip(flat[::2], flat[1::2], strict=True))


def _rows(data: bytes, code_page: str) -> list[dict[str, Any]]:
    if len(data) < 32:
        raise ValueError("its .dbf is cut short")
    count, header, width = struct.unpack_from("<IHH", data, 4)
    fields, at = [], 32
    while at + 32 <= len(data) and data[at] != 0x0D:
        name = data[at : at + 11].split(b"\0")[0].decode("ascii", errors="replace")
        fields.append((name, chr(data[at + 11]), data[at + 16]))
        at += 32
    rows = []
    for index in range(count):
        record = data[header + index * width : header + (index + 1) * width]
        if len(record) < width:
            raise ValueError("its .dbf is cut short")
        row, start = {}, 1
        for name, kind, size in fields:
            row[name] = _value(record[start : start + size], kind, code_page)
            start += size
        rows.append(row)
    return rows


def _value(raw: bytes, kind: str, code_page: str) -> Any:
    for encoding in (code_page, "utf-8", "latin-1"):
        try:
            text = raw.decode(encoding).strip(" \0") if encoding else None
        except (UnicodeDecodeError, LookupError):
            continue
        if text is not None:
            break
    if kind not in "NF":
        return text
    try:
        return float(text or "nan") if "." in (text or ".") or "e" in (text or "").lower() else int(text or 0)
    except ValueError:
        return float("nan")  # stars: the number did not fit its column

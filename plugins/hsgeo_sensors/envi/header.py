"""The text of an ENVI header: keys, lists, map info. GDAL's reading of it loses units and scales."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.georef import quiet_crs

__all__ = ["EnviHeader", "find_pair", "read_header"]

TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
AXES = {"bsq": ("band", "y", "x"), "bil": ("y", "band", "x"), "bip": ("y", "x", "band")}


@dataclass(frozen=True)
class EnviHeader:
    """A header: keys in lower case with single blanks, values as text without braces.

    Parameters
    ----------
    path : pathlib.Path
        The ``.hdr``.
    fields : mapping of str to str
        As read.
    """

    path: Path
    fields: Mapping[str, str]

    def text(self, key: str) -> str | None:
        """Return a value, or None."""
        return self.fields.get(key)

    def integer(self, key: str, default: int | None = None) -> int:
        """Return a whole number, or raise."""
        value = self.fields.get(key)
        if value is None and default is not None:
            return default
        try:
            return int(str(value))
        except ValueError:
            found = f"has {key} = {value!r}" if value is not None else f"lacks {key!r}"
            raise SceneError(f"{self.path} {found}", "a whole number", "Repair the header") from None

    def numbers(self, key: str) -> np.ndarray | None:
        """Return a list of numbers, or None when there is none."""
        value = self.fields.get(key)
        if value is None or not value.strip():
            return None
        try:
            return np.array([float(part) for part in value.replace(",", " ").split()])
        except ValueError:
            raise SceneError(f"{self.path} has words in {key!r}", "numbers", "Repair the header") from None

    @property
    def dtype(self) -> np.dtype:
        """Of the stored numbers, byte order included."""
        code = self.integer("data type")
        if code not in TYPES:
            raise SceneError(f"{self.path} has data type {code}", f"a real type, {sorted(TYPES)}")
        order = self.integer("byte order", 0)
        return np.dtype(("<", ">")[order == 1] + TYPES[code])

    @property
    def axes(self) -> tuple[str, ...]:
        """Order in which the numbers are stored."""
        interleave = (self.text("interleave") or "bsq").lower()
        if interleave not in AXES:
            raise SceneError(f"{self.path} has interleave {interleave!r}", ", ".join(AXES))
        return AXES[interleave]

    @property
    def sizes(self) -> dict[str, int]:
        """Bands, rows (y) and columns (x)."""
        sizes = {"band": self.integer("bands"), "y": self.integer("lines"), "x": self.integer("samples")}
        if min(sizes.values()) < 1:
            raise SceneError(f"{self.path} has {sizes} bands, rows and columns", "at least one each")
        return sizes

    def transform(self) -> Any:
        """Return the affine of ``map info``, rotation included; None when there is none.

        The reference pixel is counted from 1 at the upper left corner of the first pixel, and the rotation is
        anticlockwise in degrees.
        """
        from affine import Affine

        parts = self._map_info()
        if parts is None:
            return None
        try:
            column, row, east, north, dx, dy = (float(part) for part in parts[1:7])
            turn = next((float(p.split("=")[1]) for p in parts if p.lower().startswith("rotation")), 0.0)
        except (ValueError, IndexError):
            raise SceneError(
                f"{self.path} has map info {{{self.fields['map info']}}}",
                "name, reference column and row, easting, northing, pixel width and height, ...",
                "Repair the header",
            ) from None
        if turn == 0.0:
            a, b, d, e = dx, 0.0, 0.0, -dy
        else:
            c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
            a, b, d, e = dx * c, dx * s, dy * s, -dy * c
        left, up = column - 1.0, row - 1.0
        return Affine(a, b, east - a * left - b * up, d, e, north - d * left - e * up)

    def crs(self) -> Any:
        """Return the CRS of ``coordinate system string``, else of a UTM or geographic ``map info``; None if neither."""
        from rasterio.crs import CRS
        from rasterio.errors import CRSError

        wkt = self.text("coordinate system string")
        if wkt and wkt.strip():
            try:
                return quiet_crs(partial(CRS.from_wkt, morph_from_esri_dialect=True), wkt)
            except CRSError:
                try:
                    return quiet_crs(CRS.from_user_input, wkt)
                except CRSError:
                    pass  # the map info may still say it
        parts = self._map_info() or []
        if not parts or not any(re.sub(r"[-_ ]", "", p).lower() in ("wgs84", "dwgs1984", "wgs1984") for p in parts):
            return None
        if parts[0].upper() == "UTM" and len(parts) > 8 and parts[7].isdigit() and 1 <= int(parts[7]) <= 60:
            return CRS.from_epsg((32700 if parts[8].lower().startswith("s") else 32600) + int(parts[7]))
        return CRS.from_epsg(4326) if parts[0].lower().startswith("geographic") else None

    def _map_info(self) -> list[str] | None:
        value = self.text("map info")
        return [part.strip() for part in value.split(",")] if value and value.strip() else None


def find_pair(path: Path) -> tuple[Path, Path] | None:
    """Find header and data file, given either.

    Parameters
    ----------
    path : pathlib.Path
        ``x.hdr``, ``x.img.hdr`` or the data file.

    Returns
    -------
    tuple of pathlib.Path, or None
        Header and data file; None when one of them is not there.
    """
    if path.suffix.lower() == ".hdr":
        base = path.with_suffix("")
        if base.is_file():
            return path, base
        suffixes = (".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".rfl", ".sli", ".gz")
        for suffix in (*suffixes, *(s.upper() for s in suffixes)):
            if (found := base.with_name(base.name + suffix)).is_file():
                return path, found
        return None
    for header in (path.with_name(path.name + ".hdr"), path.with_suffix(".hdr"), path.with_suffix(".HDR")):
        if header.is_file() and header != path:
            return header, path
    return None


def read_header(path: Path) -> EnviHeader:
    """Parse a header. Keys may be indented, lists may span lines, comments start with a semicolon.

    Parameters
    ----------
    path : pathlib.Path
        The ``.hdr``.

    Returns
    -------
    EnviHeader
        Its keys and values.

    Raises
    ------
    SceneError
        If it does not begin with ENVI, or a brace is not closed.
    """
    text = path.read_bytes().decode("utf-8-sig", "replace")
    if not text.lstrip().startswith("ENVI"):
        raise SceneError(f"{path} does not begin with 'ENVI'", "an ENVI header")
    fields: dict[str, str] = {}
    lines = iter(text.splitlines()[1:])
    for line in lines:
        if line.lstrip().startswith(";") or "=" not in line:
            continue
        key, value = (part.strip() for part in line.split("=", 1))
        if value.startswith("{"):
            while value.count("{") > value.count("}"):
                following = next(lines, None)
                if following is None:
                    raise SceneError(f"{path} ends inside the braces of {key!r}", "a complete header")
                value += "\n" + following
            value = value.strip()[1:].rpartition("}")[0].strip()
        fields[" ".join(key.lower().split())] = value
    return EnviHeader(path, fields)

"""The text of an ENVI header: keys, lists, map info. GDAL's reading of it loses units and scales."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo_sensors.common.georef import quiet_crs

__all__ = ["EnviHeader", "find_pair", "read_header"]

TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
ODD = re.compile(r"[+-]?(nan(\(.*\))?|1\.#(qnan|snan|ind|nan)\d*)", re.IGNORECASE)
PLACELESS = ("arbitrary", "unknown", "none", "")
DATUMS = (
    ({"wgs84", "dwgs1984", "wgs1984"}, (32600, 60, 32700, 4326)),
    ({"nad83", "northamerica1983", "northamerican1983", "dnorthamerican1983"}, (26900, 23, 0, 4269)),
    ({"nad27", "northamerica1927", "northamerican1927", "dnorthamerican1927"}, (26700, 22, 0, 4267)),
)
"""What map info calls a datum, without blanks and signs; EPSG codes before the zones of UTM north, how many zones there
are, UTM south (0: there is none), and geographic."""
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
            return np.array([_number(part) for part in value.replace(",", " ").split()])
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
        """Return the CRS of ``coordinate system string``, else of a UTM or geographic ``map info``.

        None where the header has neither, or an arbitrary one; and, with a warning, where its words name none that is
        known here.
        """
        from rasterio.crs import CRS
        from rasterio.errors import CRSError

        wkt = (self.text("coordinate system string") or "").strip()
        if wkt:
            try:
                return quiet_crs(partial(CRS.from_wkt, morph_from_esri_dialect=True), wkt)
            except CRSError:
                try:
                    return quiet_crs(CRS.from_user_input, wkt)
                except CRSError:
                    pass  # the map info may still say it
        parts = self._map_info() or []
        if (code := _epsg(parts)) is not None:
            return CRS.from_epsg(code)
        if wkt or (parts and parts[0].lower() not in PLACELESS):
            self.transform()  # what cannot be read at all is an error of its own
            said = f"coordinate system string {wkt[:200]!r}" if wkt else f"map info {{{', '.join(parts)}}}"
            warnings.warn(
                f"{self.path} has the {said}, which names no reference system that is known here: the scene has its "
                "coordinates without one, and so will what is made of it. Known without WKT are UTM and geographic "
                "coordinates on WGS-84, NAD83 and NAD27, in metres and degrees; give others as WKT in the header's "
                "'coordinate system string'.",
                HsgeoWarning,
                stacklevel=2,
            )
        return None

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
        fitting = _by_size(path, base)
        return (path, fitting) if fitting is not None else None
    for header in (path.with_name(path.name + ".hdr"), path.with_suffix(".hdr"), path.with_suffix(".HDR")):
        if header.is_file() and header != path:
            return header, path
    return None


def _by_size(path: Path, base: Path) -> Path | None:
    """Return the one file of the same name, whatever its suffix, that is as large as the header says."""
    try:
        header = read_header(path)
        size = header.integer("header offset", 0) + math.prod(header.sizes.values()) * header.dtype.itemsize
        with os.scandir(path.parent) as entries:  # not glob: names have brackets
            named = [
                e for e in entries if e.name.startswith(base.name + ".") and "." not in e.name[len(base.name) + 1 :]
            ]
            found = [e.name for e in named if e.is_file() and e.stat().st_size == size]
    except (SceneError, OSError):
        return None
    return path.with_name(found[0]) if len(found) == 1 else None


def _number(text: str) -> float:
    """Read a number as C libraries write it: ``1.#QNAN``, ``-nan(ind)`` and the like are not a number."""
    return math.nan if ODD.fullmatch(text) else float(text)


def _epsg(parts: list[str]) -> int | None:
    """Return the EPSG code of a map info, None where its words do not prove one."""
    words = {re.sub(r"[-_ ]|datum", "", part.lower()) for part in parts}
    datum = next((codes for names, codes in DATUMS if words & names), None)
    unit = next((part.split("=", 1)[1].strip().lower() for part in parts if part.lower().startswith("units=")), "")
    if datum is None:
        return None
    north, zones, south, degrees = datum
    kind = parts[0].lower()
    if kind == "utm" and len(parts) > 8 and parts[7].isdigit() and unit in ("", "meters", "metres", "meter", "m"):
        zone = south if parts[8].lower().startswith("s") else north
        return zone + int(parts[7]) if zone and 1 <= int(parts[7]) <= zones else None
    return degrees if kind.startswith("geographic") and unit in ("", "degrees", "degree") else None


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

"""The map grid of an ortho Tanager scene: an EPSG code, and corners in the text block that HDF-EOS keeps its layout in.

The block is read as text, key by key; nothing in it is evaluated.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.georef import quiet_crs
from hsgeo_sensors.common.hdf5 import text_of_value

__all__ = ["framing", "map_grid", "parse_odl"]

LONGEST = 1 << 20  # characters; real blocks have a few thousand, and HDF-EOS splits them at 32000
DEEPEST = 16  # nested groups; real blocks have 4

DO = "The file is damaged or of another layout than Tanager's; please report it with this message"


def parse_odl(text: str, *, name: str) -> dict[str, Any]:
    """Read the structure block of an HDF-EOS file.

    Parameters
    ----------
    text : str
        Lines ``KEY=value`` between ``GROUP=`` (or ``OBJECT=``) and ``END_GROUP=`` (or ``END_OBJECT=``).
    name : str
        Of the file, for messages.

    Returns
    -------
    dict
        Groups and objects as dicts by name, values as text without quotes.

    Raises
    ------
    SceneError
        If it is absurdly long or deep, or groups do not close as they open.
    """
    wanted = "the text block of HDF-EOS5: GROUP=... END_GROUP=... END"
    if len(text) > LONGEST:
        raise SceneError(f"{name} has a StructMetadata of {len(text)} characters", f"at most {LONGEST}", DO)
    root: dict[str, Any] = {}
    stack: list[tuple[str, dict[str, Any]]] = [("", root)]
    for line in text.replace("\0", "").splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if key == "END" and not equals:
            break
        if not equals:
            continue
        if key in ("GROUP", "OBJECT"):
            inner: dict[str, Any] = {}
            stack[-1][1][value] = inner
            stack.append((value, inner))
            if len(stack) > DEEPEST:
                raise SceneError(f"{name} has groups more than {DEEPEST} deep in its StructMetadata", wanted, DO)
        elif key in ("END_GROUP", "END_OBJECT"):
            if len(stack) == 1 or stack[-1][0] != value:
                raise SceneError(f"{name} closes {value!r} in its StructMetadata, which is not open", wanted, DO)
            stack.pop()
        else:
            stack[-1][1][key] = value.strip('"')
    if len(stack) > 1:
        raise SceneError(f"{name} never closes {stack[-1][0]!r} in its StructMetadata", wanted, DO)
    return root


def map_grid(file: Any, group: str, height: int, width: int, *, name: str) -> tuple[Any, Any]:
    """Return CRS and transform of an ortho scene, after checking that its statements agree.

    The two corners are the outer edges of the grid (specification of November 2025, its example: 25380 m for 846
    columns of 30 m). Pixels are square, which proves it: taken as pixel centres, the same corners would make them
    oblong whenever the grid is not square itself.

    Parameters
    ----------
    file : h5py.File
        The scene.
    group : str
        ``HDFEOS/GRIDS/HYP``.
    height, width : int
        Of the cube, pixels.
    name : str
        For messages.

    Returns
    -------
    rasterio.crs.CRS, affine.Affine
        The transform maps (column, row) of pixel corners.

    Raises
    ------
    SceneError
        If something is missing, unknown, or contradicts something else.
    """
    from affine import Affine

    grid = _grid(file, name)
    missing = [k for k in ("XDim", "YDim", "UpperLeftPointMtrs", "LowerRightMtrs") if k not in grid]
    if missing:
        raise SceneError(f"{name} lacks {', '.join(missing)} in its StructMetadata", "a grid with corners", DO)
    try:
        found = int(grid["YDim"]), int(grid["XDim"])
        (left, top), (right, bottom) = (_pair(grid[k]) for k in ("UpperLeftPointMtrs", "LowerRightMtrs"))
    except ValueError as error:
        raise SceneError(f"{name} has a StructMetadata that cannot be read: {error}", "numbers", DO) from error
    if found != (height, width):
        raise SceneError(
            f"{name} has a cube of {height} x {width} pixels and a grid of {found[0]} x {found[1]}",
            "one grid: bands, rows, columns",
            DO,
        )
    origin = grid.get("GridOrigin", "HE5_HDFE_GD_UL")
    if origin != "HE5_HDFE_GD_UL" or not (right > left and top > bottom):
        raise SceneError(
            f"{name} has a grid from ({left}, {top}) to ({right}, {bottom}) with origin {origin}",
            "rows from north to south, columns from west to east (HE5_HDFE_GD_UL)",
            DO,
        )
    crs = _crs(file[group].attrs.get("epsg_code"), grid, name)
    spans = right - left, top - bottom
    for less in (0, 1):  # corners that are edges; corners that are centres
        if min(height, width) <= less:
            continue
        dx, dy = spans[0] / (width - less), spans[1] / (height - less)
        if abs(dx - dy) <= 0.02 / min(height, width):  # corners have two decimals: each may be 0.005 m off
            half = less / 2
            return crs, Affine(dx, 0.0, left - half * dx, 0.0, -dy, top + half * dy)
    raise SceneError(
        f"{name} has {height} x {width} pixels on {spans[1]:g} x {spans[0]:g} m",
        "square pixels, with corners that are the edges of the grid or the centres of its first and last pixel",
        DO,
    )


def framing(value: Any, *, name: str) -> str | None:
    """Return the ortho grid that a basic scene would get (``Planet_Ortho_Framing``), as tidy JSON.

    Parameters
    ----------
    value : object
        The attribute; None where there is none.
    name : str
        Of the file, for messages.

    Returns
    -------
    str or None
        With ``epsg_code``, ``rows``, ``cols`` and ``geotransform`` (GDAL's order).

    Raises
    ------
    SceneError
        If it is there and cannot be used.
    """
    if value is None:
        return None
    try:
        said = json.loads(text_of_value(value))
        numbers = [float(v) for v in said["geotransform"]]
        tidy = {k: int(said[k]) for k in ("epsg_code", "rows", "cols")} | {"geotransform": numbers}
        if len(numbers) != 6 or not np.isfinite(numbers).all():
            raise ValueError("its geotransform is not six numbers")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SceneError(
            f"{name} has a Planet_Ortho_Framing that cannot be used: {error}",
            "JSON with epsg_code, rows, cols and geotransform",
            DO,
        ) from error
    return json.dumps(tidy)


def _grid(file: Any, name: str) -> dict[str, Any]:
    information = file.get("HDFEOS INFORMATION")
    blocks = sorted(
        (k for k in (information or ()) if k.startswith("StructMetadata.") and k[15:].isdigit()),
        key=lambda k: int(k[15:]),
    )
    text = "".join(text_of_value(information[k][()]) for k in blocks)
    if not text:
        raise SceneError(f"{name} lacks HDFEOS INFORMATION/StructMetadata.0", "the layout of Tanager's scenes", DO)
    structure = parse_odl(text, name=name).get("GridStructure", {})
    for grid in structure.values():
        if isinstance(grid, dict) and grid.get("GridName") == "HYP":
            return grid
    raise SceneError(f"{name} describes no grid HYP in its StructMetadata", "the layout of ortho scenes", DO)


def _pair(text: str) -> tuple[float, float]:
    first, second = text.strip("()").split(",")
    pair = float(first), float(second)
    if not np.isfinite(pair).all():
        raise ValueError(f"{text} is not a point")
    return pair


def _crs(code: Any, grid: dict[str, Any], name: str) -> Any:
    """Make the CRS, and compare its UTM zone with the block's."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    if code is None:
        raise SceneError(f"{name} lacks the attribute epsg_code", "the layout of ortho scenes", DO)
    try:
        number = int(text_of_value(code))
        crs = quiet_crs(CRS.from_epsg, number)
    except (CRSError, ValueError) as error:
        raise SceneError(f"{name} has epsg_code {text_of_value(code)!r}", "a known EPSG code", DO) from error
    zone = grid.get("ZoneCode", "")
    utm = grid.get("Projection") == "HE5_GCTP_UTM" and number // 100 in (326, 327) and zone.lstrip("-").isdigit()
    if utm and abs(int(zone)) != number % 100:
        raise SceneError(f"{name} has epsg_code {number} and UTM zone {zone}", "one zone", DO)
    return crs

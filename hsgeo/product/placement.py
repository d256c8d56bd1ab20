"""Where a raster lies on the Earth: CRS and affine, read once and written everywhere alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["COUNTED", "Affine6", "Placement", "find_placement"]

Affine6 = tuple[float, float, float, float, float, float]
"""``(a, b, c, d, e, f)``: ``X = a * col + b * row + c``, ``Y = d * col + e * row + f``, corners of pixels."""

COUNTED = {"y": "row", "x": "col"}
"""Coordinates that number the pixels of a product on a rotated grid."""

_AGREE = 1e-6  # of a pixel: the GeoTransform attribute is the exact form of what the coordinates round
_REGULAR = 1e-2  # of a pixel: float32 coordinates at 5e6 m with 30 m pixels are 0.008 pixels off

_CONVENTIONS = {
    "spatial": {
        "uuid": "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
        "name": "spatial:",
        "spec_url": "https://github.com/zarr-conventions/spatial",
        "description": "affine transform from array index to spatial coordinates",
    },
    "proj": {
        "uuid": "f17cb550-5864-4468-aeb7-f3180cfb622f",
        "name": "proj:",
        "spec_url": "https://github.com/zarr-conventions/geo-proj",
        "description": "coordinate reference system",
    },
}


@dataclass(frozen=True)
class Placement:
    """CRS and affine of a raster; either may be unknown.

    Parameters
    ----------
    crs : rasterio.crs.CRS or None
        Coordinate reference system.
    transform : tuple of float or None
        `Affine6` of pixel (0, 0).
    shape : tuple of int
        Rows and columns.
    """

    crs: Any
    transform: Affine6 | None
    shape: tuple[int, int]

    @property
    def rotated(self) -> bool:
        """Whether rows are not lines of constant Y."""
        return self.transform is not None and (self.transform[1] != 0 or self.transform[3] != 0)

    @property
    def geotransform(self) -> str:
        """The affine in GDAL's order, with every digit, as ``spatial_ref`` holds it."""
        assert self.transform is not None
        a, b, c, d, e, f = self.transform
        return " ".join(repr(float(v)) for v in (c, a, b, f, d, e))

    def attrs(self) -> dict[str, Any]:
        """Return the group attributes of the ``spatial:`` and ``proj:`` Zarr conventions.

        Returns
        -------
        dict
            Empty where nothing is known.
        """
        out: dict[str, Any] = {}
        if self.transform is not None:
            a, b, c, d, e, f = self.transform
            rows, cols = self.shape
            corners = [(a * i + b * j + c, d * i + e * j + f) for i in (0, cols) for j in (0, rows)]
            xs, ys = zip(*corners, strict=True)
            out["spatial:dimensions"] = ["y", "x"]
            out["spatial:transform"] = list(self.transform)
            out["spatial:shape"] = list(self.shape)
            out["spatial:bbox"] = [min(xs), min(ys), max(xs), max(ys)]
        if self.crs is not None:
            authority = self.crs.to_authority()
            if authority:
                out["proj:code"] = ":".join(authority)
            else:
                out["proj:wkt2"] = self.crs.to_wkt(version="WKT2_2019")
        return out

    def conventions(self) -> list[dict[str, str]]:
        """Return the ``zarr_conventions`` that go with `attrs`; only Zarr can hold such a list."""
        known = {"spatial": self.transform is not None, "proj": self.crs is not None}
        return [dict(_CONVENTIONS[name]) for name, used in known.items() if used]


def find_placement(ds: xr.Dataset) -> Placement:
    """Read CRS and affine from a scene or product.

    The coordinates rule over a ``GeoTransform`` attribute that slicing has made stale; where both
    agree, the attribute is taken, which has every digit. Rotated grids have integer ``y`` and ``x``, in products
    ``row`` and ``col``, that count pixels of the grid in ``spatial_ref``: a sliced or strided one gets its own affine.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``y`` and ``x`` dims; ``spatial_ref`` and the coordinates where known.

    Returns
    -------
    Placement
        With None for what is unknown.
    """
    import rioxarray  # noqa: F401  (registers .rio)

    shape = (ds.sizes["y"], ds.sizes["x"])
    crs = ds.rio.crs
    mapping = ds.variables.get("spatial_ref")
    if crs is None and mapping is None:
        return Placement(None, None, shape)
    stored = _stored(mapping.attrs) if mapping is not None else None
    y, x = _axis(ds, "y"), _axis(ds, "x")
    if stored is not None and (stored[1] != 0 or stored[3] != 0):
        y, x = (_axis(ds, COUNTED[dim]) if axis is None else axis for dim, axis in (("y", y), ("x", x)))
        return Placement(crs, _shifted(stored, y, x), shape)
    return Placement(crs, _from_axes(y, x, stored), shape)


def _stored(attrs: dict[Any, Any]) -> Affine6 | None:
    text = attrs.get("GeoTransform")
    if text is None:
        return None
    parts = text.split() if isinstance(text, str) else list(text)
    if len(parts) != 6:
        return None
    c, a, b, f, d, e = (float(v) for v in parts)
    return (a, b, c, d, e, f)


def _axis(ds: xr.Dataset, dim: str) -> np.ndarray | None:
    return np.asarray(ds[dim].values, np.float64) if dim in ds.coords and ds[dim].ndim == 1 else None


def _shifted(stored: Affine6, y: np.ndarray | None, x: np.ndarray | None) -> Affine6:
    a, b, c, d, e, f = stored
    # pixel i of the axis is pixel first + step * i of the grid: its left edge is first + 1/2 - step/2 there
    edges, steps = [], []
    for axis in (y, x):
        first = float(axis[0]) if axis is not None else 0.0
        step = float(axis[1] - axis[0]) if axis is not None and axis.size > 1 else 1.0
        edges.append(first + 0.5 - step / 2)
        steps.append(step)
    (row, col), (rows, cols) = edges, steps
    return (a * cols, b * rows, a * col + b * row + c, d * cols, e * rows, d * col + e * row + f)


def _from_axes(y: np.ndarray | None, x: np.ndarray | None, stored: Affine6 | None) -> Affine6 | None:
    if y is None or x is None:
        return stored
    spans = []
    for axis, known in ((y, stored[4] if stored else None), (x, stored[0] if stored else None)):
        if axis.size == 1:
            step = known
        else:
            step = float(axis[-1] - axis[0]) / (axis.size - 1)
            regular = axis[0] + step * np.arange(axis.size)
            if step == 0 or np.abs(axis - regular).max() > _REGULAR * abs(step):
                return None
        if step is None:
            return None
        spans.append((float(axis[0]) - step / 2, step))
    (top, dy), (left, dx) = spans
    if stored is not None:
        a, _, c, _, e, f = stored
        off_x = max(abs(c - left), abs(c + a * x.size - left - dx * x.size))
        off_y = max(abs(f - top), abs(f + e * y.size - top - dy * y.size))
        # float32 coordinates are as good as they can be: compare with what rounding leaves of a pixel
        slack_x = max(_AGREE * abs(dx), 4 * float(np.spacing(np.float64(abs(x).max()))))
        slack_y = max(_AGREE * abs(dy), 4 * float(np.spacing(np.float64(abs(y).max()))))
        if off_x <= slack_x and off_y <= slack_y:
            return stored
    return (dx, 0.0, left, 0.0, dy, top)

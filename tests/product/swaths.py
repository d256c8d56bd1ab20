"""Synthetic swaths whose every pixel says where it is: what a map makes of them can be read off the map itself."""

from __future__ import annotations

import numpy as np
import xarray as xr
from pyproj import Transformer

from hsgeo.plugin import Quality


def swath(rows=60, cols=40, *, size=30.0, angle=17.0, centre=(512_000.0, 5_600_000.0), epsg=32632, mirrored=False):
    """A swath with ``east`` and ``north``, the coordinates of each pixel in kilometres from the centre.

    ``angle``: of the flight, degrees counter-clockwise from south; ``mirrored``: columns from east to west.
    """
    row, col = np.mgrid[:rows, :cols]
    right, up = (col - (cols - 1) / 2) * size, -(row - (rows - 1) / 2) * size
    right = -right if mirrored else right
    turn = np.radians(angle)
    x = centre[0] + right * np.cos(turn) - up * np.sin(turn)
    y = centre[1] + right * np.sin(turn) + up * np.cos(turn)
    lon, lat = Transformer.from_crs(epsg, 4326, always_xy=True).transform(x, y)
    share = (row + 0.5) / rows
    abundance = np.stack([share, (1 - share) * 0.25, (1 - share) * 0.75]).astype("f4")
    return xr.Dataset(
        {
            "abundance": (("endmember", "y", "x"), abundance),
            "east": (("y", "x"), ((x - centre[0]) / 1000).astype("f4")),
            "north": (("y", "x"), ((y - centre[1]) / 1000).astype("f4")),
            "model": (("y", "x"), (row * cols + col).astype("i4")),
            "quality": (("y", "x"), np.zeros((rows, cols), "u2")),
        },
        coords={
            "endmember": ["soil", "grass", "snow"],
            "y": np.arange(rows) + 0.5,
            "x": np.arange(cols) + 0.5,
            "lat": (("y", "x"), lat),
            "lon": (("y", "x"), lon),
        },
    )


def with_lookup(ds, transform, x, y, epsg=32632):
    """Give a swath a lookup table; ``transform`` is (a, b, c, d, e, f)."""
    from rasterio.crs import CRS

    a, b, c, d, e, f = transform
    attrs = {"crs_wkt": CRS.from_epsg(epsg).to_wkt(), "GeoTransform": " ".join(map(repr, (c, a, b, f, d, e)))}
    return ds.assign_coords(
        glt_x=(("glt_row", "glt_col"), np.asarray(x, "i4"), attrs),
        glt_y=(("glt_row", "glt_col"), np.asarray(y, "i4"), attrs),
    )


def assert_placed(found, *, centre=(512_000.0, 5_600_000.0), size=30.0, shift=0.1, scatter=0.75):
    """Every cell holds the pixel of its own place: no mean shift, no scatter beyond a pixel."""
    assert np.isfinite(found["east"]).sum() > 50
    for name, axis, origin in (("east", "x", centre[0]), ("north", "y", centre[1])):
        off = (found[name] * 1000 + origin - found[axis]).values / size
        inside = np.isfinite(off)
        assert abs(off[inside].mean()) < shift, f"{name}: shifted by {off[inside].mean():.2f} pixels"
        assert np.abs(off[inside]).max() < scatter + 0.2, f"{name}: {np.abs(off[inside]).max():.2f} pixels off"
        assert np.quantile(np.abs(off[inside]), 0.9) < scatter
    assert (np.isnan(found["east"]) == (found["quality"] == Quality.NODATA)).all()

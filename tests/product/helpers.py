"""Small lazy scenes and products with everything a product can have."""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr
from rasterio.transform import Affine

from hsgeo.plugin import Quality
from hsgeo.product.template import assemble

NORTH_UP = Affine(30, 0, 512_345, 0, -25, 5_812_340)
ROTATED = Affine(20, 5, 512_345, 6, -20, 5_812_340)
NAMES = ["soil", "green vegetation", "Schnee"]


def make_scene(rows=7, cols=5, *, transform=NORTH_UP, crs="EPSG:32633", swath=False):
    """A scene without spectra: what `assemble` looks at."""
    import rioxarray  # noqa: F401 - registers .rio

    if transform is not None and transform.is_rectilinear:
        y = transform.f + transform.e * (np.arange(rows) + 0.5)
        x = transform.c + transform.a * (np.arange(cols) + 0.5)
    else:
        y, x = np.arange(rows), np.arange(cols)
    wavelength = np.array([450.5, 550.25, 900.0, 1400.0, 2200.125])
    scene = xr.Dataset(
        {"spectra": (("band", "y", "x"), da.zeros((5, rows, cols), dtype="f4"), {"units": "1"})},
        coords={"y": y, "x": x, "band": np.arange(1, 6), "wavelength": ("band", wavelength)},
    ).assign_coords(time=np.datetime64("2024-05-06T10:11:12", "ns"))
    scene = scene.set_xindex("wavelength")
    if swath:
        lat, lon = np.meshgrid(np.linspace(40, 41, rows), np.linspace(8, 9, cols), indexing="ij")
        scene = scene.assign_coords(lat=(("y", "x"), da.from_array(lat)), lon=(("y", "x"), lon))
    if crs is not None:
        scene = scene.rio.write_crs(crs)
    if transform is not None:
        if crs is None:
            scene = scene.assign_coords(spatial_ref=0)
        scene["spatial_ref"].attrs["GeoTransform"] = " ".join(repr(float(v)) for v in transform.to_gdal())
    return scene


def make_values(rows=7, cols=5, seed=0, *, extra=True):
    """Numpy values of a product: valid everywhere except a few NODATA and CLOUD pixels."""
    rng = np.random.default_rng(seed)
    A = rng.dirichlet([1, 1, 1], (rows, cols)).transpose(2, 0, 1).astype("f4")
    quality = np.zeros((rows, cols), "u2")
    if rows * cols > 4:
        quality[rows // 2, cols // 2] = Quality.NODATA
        quality[0, -1] = Quality.CLOUD | Quality.MASKED
        quality[-1, 0] = Quality.PARTIAL
    gone = (quality & (Quality.NODATA | Quality.MASKED)) != 0
    A[:, gone] = np.nan
    rmse = np.where(gone, np.nan, rng.random((rows, cols)) * 0.02).astype("f4")
    ds = xr.Dataset(
        {"abundance": (("endmember", "y", "x"), A), "rmse": (("y", "x"), rmse), "quality": (("y", "x"), quality)}
    )
    if extra:
        ds["abundance_quantile"] = (("quantile", "endmember", "y", "x"), np.stack([A * 0.5, A]))
        ds["model"] = (("y", "x"), rng.integers(-1, 9, (rows, cols)).astype("i2"))
        ds = ds.assign_coords(quantile=[0.05, 0.95])
    return ds


def make_fixed():
    """Scene-scope variables."""
    good = np.array([True, True, True, False, True])
    spectra = np.linspace(0.1, 0.7, 15, dtype="f4").reshape(3, 5) / 3
    return xr.Dataset(
        {"endmembers": (("endmember", "band"), np.where(good, spectra, np.nan).astype("f4"))},
        coords={
            "endmember": np.array(NAMES, dtype=object),
            "band": np.arange(1, 6),
            "wavelength": ("band", np.array([450.5, 550.25, 900.0, 1400.0, 2200.125]), {"units": "nm"}),
            "fwhm": ("band", np.array([10.0, 10, np.nan, 12, 12])),
            "good": ("band", good),
        },
    )


def make_product(rows=7, cols=5, *, extra=True, run="run-1", chunks=4, **scene):
    """A lazy template and the numpy values behind it."""
    values = make_values(rows, cols, extra=extra)
    tiles = {name: var.chunk({"y": chunks, "x": chunks}) for name, var in values.data_vars.items()}
    attrs = {"hsgeo_run_id": run, "hsgeo_provenance": "{}", "hsgeo_volatile": "{}"}
    return assemble(make_scene(rows, cols, **scene), tiles, make_fixed(), attrs=attrs), values


def regions(rows, cols, tile):
    """The tile grid."""
    return [
        (slice(r, min(r + tile[0], rows)), slice(c, min(c + tile[1], cols)))
        for r in range(0, rows, tile[0])
        for c in range(0, cols, tile[1])
    ]


def write_all(writer, template, values, path, tile=(4, 4), *, state=None, only=None, **flags):
    """Write tiles (the first ``only``) and, when all are there, finish."""
    flags = {"overwrite": False, "resume": False} | flags
    sink = writer.create(template, path, state=state or {}, tile=tile, **flags)
    grid = regions(values.sizes["y"], values.sizes["x"], tile)
    finished = {(r.start, c.start) for r, c in sink.done()}
    todo = [region for region in grid if (region[0].start, region[1].start) not in finished]
    for rows, cols in todo[:only]:
        sink.write((rows, cols), values.isel(y=rows, x=cols))
    if only is None:
        sink.finish()
    return sink, len(todo)

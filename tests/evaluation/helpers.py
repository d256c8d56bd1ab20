"""A product with a known truth: made without hsgeo, so that nothing hsgeo does hides in it."""

import numpy as np
import rioxarray  # noqa: F401 - registers .rio
import xarray as xr

from hsgeo.plugin import quality_attrs

LEFT, TOP, SIDE = 350_000.0, 5_800_000.0, 30.0
NAMES = ("soil", "tree", "water")


def smooth(rows=24, cols=20, names=NAMES, seed=0):
    """Abundances ``(endmember, y, x)`` that vary smoothly and sum to one."""
    i, j = np.mgrid[:rows, :cols]
    phase = np.random.default_rng(seed).uniform(0, 6, len(names))
    raw = np.stack([1.2 + np.sin(0.25 * i * (k + 1) + 0.2 * j + phase[k]) for k in range(len(names))])
    return (raw / raw.sum(axis=0)).astype(np.float32)


def placed(A, names=NAMES, *, left=LEFT, top=TOP, side=SIDE, crs="EPSG:32633", **attrs):
    """A product on a north-up grid."""
    _, rows, cols = A.shape
    wave = np.linspace(450, 2400, 12)
    E = np.stack([0.2 + 0.2 * np.sin(wave / 300 + 2 * k) for k in range(len(names))])
    ds = xr.Dataset(
        {
            "abundance": (("endmember", "y", "x"), A.astype(np.float32)),
            "endmembers": (("endmember", "band"), E.astype(np.float32)),
            "rmse": (("y", "x"), np.full((rows, cols), 0.01, np.float32)),
            "quality": (("y", "x"), np.zeros((rows, cols), np.uint16), quality_attrs()),
        },
        {
            "endmember": list(names),
            "wavelength": ("band", wave),
            "fwhm": ("band", np.full(12, 10.0)),
            "good": ("band", np.ones(12, bool)),
            "y": top - side * (np.arange(rows) + 0.5),
            "x": left + side * (np.arange(cols) + 0.5),
        },
        {"sum": "one", "scale": "physical", "shade": "none", **attrs},
    )
    if crs is None:
        return ds
    ds = ds.rio.write_crs(crs).rio.write_transform()
    for name in ("abundance", "rmse", "quality"):
        ds[name].attrs["grid_mapping"] = "spatial_ref"
        ds[name].encoding.pop("grid_mapping", None)
    return ds

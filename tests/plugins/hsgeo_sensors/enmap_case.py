"""An EnMAP product whose every number is known, for the tests of its reader."""

import re

import numpy as np
import pytest
import rasterio
from hsgeo_sensors.enmap.writer import STEM, write_enmap

from hsgeo.scene import sensor

ENMAP = sensor("enmap")
HEIGHT, WIDTH = 46, 31
BANDS = {"wavelength": ENMAP.wavelength, "fwhm": ENMAP.fwhm, "detector": ENMAP.detector}
DEAD = (ENMAP.wavelength > 1343) & (ENMAP.wavelength < 1391)
ORIGIN = (360015.0, 5810985.0)
BOTH = {"overlap": "both"}
L2A = STEM.format(level="L2A")


def truth():
    """Reflectance that differs in every number, with a hole, a lone missing value and a negative one."""
    band, y, x = np.meshgrid(np.arange(ENMAP.bands), np.arange(HEIGHT), np.arange(WIDTH), indexing="ij")
    values = (0.02 + band / 400 + y / 97 + x / 211).astype(np.float32)
    values[:, :9, :4] = np.nan
    values[40, 11, 15] = np.nan
    values[100, 10, 15] = -0.05
    return values


TRUTH = truth()


def write(path, values=TRUTH, **how):
    return write_enmap(path, values, **{**BANDS, "dead": DEAD, "block": 16, **how})


def assert_right(scene, values=TRUTH, dead=DEAD):
    """Check values at known pixels, and where these pixels are."""
    assert scene.sizes == {"band": ENMAP.bands, "y": HEIGHT, "x": WIDTH}
    expected = values.copy()
    expected[dead] = np.nan
    found = scene["spectra"].values
    assert (np.isnan(found) == np.isnan(expected)).all()
    assert np.nanmax(np.abs(found - expected)) < 0.51e-4
    pixel = scene.sel(wavelength=864.0, method="nearest").sel(x=360015.0 + 30 * 17, y=5810985.0 - 30 * 29)
    band = int(np.abs(ENMAP.wavelength - 864).argmin())
    assert float(pixel["spectra"]) == pytest.approx(0.02 + band / 400 + 29 / 97 + 17 / 211, abs=1e-4)
    assert scene.rio.crs.to_epsg() == 32633
    assert tuple(scene.rio.transform())[:6] == (30, 0, 360000, 0, -30, 5811000)


def edit(folder, what, by, count=1):
    """Change the metadata."""
    (path,) = folder.glob("*-METADATA.XML*")
    text, done = re.subn(what, by, path.read_text(), count=count, flags=re.DOTALL)
    assert done
    path.write_text(text)
    return folder


def raster(folder, name="SPECTRAL_IMAGE"):
    return folder / f"{L2A}-{name}.TIF"


def rewrite(path, *, change=lambda values: values, **profile):
    """Write a raster again, with another profile or other values."""
    with rasterio.open(path) as file:
        kept, values = file.profile, change(file.read())
    kept.update(count=values.shape[0], height=values.shape[1], width=values.shape[2], **profile)
    with rasterio.open(path, "w", **kept) as file:
        file.write(values.astype(kept["dtype"]))

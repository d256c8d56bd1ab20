"""xr.open_dataset(engine="hsgeo")."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hsgeo_sensors.envi.writer import write_envi

from hsgeo.errors import SceneError
from hsgeo.scene import check_scene, open_scene
from hsgeo.scene.engine import HsgeoBackendEntrypoint


@pytest.fixture
def image(tmp_path):
    values = np.random.default_rng(0).uniform(0, 1, (3, 12, 7)).astype("f4")
    return write_envi(tmp_path / "scene.img", values, wavelength=[650, 450, 550])


def test_engine_is_registered_and_lazy(image):
    with xr.open_dataset(image, engine="hsgeo", cache=False) as scene:
        check_scene(scene)
        assert scene.chunks == {}
        assert "wavelength" in scene.xindexes
        assert scene.sel(wavelength=470, method="nearest").wavelength == 450
        assert np.array_equal(scene.spectra, open_scene(image).spectra)
    chunked = xr.open_dataset(image, engine="hsgeo", chunks={"y": 5})
    assert chunked.spectra.chunks == ((3,), (5, 5, 2), (7,))


def test_named_arguments(image):
    scene = xr.open_dataset(
        image, engine="hsgeo", reader="envi", options={"quantity": "radiance"}, drop_variables="fwhm"
    )
    assert scene.spectra.attrs["quantity"] == "radiance"
    assert "fwhm" not in scene.coords
    with pytest.raises(SceneError, match="a path"):
        xr.open_dataset(object(), engine="hsgeo")


def test_guesses_by_name_only_what_nobody_else_claims(image):
    guess = HsgeoBackendEntrypoint().guess_can_open
    assert guess("x.hdr")
    assert guess(image.with_name("missing.img.HDR"))
    for name in ("x.he5", "x.h5", "x.nc", "x.tif", "x.zarr", "x.zip", "x.img", b"\x89HDF", 3):
        assert not guess(name)
    assert xr.open_dataset(image.with_name("scene.img.hdr")).sizes["band"] == 3


def test_imports_are_light():
    code = (
        "import sys, hsgeo.scene, hsgeo.scene.engine, hsgeo.scene.opening, hsgeo.scene.convention\n"
        "heavy = {'rasterio', 'rioxarray', 'h5py', 'torch', 'numba', 'distributed', 'pyproj', 'hsgeo_sensors'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

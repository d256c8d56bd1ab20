"""check_scene names everything that is wrong, with the call that mends it, and reads no pixel."""

import dask.array
import numpy as np
import pytest
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo.scene import check_scene, standardize


@pytest.fixture
def scene():
    wavelength = np.linspace(450, 2400, 5)
    return xr.Dataset(
        {"spectra": (("band", "y", "x"), np.ones((5, 3, 4), "f4"), {"quantity": "reflectance", "units": "1"})},
        {
            "band": np.arange(1, 6),
            "wavelength": ("band", wavelength),
            "fwhm": ("band", np.full(5, np.nan)),
            "good": ("band", np.ones(5, bool)),
            "y": [2.5, 1.5, 0.5],
            "x": [0.5, 1.5, 2.5, 3.5],
        },
    )


def test_a_scene_passes(scene):
    check_scene(scene)
    check_scene(scene.assign(quality=(("y", "x"), np.zeros((3, 4), "u2"))).set_xindex("wavelength"))


def test_all_violations_at_once_each_with_a_call(scene):
    wrong = scene.drop_vars(["fwhm", "x"]).assign_coords(good=("band", np.zeros(5)))
    wrong["spectra"] = (("band", "y", "x"), np.ones((5, 3, 4), "i2"))
    wrong["quality"] = (("y", "x"), np.zeros((3, 4), "i4"))
    with pytest.raises(SceneError) as caught:
        check_scene(wrong.isel(band=slice(None, None, -1)))
    error = caught.value
    said = ("int16", "quantity", "units", "'fwhm'", "not ascending", "good is float64", "coordinate x", "quality")
    for words in said:
        assert words in error.found
    assert error.found.count("(8)") == error.do.count("(8)") == 1
    assert "(9)" not in error.found
    for call in ("standardize(scale=1e-4)", "standardize(fwhm=[...])", "sortby('wavelength')", "astype(bool)"):
        assert call in error.do


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ds: ds.rename(spectra="reflectance"), "no variable 'spectra'"),
        (lambda ds: ds.transpose("y", "x", "band"), "dims"),
        (lambda ds: ds.isel(y=slice(0, 0)), "shape"),
        (lambda ds: ds.assign(spectra=ds.spectra.astype("f8", keep_attrs=True)), "float64"),
        (lambda ds: ds.drop_vars("wavelength"), "'wavelength'"),
        (lambda ds: ds.assign_coords(wavelength=("band", ds.wavelength.values / 1000)), "micrometres"),
        (lambda ds: ds.assign_coords(wavelength=("band", ds.wavelength.values * np.nan)), "positive"),
        (lambda ds: ds.assign_coords(good=("band", np.zeros(5, bool))), "no band is good"),
        (lambda ds: ds.assign_coords(spatial_ref=0), "grid_mapping"),
        (lambda ds: ds.assign(spatial_ref=0), "data variable"),
        (lambda ds: ds.spectra, "DataArray"),
    ],
)
def test_each_violation(change, words, scene):
    with pytest.raises(SceneError, match=words):
        check_scene(change(scene))


def test_reads_no_pixel(scene):
    def explode(block):
        raise AssertionError("a pixel was read")

    scene["spectra"] = scene.spectra.copy(
        data=dask.array.from_array(scene.spectra.values).map_blocks(explode, dtype="f4")
    )
    check_scene(scene)
    with pytest.raises(SceneError, match="dims"):
        check_scene(scene.transpose("y", "x", "band"))


def test_the_calls_it_names_help(scene):
    wrong = scene.drop_vars(["fwhm", "good"]).transpose("y", "x", "band").isel(band=[3, 0, 4, 1, 2])
    wrong["spectra"] = (wrong.spectra.astype("f8") * 1e4).astype("i2").assign_attrs(units="1")
    check_scene(standardize(wrong, scale=1e-4))

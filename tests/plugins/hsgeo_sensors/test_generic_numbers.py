"""What the numbers of ENVI and GeoTIFF files are worth: fill that nobody declared, scales that cannot be."""

import warnings

import numpy as np
import pytest
import rasterio
from hsgeo_sensors.common.lazy import decode
from hsgeo_sensors.common.sample import Sample, find_fill
from hsgeo_sensors.common.scale import quantity_of
from hsgeo_sensors.config import RawOptions
from hsgeo_sensors.envi.writer import write_envi
from rasterio.transform import Affine

from hsgeo.errors import HsgeoWarning
from hsgeo.scene import open_scene

WAVELENGTH = np.array([450.0, 550.0, 660.0, 850.0, 1250.0, 1650.0])
BANDS, ROWS, COLS = 6, 41, 29


@pytest.fixture
def values():
    return np.random.default_rng(5).uniform(0.01, 0.6, (BANDS, ROWS, COLS)).round(4)


def envi(folder, stored, *lines, header=""):
    """Write stored numbers as they are; the header has only what is said."""
    path = write_envi(
        folder / "a", stored, wavelength=WAVELENGTH, dtype=stored.dtype.name, scale=1.0, say_scale=False, nodata=0
    )
    text = (folder / "a.hdr").read_text().replace("data ignore value = 0\n", "").replace("  synthetic scene", header)
    (folder / "a.hdr").write_text(text + "".join(f"{line}\n" for line in lines))
    return path


def tiff(folder, stored):
    """Write stored numbers as they are; whole ones have a scale."""
    path = folder / "a.tif"
    profile = {"count": BANDS, "height": ROWS, "width": COLS, "dtype": stored.dtype.name, "crs": 32633}
    with rasterio.open(path, "w", driver="GTiff", transform=Affine(30, 0, 4e5, 0, -30, 5e6), **profile) as file:
        file.write(stored)
        for k, centre in enumerate(WAVELENGTH):
            file.update_tags(k + 1, wavelength=str(centre), wavelength_units="nm")
        if stored.dtype.kind != "f":
            file.scales = [1e-4] * BANDS
    return path


@pytest.mark.parametrize("where", [(0, 0), (ROWS - 1, COLS - 1), (ROWS // 2, 0), (ROWS // 2, COLS // 2)])
@pytest.mark.parametrize(
    ("dtype", "fill"),
    [("int16", -9999), ("int16", -32768), ("uint16", 65535), ("float32", -9999), ("float32", -3.4028234663852886e38)],
)
def test_customary_fill_is_taken(where, dtype, fill, values, tmp_path):
    factor = 1 if dtype == "float32" else 10000
    stored = (values * factor).round(0 if factor > 1 else 4).astype(dtype)
    stored[:, where[0], where[1]] = fill
    for path in (envi(tmp_path, stored, f"reflectance scale factor = {factor}"), tiff(tmp_path, stored)):
        with pytest.warns(HsgeoWarning, match=rf"no number as fill.*all 6 bands.*row {where[0]}, column {where[1]}"):
            scene = open_scene(path)
        found = scene.spectra.values
        assert np.isnan(found[:, where[0], where[1]]).all()
        assert np.isnan(found).sum() == BANDS
        assert "in all bands" in scene.attrs["quality_source"]
        told = open_scene(path, options={"nodata": fill})  # said: no warning
        assert np.array_equal(told.spectra.values, found, equal_nan=True)


@pytest.mark.parametrize(("dtype", "fill"), [("int16", 15000), ("int16", -50), ("float32", -1.0)])
def test_other_lone_numbers_are_told_and_left(dtype, fill, values, tmp_path):
    factor = 1 if dtype == "float32" else 10000
    stored = (values * factor).astype(dtype)
    stored[:, 3, :2] = fill
    path = envi(tmp_path, stored, f"reflectance scale factor = {factor}")
    with pytest.warns(HsgeoWarning, match=f"row 3, column 0.*beyond all.*nodata={fill:g}"):
        scene = open_scene(path)
    assert np.allclose(scene.spectra[:, 3, 0], fill / factor)
    assert np.isnan(open_scene(path, options={"nodata": fill}).spectra[:, 3, :2]).all()


def test_what_is_no_fill_is_not_told(values, tmp_path):
    stored = (values * 10000).astype("int16")
    stored[:, :5, :5] = 0  # may be measured
    stored[:, 9, 9] = 10000  # clipped in all bands,
    stored[2, 9, 10] = 10000  # and in some
    stored[:, 20, 20] = 3000  # as flat as can be, but among the others
    stored[1:, 0, 10] = -9999  # not in all bands
    open_scene(envi(tmp_path, stored, "reflectance scale factor = 10000"))
    declared = (values * 10000).astype("int16")
    declared[:, 0, 0] = -9999
    scene = open_scene(envi(tmp_path, declared, "reflectance scale factor = 10000", "data ignore value = 0"))
    assert scene.spectra[0, 0, 0] == np.float32(-0.9999)
    assert "quality_source" not in scene.attrs


def test_nan_declared_is_not_all(values, tmp_path):
    stored = values.astype("float32")
    stored[:, 0, 0] = -9999
    path = envi(tmp_path, stored, "data ignore value = nan")
    with pytest.warns(HsgeoWarning, match="-9999"):
        assert np.isnan(open_scene(path).spectra[:, 0, 0]).all()
    assert (open_scene(path, options={"nodata": "nan"}).spectra[:, 0, 0] == -9999).all()


def test_all_bands_means_all():
    cube = np.random.default_rng(0).integers(1, 9000, (200, 9, 9)).astype("i2")
    cube[:, 0, 0] = -9999
    cube[3, 0, 0] = 7  # a band that the sample does not have
    sample = Sample(lambda b, r, c: cube[b, slice(*r), slice(*c)], bands=200, shape=(9, 9), usable=np.ones(200, bool))
    assert 3 not in sample.read
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_fill(sample, name="x") == (None, {})
    cube[3, 0, 0] = -9999
    with pytest.warns(HsgeoWarning):
        assert find_fill(sample, name="x")[0] == -9999


@pytest.mark.parametrize(
    ("dtype", "worth", "factor", "words"),
    [("int16", 10000, 1, "scale=1e-4"), ("float32", 1, 10000, "scale=1:"), ("float32", 100, 1, "scale=0.01")],
)
def test_a_stated_factor_is_compared_with_the_numbers(dtype, worth, factor, words, values, tmp_path):
    stored = (values * worth).astype(dtype)
    path = envi(tmp_path, stored, f"reflectance scale factor = {factor}")
    with pytest.warns(HsgeoWarning, match=rf"reflectance scale factor of the header.*{words}"):
        scene = open_scene(path)
    assert np.allclose(scene.spectra, stored / factor, rtol=1e-6)
    assert np.allclose(open_scene(path, options={"scale": 1 / worth}).spectra, values, atol=2e-4)  # said: no warning
    tagged = tiff(tmp_path, (values * 10000).astype("float32"))
    with rasterio.open(tagged, "r+") as file:
        file.update_tags(reflectance_scale_factor="10")
    with pytest.warns(HsgeoWarning, match=r"reflectance_scale_factor.*scale=1e-4"):
        open_scene(tagged)


def test_gains_of_reflectance_stand_before_the_factor_and_that_before_gains_of_radiance(values, tmp_path):
    stored = (values * 10000).astype("int16")
    ones, radiance = "data gain values = {1, 1, 1, 1, 1, 1}", "data gain values = {.01, .01, .01, .01, .01, .01}"
    shift = "data reflectance offset values = {.1, .1, .1, .1, .1, .1}"
    gains = "data reflectance gain values = {2e-4, 2e-4, 2e-4, 2e-4, 2e-4, 2e-4}"
    scene = open_scene(envi(tmp_path, stored, ones, "reflectance scale factor = 10000"))
    assert np.allclose(scene.spectra, values, atol=2e-4)
    path = envi(tmp_path, stored, radiance, gains, shift, "reflectance scale factor = 10000")
    scene = open_scene(path)
    assert scene.spectra.attrs["quantity"] == "reflectance"
    assert np.allclose(scene.spectra, stored * 2e-4 + 0.1, atol=1e-6)
    scene = open_scene(path, options={"quantity": "radiance"})
    assert np.allclose(scene.spectra, stored * 0.01)


def test_gains_without_a_word_make_what_their_numbers_can_be(values, tmp_path):
    stored = (values * 10000).astype("int16")
    path = envi(tmp_path, stored, "data gain values = {.01, .01, .01, .01, .01, .01}")
    with pytest.warns(HsgeoWarning, match="read as radiance"):
        scene = open_scene(path)
    assert scene.spectra.attrs["quantity"] == "radiance"
    assert np.allclose(scene.spectra, stored * 0.01)
    path = envi(tmp_path, stored, "data gain values = {1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4}")
    assert open_scene(path).spectra.attrs["quantity"] == "reflectance"
    path = envi(tmp_path, stored, "data gain values = {1, 1, 1, 1, 1, 1}", header="surface reflectance")
    with pytest.warns(HsgeoWarning, match=r"data gain values of the header.*scale=1e-4"):
        assert open_scene(path).spectra.attrs["quantity"] == "reflectance"


def test_irradiance_is_not_radiance(values, tmp_path):
    path = envi(tmp_path, values.astype("float32"), header="corrected for solar irradiance")
    assert open_scene(path).spectra.attrs["quantity"] == "reflectance"
    options = RawOptions()
    assert quantity_of(options, "TOA_Radiance") == quantity_of(options, "spectralRadiance, irradiance") == "radiance"
    units = envi(tmp_path, (values * 20).astype("float32"), "data units = uW/(cm^2*nm*sr)")
    assert open_scene(units).spectra.attrs["quantity"] == "radiance"
    tagged = tiff(tmp_path, (values * 20).astype("float32"))
    with rasterio.open(tagged, "r+") as file:
        file.update_tags(data_units="W m-2 sr-1 um-1")
    assert open_scene(tagged).spectra.attrs["quantity"] == "radiance"


def test_huge_fill_is_not_told(values, tmp_path):
    values[:, 0, 0] = -1.7e308
    scene = open_scene(envi(tmp_path, values, "data ignore value = -1.7e+308"))
    assert np.isnan(scene.spectra[:, 0, 0]).all()
    one = np.ones(1)
    assert np.isnan(decode(np.array([[[1e300]]]), one, 0 * one, None)).all()  # too large for what a scene has
    assert np.isnan(decode(np.array([[[np.inf]]], "f4"), one, 0 * one, -1.7e308)).all()

"""GeoTIFF: tags of all kinds, scale, nodata, grids, and pictures that are no scenes."""

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hsgeo_sensors.geotiff import reader as geotiff
from hsgeo_sensors.geotiff.writer import write_geotiff
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.scene import check_scene, open_scene

UP = Affine(30, 0, 400020, 0, -30, 5800050)


@pytest.fixture
def make(small, tmp_path):
    def write(name="scene.tif", **how):
        return write_geotiff(tmp_path / name, small[0], **{"wavelength": small[1], "block": 16, **how})

    return write


def check_values(scene, small):
    check_scene(scene)
    order = np.argsort(small[1])
    assert scene.wavelength.values.tolist() == sorted(small[1])
    assert scene.band.values.tolist() == (order + 1).tolist()
    assert np.allclose(scene.spectra, small[0][order], atol=1e-7, equal_nan=True)


def test_values_grid_and_tags(make, small):
    scene = open_scene(make(crs=32633, transform=UP, fwhm=np.full(6, 8.5), bbl=[1, 1, 1, 0, 1, 1]))
    check_values(scene, small)
    check_place(scene)
    assert (scene.fwhm == 8.5).all()
    assert scene.wavelength.values[~scene.good].tolist() == [660]


def check_place(scene):
    assert scene.rio.crs.to_epsg() == 32633
    assert scene.rio.transform() == UP
    assert (scene.x.values[0], scene.y.values[0]) == (400035, 5800035)


def _whole(turn):
    """A reader that looks at the whole image, and takes it for what it is not."""

    def window(self, bands, rows, cols):
        whole = RIGHT(self, bands, (0, self.shape[1]), (0, self.shape[2]))
        return np.ascontiguousarray(np.resize(turn(whole), whole.shape)[:, slice(*rows), slice(*cols)])

    return window


RIGHT = geotiff.Raster.window
ASSEMBLE = geotiff.assemble


def _beside(raster, *, transform, **rest):
    return ASSEMBLE(raster, transform=transform @ Affine.translation(-0.5, -0.5), **rest)


PLANTS = {
    "transposed": (geotiff.Raster, "window", _whole(lambda v: v.transpose(0, 2, 1))),
    "north-south": (geotiff.Raster, "window", _whole(lambda v: v[:, ::-1])),
    "east-west": (geotiff.Raster, "window", _whole(lambda v: v[:, :, ::-1])),
    "half a pixel": (geotiff, "assemble", _beside),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_readers_are_caught(plant, make, small, monkeypatch):
    path = make(crs=32633, transform=UP)
    monkeypatch.setattr(*PLANTS[plant])
    scene = open_scene(path)
    with pytest.raises(AssertionError):
        check_place(scene) if plant == "half a pixel" else check_values(scene, small)


def test_micrometres_and_missing_unit(make, small):
    check_values(open_scene(make(wavelength=small[1] / 1000, units="Micrometers")), small)
    check_values(open_scene(make(wavelength=small[1] / 1000, units=None)), small)


def test_other_places_for_wavelengths(make, small):
    path = make(wavelength=None, transform=UP)
    with rasterio.open(path, "r+") as file:
        for k, centre in enumerate(small[1]):
            file.update_tags(k + 1, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=f"{centre / 1000:.3f}", FWHM_UM="0.010")
    scene = open_scene(path)
    assert np.allclose(scene.wavelength, np.sort(small[1]))
    assert np.allclose(scene.fwhm, 10)
    path = make("names.tif", wavelength=None, transform=UP)
    with rasterio.open(path, "r+") as file:
        for k, centre in enumerate(small[1]):
            file.set_band_description(k + 1, f"band {k + 1} ({centre} Nanometers)")
    check_values(open_scene(path), small)


def test_scale_rule(make, small):
    silent = make(say_scale=False)
    with pytest.warns(HsgeoWarning, match="x 10000"):
        check_values(open_scene(silent), small)
    check_values(open_scene(silent, options={"scale": 1e-4}), small)
    check_values(open_scene(make("f.tif", dtype="float32", scale=1.0, say_scale=False)), small)


def test_rotated_and_plain_grids(make):
    turned = UP @ Affine.rotation(20)
    scene = open_scene(make(crs=32633, transform=turned))
    assert scene.rio.transform().almost_equals(turned)
    assert scene.y.values.tolist() == list(range(11))
    bare = open_scene(make("bare.tif"))
    check_scene(bare)
    assert "spatial_ref" not in bare.coords
    local = open_scene(make("local.tif", transform=UP))  # a transform without a CRS
    assert local.rio.crs is None
    assert local.rio.transform() == UP


def test_a_picture_is_no_scene(tmp_path):
    path = tmp_path / "rgb.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=3, height=4, width=5, dtype="uint8", crs=32633, transform=UP, photometric="RGB"
    ) as file:
        file.write(np.ones((3, 4, 5), np.uint8))
    with pytest.raises(SceneError, match=r"3 bands and no wavelengths.*wavelengths="):
        open_scene(path)
    scene = open_scene(path, options={"wavelengths": [650, 550, 450], "scale": 1 / 255})
    assert scene.wavelength.values.tolist() == [450, 550, 650]


def test_one_band_without_wavelength(make):
    path = make(transform=UP)
    with rasterio.open(path, "r+") as file:
        file.update_tags(3, wavelength="")
    with pytest.raises(SceneError, match=r"bands \[3\]"):
        open_scene(path)


@pytest.mark.parametrize("dtype", ["complex64", "complex_int16"])
def test_complex_numbers_are_refused(dtype, tmp_path):
    path = tmp_path / "c.tif"
    with rasterio.open(path, "w", driver="GTiff", count=6, height=11, width=7, dtype=dtype, crs=32633, transform=UP):
        pass
    with pytest.raises(SceneError, match=f"holds {dtype}.*real numbers"):
        open_scene(path)


@pytest.mark.parametrize("value", ["abc", "-5", "nan"])
def test_wrong_wavelength(value, make):
    path = make(transform=UP)
    with rasterio.open(path, "r+") as file:
        file.update_tags(2, wavelength=value)
    with pytest.raises(SceneError, match=r"scene\.tif has no wavelength for bands \[2\]"):
        open_scene(path)


def test_all_fill(small, tmp_path):
    path = write_geotiff(tmp_path / "n.tif", small[0] * np.nan, wavelength=small[1], block=16, say_scale=False)
    scene = open_scene(path)
    assert np.isnan(scene.spectra.values).all()
    assert "no valid number" in scene.spectra.attrs["scale_source"]


def test_broken_files(make, tmp_path):
    path = make()
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    with pytest.raises(SceneError, match=r"scene\.tif"):
        open_scene(path)
    front = tmp_path / "front.tif"  # its index stands before the data
    make("whole.tif", scale=1.0, dtype="float32")
    rasterio.shutil.copy(tmp_path / "whole.tif", front, driver="COG", OVERVIEWS="NONE")
    assert open_scene(front).sizes["band"] == 6
    front.write_bytes(front.read_bytes()[:-60])
    with pytest.raises(SceneError, match="content goes on to byte"):
        open_scene(front)
    fake = tmp_path / "fake.tif"
    fake.write_text("this is no TIFF")
    with pytest.raises(SceneError, match=r"fake\.tif"):
        open_scene(fake)


@pytest.mark.parametrize("how", ["internal", "beside", "alpha", "with nodata"])
def test_masked_pixels_are_not_measured(how, small, tmp_path):
    cube, alpha = np.nan_to_num(small[0], nan=0.5), how == "alpha"
    mask = np.full((11, 7), 255, np.uint8)
    mask[:4, 2:] = 0
    cube[:, mask == 0] = 0
    cube[:, 9, 5] = -1
    path = tmp_path / "m.tif"
    profile = {"height": 11, "width": 7, "dtype": "float32", "crs": 32633, "transform": UP}
    profile |= {"count": 6 + alpha, "nodata": -1 if how == "with nodata" else None}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=how != "beside"),
        rasterio.open(path, "w", driver="GTiff", **profile) as f,
    ):
        if alpha:
            f.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * 5, ColorInterp.alpha]
        f.write(np.concatenate([cube, mask[None].astype("f4")]) if alpha else cube)
        for k, centre in enumerate(small[1]):
            f.update_tags(k + 1, wavelength=str(centre))
        if not alpha:
            f.write_mask(mask)
    assert path.with_name("m.tif.msk").exists() == (how == "beside")
    scene = open_scene(path)
    check_scene(scene)
    assert scene.sizes["band"] == 6
    empty = mask == 0
    if how == "with nodata":
        assert np.isnan(scene.spectra[:, 9, 5]).all()
        cube[:, 9, 5] = np.nan
    expected = np.where(empty, np.nan, cube[np.argsort(small[1])])
    assert np.allclose(scene.spectra, expected, equal_nan=True)
    assert np.allclose(scene.spectra[1:3, 2:6, 1:4], expected[1:3, 2:6, 1:4], equal_nan=True)
    assert scene.quality.values.tolist() == empty.astype(int).tolist()
    assert scene.quality[2:6, 1:4].values.tolist() == empty[2:6, 1:4].astype(int).tolist()
    assert scene.attrs["quality_source"] == "mask of the file"


def test_a_band_with_a_wavelength_is_no_alpha_band(make, small):
    path = make(transform=UP)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * 4, ColorInterp.alpha]
    scene = open_scene(path)
    check_values(scene, small)
    assert "quality" not in scene


def test_lists_in_the_tags_of_the_file(make, small):
    path = make(wavelength=None, transform=UP)
    listed = {"wavelength": small[1] / 1000, "fwhm": np.full(6, 0.01), "bbl": np.array([1, 1, 0, 1, 1, 1])}
    with rasterio.open(path, "r+") as file:
        file.update_tags(
            ns="ENVI", wavelength_units="Micrometers", **{k: f"{{{', '.join(map(str, v))}}}" for k, v in listed.items()}
        )
    scene = open_scene(path)
    check_values(scene, small)
    assert np.allclose(scene.fwhm, 10)
    assert scene.wavelength.values[~scene.good].tolist() == [1400]
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="ENVI", wavelength="{0.4, 0.5}")
    with pytest.raises(SceneError, match="2 values in its tag wavelength for 6 bands"):
        open_scene(path)

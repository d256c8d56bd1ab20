"""EnMAP: products and archives that are broken or contradict themselves: one clear error each."""

import shutil
import tarfile
import zipfile

import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import Affine

from hsgeo.errors import SceneError
from hsgeo.scene import open_scene
from tests.plugins.hsgeo_sensors.enmap_case import BOTH, L2A, assert_right, edit, raster, rewrite, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("enmap") / "product")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "product")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _shift(copy, east, north):
    with rasterio.open(raster(copy), "r+") as file:
        file.transform = Affine.translation(east, north) * file.transform


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: _shift(p, 15, -15), r"\+0\.50 columns and \+0\.50 rows off"),
        (lambda p: _shift(p, 0, 30000), "rows off"),
        (lambda p: edit(_placeholder(p), r"<latitude>52\.\d", "<latitude>52.9", 9), "footprint"),
        (lambda p: _mirrored(_placeholder(p)), "mirrored"),
        (lambda p: edit(p, "UTM_Zone33_North", "UTM_Zone32_North"), "EPSG:32632"),
        (lambda p: edit(p, "<resolution>30", "<resolution>20"), "pixels of 30 x 30"),
        (lambda p: rewrite(raster(p), crs=None), "not georeferenced"),
    ],
    ids=["half a pixel", "elsewhere", "footprint", "mirrored", "projection", "resolution", "no CRS"],
)
def test_a_grid_that_contradicts_the_metadata_is_refused(copy, damage, words):
    damage(copy)
    with pytest.raises(SceneError, match=words):
        open_scene(copy, options={"layers": False})
    if "not georeferenced" not in words:
        open_scene(copy, options={"layers": False, "check_grid": False})


def _mirrored(copy):
    (path,) = copy.glob("*-METADATA.XML")
    text = path.read_text().replace("upper_", "~").replace("lower_", "upper_").replace("~", "lower_")
    path.write_text(text)
    return copy


def _placeholder(copy):
    shutil.rmtree(copy)
    return write(copy, corners="placeholder")


def test_corners_that_are_placeholders_are_no_evidence(tmp_path):
    assert (
        open_scene(write(tmp_path / "p", corners="placeholder")).attrs["grid_check"].endswith("resolution, footprint")
    )


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: (p / f"{L2A}-METADATA.XML").unlink(), "lacks the METADATA.XML"),
        (lambda p: _cut(p / f"{L2A}-METADATA.XML"), "not complete XML"),
        (lambda p: edit(p, "<level>L2A", "<level>L3"), "of level L3"),
        (lambda p: edit(p, "<base>.*</base>", ""), "lacks level_X/base/level"),
        (lambda p: edit(p, "<GainOfBand>[^<]*</GainOfBand>", ""), "band 1 lacks bandID/GainOfBand"),
        (lambda p: edit(p, "<GainOfBand>[^<]*<", "<GainOfBand>x<"), "'x' in bandID/GainOfBand"),
        (lambda p: edit(p, "<GainOfBand>[^<]*<", "<GainOfBand>0<"), "not above 0"),
        (lambda p: edit(p, "<bandCharacterisation>.*</bandCharacterisation>", ""), "characterises 0 bands"),
        (lambda p: edit(p, '<bandID number="2">', '<bandID number="1">'), "number of its own"),
        (lambda p: raster(p).unlink(), r"lacks \*-SPECTRAL_IMAGE\.TIF"),
        (lambda p: raster(p).rename(raster(p).with_suffix(".BSQ")), r"it has .*BSQ.*GeoTIFF"),
        (lambda p: raster(p).write_bytes(b"II*\0" + bytes(900)), "SPECTRAL_IMAGE.TIF is not a readable GeoTIFF"),
        (lambda p: rewrite(raster(p), dtype="float32"), "holds float32"),
        (lambda p: rewrite(raster(p), change=lambda v: v[:-1]), "has 223 bands"),
        (lambda p: rewrite(raster(p), change=lambda v: v[:, 1:]), "224 bands of 45 x 31"),
        (lambda p: rewrite(raster(p, "QL_QUALITY_SNOW"), change=lambda v: v[:, 1:]), "QL_QUALITY_SNOW.TIF has 45 x 31"),
        (lambda p: raster(p).with_name(f"{L2A}-SPECTRAL_IMAGE.TIFF").touch(), "2 files for one purpose"),
    ],
)
def test_broken_products_say_what_is_wrong(copy, damage, words):
    damage(copy)
    with pytest.raises(SceneError, match=words) as caught:
        open_scene(copy)
    assert caught.value.accepted


def test_a_raster_cut_behind_its_index_is_noticed(copy, tmp_path):
    rasterio.shutil.copy(raster(copy), tmp_path / "x.tif", driver="COG", compress="lzw")
    data = (tmp_path / "x.tif").read_bytes()
    raster(copy).write_bytes(data)
    assert_right(open_scene(copy, options=BOTH))
    raster(copy).write_bytes(data[:-2000])
    with pytest.raises(SceneError, match="content goes on to byte"):
        open_scene(copy)


def test_rasters_cut_short_are_noticed(copy):
    scene = open_scene(copy)
    _cut(raster(copy))
    with pytest.raises(SceneError, match=r"SPECTRAL_IMAGE.*complete|content goes on"):
        open_scene(copy)
    with pytest.raises(SceneError, match="SPECTRAL_IMAGE"):  # a file that is cut while it is read
        scene.load()


def test_a_plain_image_stands_before_its_cloud_optimised_copy(copy):
    shutil.copy(raster(copy), raster(copy).with_name(f"{L2A}-SPECTRAL_IMAGE_COG.TIF"))
    assert_right(open_scene(copy, options=BOTH))


def test_bad_archives(tmp_path, folder, cache):
    led = tmp_path / f"{L2A}.ZIP"
    with zipfile.ZipFile(led, "w") as archive:
        archive.write(folder / f"{L2A}-METADATA.XML", f"../{L2A}-METADATA.XML")
    with pytest.raises(SceneError, match="leads out"):
        open_scene(led)
    several = tmp_path / "dims_op_oc_oc-en_700000002_1.tar.gz"
    with tarfile.open(several, "w:gz") as archive:
        for k in "12":
            archive.add(led, f"{L2A[:-2]}{k}Z.ZIP")
    with pytest.raises(SceneError, match=r"2 archives.*1Z\.ZIP"):
        open_scene(several)
    assert not cache.exists()

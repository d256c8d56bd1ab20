"""PRISMA L2D: known values at known pixels, the grid, the quality bits, what is refused."""

import shutil
import zipfile

import h5py
import numpy as np
import pytest
from hsgeo_sensors.common.archive import granule
from hsgeo_sensors.prisma import levels as prisma_levels
from hsgeo_sensors.prisma.cube import Granular
from hsgeo_sensors.prisma.levels import Contents
from hsgeo_sensors.prisma.reader import PrismaReader
from hsgeo_sensors.prisma.writer import SCALE, swath_mask, write_prisma

from hsgeo.errors import ConfigError, SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import check_scene, open_scene

FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
GEO = "HDFEOS/SWATHS/PRS_L2D_HCO/Geolocation Fields"
STEP = max(high - low for low, high in SCALE.values()) / 65535  # reflectance per count


@pytest.fixture(scope="module")
def planted(cube):
    """The cube with padding, a missing band, a negative, and a saturated pixel."""
    values = cube.copy()
    values[:, ~swath_mask(*cube.shape[1:], 20.0)] = np.nan
    values[40, 11, 15] = np.nan
    values[100, 10, 15] = -0.5
    saturated = np.zeros(cube.shape[1:], bool)
    saturated[12, 16] = True
    return values, saturated


@pytest.fixture(scope="module")
def path(planted, prisma, tmp_path_factory):
    values, saturated = planted
    where = tmp_path_factory.mktemp("prisma") / "PRS_L2D_STD_20210621101214_20210621101218_0001.he5"
    return write_prisma(
        where, values, wavelength=prisma.wavelength, fwhm=prisma.fwhm, detector=prisma.detector, saturated=saturated
    )


@pytest.fixture
def copy(path, tmp_path):
    return shutil.copy(path, tmp_path / path.name)


def test_values_bands_and_grid(path, planted, prisma):
    values, _ = planted
    scene = open_scene(path, options={"overlap": "both"})
    check_scene(scene)
    assert (scene.sizes["band"], scene.sizes["y"], scene.sizes["x"]) == (234, 23, 31)
    assert np.allclose(scene.wavelength, prisma.wavelength, atol=1e-4)
    assert np.allclose(scene.fwhm, prisma.fwhm, atol=1e-5)
    assert (scene.detector == prisma.detector).all()
    expected = values.copy()
    expected[100, 10, 15] = SCALE["swir"][0] + STEP  # negative: the lowest number, kept
    expected[np.ix_(prisma.detector == "swir", [12], [16])] = np.nan
    found = scene.spectra.values
    assert (np.isnan(found) == np.isnan(expected)).all()
    assert np.nanmax(np.abs(found - expected)) < STEP
    assert scene.rio.crs.to_epsg() == 32632
    assert tuple(scene.rio.transform())[:6] == (30, 0, 499995, 0, -30, 4649715)
    assert str(scene.time.values).startswith("2021-06-21T10:12:14.375")
    assert scene.attrs["sensor"] == "PRISMA"


def assert_at_home(scene, values):
    """Compare three pixels with what was written, each at its place on the map."""
    assert dict(scene.sizes) == {"band": 234, "y": 23, "x": 31}
    scene = scene.load()
    for row, col in ((5, 20), (11, 14), (17, 9)):
        pixel = scene.sel(x=500010.0 + 30 * col, y=4649700.0 - 30 * row, method="nearest", tolerance=1.0)
        assert np.nanmax(np.abs(pixel.spectra.values - values[:, row, col])) < STEP


def _flipped(monkeypatch):
    monkeypatch.setattr(Granular, "turn", lambda self, block: np.moveaxis(block, -2, 0)[..., ::-1, :])


def _transposed(monkeypatch):
    monkeypatch.setattr(Granular, "sides", lambda self, rows, cols: (slice(*cols), slice(*rows)))
    monkeypatch.setattr(Granular, "turn", lambda self, block: np.moveaxis(block, 0, -1))
    monkeypatch.setattr(Contents, "shape", property(lambda self: self.stored[::-1]))


def _half_a_pixel(monkeypatch):
    right = prisma_levels.map_grid

    def shifted(*args, **how):
        crs, transform = right(*args, **how)
        return crs, transform * transform.translation(0.5, 0.5)

    monkeypatch.setattr(prisma_levels, "map_grid", shifted)


@pytest.mark.parametrize("plant", [_flipped, _transposed, _half_a_pixel])
def test_wrong_readers_are_caught(plant, path, planted, monkeypatch):
    options = {"overlap": "both"}
    assert_at_home(open_scene(path, options=options), planted[0])
    plant(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):  # KeyError: no pixel lies there
        assert_at_home(open_scene(path, options=options), planted[0])


def test_angles(path):
    scene = open_scene(path)
    assert (float(scene.sun_zenith), float(scene.sun_azimuth), float(scene.view_zenith)) == (24.25, 141.0, 5.5)


def test_slots_and_bad_bands(path, prisma):
    scene = open_scene(path)
    assert scene.band.values[0] == 66  # the shortest wavelength is VNIR's last slot
    assert scene.sel(band=66).wavelength == pytest.approx(402.5)
    with h5py.File(path) as file:
        assert file.attrs["List_Cw_Vnir"][:3].tolist() == [0, 0, 0]
        assert file.attrs["List_Cw_Swir"][-2:].tolist() == [0, 0]
        assert file[f"{FIELDS}/SWIR_Cube"].chunks is None
    bad = scene.wavelength.values[~scene.good.values]
    assert ((bad >= 1340) & (bad <= 1460) | (bad >= 1790) & (bad <= 1970) | (bad > 2450)).all()
    assert bad.size == 38


def test_a_flag_removes_a_band(copy):
    with h5py.File(copy, "r+") as file:
        flags = file.attrs["List_Cw_Vnir_Flags"]
        flags[10] = 0
        file.attrs["List_Cw_Vnir_Flags"] = flags
        gone = file.attrs["List_Cw_Vnir"][10]
    wavelength = open_scene(copy, options={"overlap": "both"}).wavelength.values
    assert wavelength.size == 233
    assert not np.isclose(wavelength, gone).any()


def test_overlap(path):
    swir, vnir = open_scene(path), open_scene(path, options={"overlap": "vnir"})
    for scene, edge in ((swir, "swir"), (vnir, "vnir")):
        inside = (scene.wavelength > 943.0 - 0.01) & (scene.wavelength < 972.8)
        assert (scene.detector[inside.values] == edge).all()
        assert (np.diff(scene.wavelength) > 0).all()
    with pytest.raises(ConfigError, match="overlap"):
        open_scene(path, options={"overlap": "none"})


def test_quality(path, planted):
    values, _ = planted
    quality = open_scene(path).quality.values
    assert quality.dtype == np.uint16
    assert ((quality & Quality.NODATA) > 0).tolist() == np.isnan(values).all(axis=0).tolist()
    assert np.argwhere(quality & Quality.SATURATED).tolist() == [[12, 16]]


def test_error_matrix_rules(copy, planted):
    with h5py.File(copy, "r+") as file:
        flags = file[f"{FIELDS}/VNIR_PIXEL_L2_ERR_MATRIX"]
        for column, code in ((14, 1), (15, 2), (16, 4), (17, 3)):
            flags[11, 30, column] = code
    band = open_scene(copy).sel(band=31)  # slot 30 counted from 0
    assert np.isnan(band.spectra.values[11, [14, 15, 16, 17]]).tolist() == [True, False, True, True]
    assert open_scene(copy).quality.values[11, 14:18].tolist() == [0, 0, Quality.SATURATED, Quality.SATURATED]


def test_zero_is_a_measurement_where_it_was_clipped(copy):
    """Negative after the atmospheric correction, as over water: dark, and not missing."""
    with h5py.File(copy, "a") as file:
        for row, code in enumerate((0, 1, 2)):
            file[f"{FIELDS}/SWIR_Cube"][10 + row, 30, 12] = 0
            file[f"{FIELDS}/SWIR_PIXEL_L2_ERR_MATRIX"][10 + row, 30, 12] = code
    scene = open_scene(copy, options={"overlap": "both"}, chunks=None)
    found = scene["spectra"].sel(band=66 + 30 + 1)[10:13, 12].values
    assert np.isnan(found[:2]).all()
    assert found[2] == np.float32(SCALE["swir"][0])


def test_attributes_that_are_arrays_of_one(copy):
    with h5py.File(copy, "a") as file:
        for name, value in file.attrs.items():
            if np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf":
                file.attrs[name] = np.array([value])
    assert open_scene(copy).rio.crs.to_epsg() == 32632


def test_a_granule_across_the_date_line(planted, prisma, tmp_path):
    path = write_prisma(
        tmp_path / "PRS_L2D_east.he5",
        planted[0],
        wavelength=prisma.wavelength,
        fwhm=prisma.fwhm,
        detector=prisma.detector,
        epsg=32660,
        origin=(714600.0, 5542500.0),
    )
    with h5py.File(path) as file:
        lon = file[f"{GEO}/Longitude"][11]
    assert lon.max() > 179.9
    assert lon.min() < -179.9
    assert open_scene(path).rio.crs.to_epsg() == 32660


@pytest.mark.parametrize("corners", ["centre", "edge"])
def test_half_pixel(corners, cube, prisma, tmp_path):
    bands = {"wavelength": prisma.wavelength, "fwhm": prisma.fwhm, "detector": prisma.detector}
    path = write_prisma(tmp_path / "PRS_L2D_x.he5", cube, **bands, corners=corners, origin=(600015.0, 4500015.0))
    scene = open_scene(path)
    assert (scene.x.values[0], scene.y.values[0]) == (600015.0, 4500015.0)


def _swap(file):
    """Store the geolocation as somebody would who takes the axes for (column, row)."""
    for name in ("Latitude", "Longitude"):
        values = file[f"{GEO}/{name}"][:]
        turned = np.resize(values.T, values.shape)
        file[f"{GEO}/{name}"][:] = turned


def _mirror(file):
    for name in ("Latitude", "Longitude"):
        file[f"{GEO}/{name}"][:] = file[f"{GEO}/{name}"][:][::-1]


def _shift(file):
    file[f"{GEO}/Longitude"][:] += np.float32(0.02)  # 1.6 km in a scene of 0.9 km


def _half_shift(file):
    file.attrs["Product_LRcorner_easting"] += 15.0  # neither centre nor edge


@pytest.mark.parametrize(
    ("damage", "words"),
    [(_swap, "swapped or mirrored"), (_mirror, "swapped or mirrored"), (_shift, "away from"), (_half_shift, "corners")],
)
def test_a_grid_that_contradicts_itself_is_refused(damage, words, copy):
    with h5py.File(copy, "r+") as file:
        damage(file)
    with pytest.raises(SceneError, match=words):
        open_scene(copy)


def test_transposed_cubes_are_refused(copy):
    with h5py.File(copy, "r+") as file:
        for name in ("VNIR_Cube", "SWIR_Cube"):
            values = file[f"{FIELDS}/{name}"][:].transpose(2, 1, 0)
            del file[f"{FIELDS}/{name}"]
            file[f"{FIELDS}/{name}"] = values
    with pytest.raises(SceneError, match="corners"):
        open_scene(copy)


@pytest.mark.parametrize("level", [b"1", b"2C"])
def test_other_levels(level, copy):
    with h5py.File(copy, "r+") as file:
        file.attrs["Processing_Level"] = np.bytes_(level)
    assert PrismaReader().score(copy) == 2
    with pytest.raises(SceneError, match=f"level {level.decode()}.*2D"):
        open_scene(copy)


def test_wrong_group(copy):
    with h5py.File(copy, "r+") as file:
        file.move("HDFEOS/SWATHS/PRS_L2D_HCO", "HDFEOS/SWATHS/PRS_L2D_OTHER")
    with pytest.raises(SceneError, match="VNIR_Cube"):
        open_scene(copy)


def test_zip_is_unpacked_once(path, tmp_path, monkeypatch):
    packed = tmp_path / "PRS_L2D_STD.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    scene = open_scene(packed)
    assert scene.attrs["product_id"] == path.stem
    assert np.array_equal(scene.spectra, open_scene(path).spectra, equal_nan=True)
    (copy,) = (tmp_path / "cache").iterdir()
    first = copy.stat().st_ino
    open_scene(packed).spectra[:, :2].load()
    assert copy.stat().st_ino == first
    copy.unlink()  # a worker on another machine, or a cleaned cache: made again
    assert np.isfinite(scene.spectra[:, 11, 14]).sum() > 200


def _member(name):
    def pack(path, archive):
        archive.writestr(zipfile.ZipInfo(name), path.read_bytes())  # write() would take the slash away

    return pack


def _two(path, archive):
    archive.write(path, "a.he5")
    archive.write(path, "b.he5")


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (_member("../outside.he5"), "out of the folder"),
        (_member("/etc/outside.he5"), "out of the folder"),
        (_member("..\\outside.he5"), "out of the folder"),
        (_two, "2 .he5 files"),
        (lambda path, archive: archive.writestr("PRS_readme.txt", "nothing"), "0 .he5 files"),
    ],
)
def test_bad_zips(pack, words, path, tmp_path, monkeypatch):
    packed = tmp_path / "PRS_L2D_STD.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        pack(path, archive)
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SceneError, match=words):
        open_scene(packed)
    assert not (tmp_path / "cache").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"PRS_L2D_STD.zip"}


def test_absurd_size_in_a_zip(path, tmp_path, monkeypatch):
    packed = tmp_path / "PRS_L2D_STD.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, path.name)
    monkeypatch.setattr("hsgeo_sensors.common.archive.LARGEST", 1000)
    with pytest.raises(SceneError, match="announces"):
        granule(packed)


def test_blocks_write_the_same_file(planted, path, prisma, tmp_path):
    values, saturated = planted
    again = write_prisma(
        tmp_path / "PRS_blocks.he5",
        (values[:, row : row + 5] for row in range(0, 23, 5)),
        wavelength=prisma.wavelength,
        fwhm=prisma.fwhm,
        detector=prisma.detector,
        shape=(23, 31),
        saturated=saturated,
    )
    with h5py.File(path) as a, h5py.File(again) as b:
        for name in a[FIELDS]:
            assert np.array_equal(a[FIELDS][name][:], b[FIELDS][name][:])
    with pytest.raises(ConfigError, match="rows"):
        write_prisma(
            tmp_path / "PRS_short.he5",
            iter([values[:, :5]]),
            wavelength=prisma.wavelength,
            fwhm=prisma.fwhm,
            detector=prisma.detector,
            shape=(23, 31),
        )

"""AVIRIS images and folders whose names say little: radiance is never taken for reflectance in silence."""

import warnings

import numpy as np
import pytest
from hsgeo_sensors.aviris.names import AvirisName, data_file
from hsgeo_sensors.aviris.reader import AvirisReader
from hsgeo_sensors.aviris.writer import classic_bands, write_aviris

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.scene import find_reader, open_scene

CENTRES = np.linspace(380.0, 2500.0, 40)
CLIP = "ang20220224t210144_clip.img"
STATED = "reflectance as stored"
BOTH = {"overlap": "both"}


@pytest.fixture(scope="module")
def cube():
    band, y, x = np.meshgrid(np.arange(40), np.arange(13), np.arange(9), indexing="ij")
    return (0.02 + band / 400 + y / 97 + x / 211).astype(np.float32)


def classic(path, cube, *, gain=None, **how):
    """Write whole numbers of AVIRIS Classic, the table of their factors named as given."""
    wavelength, fwhm = classic_bands(40)
    write_aviris(path, cube, wavelength=wavelength, fwhm=fwhm, **{"flavour": "classic-radiance"} | how)
    for table in path.parent.glob("*.gain"):
        if gain is None:
            table.unlink()
        else:
            table.rename(path.with_name(gain))
    return path


def floats(path, cube):
    return write_aviris(path, cube, wavelength=CENTRES, fwhm=np.full(40, 5.75))


def edit(path, old, new):
    header = path.with_name(path.name + ".hdr")
    text = header.read_text()
    assert old in text
    header.write_text(text.replace(old, new, 1))


def assert_is(scene, quantity, values, tolerance=1e-6):
    assert scene.spectra.attrs["quantity"] == quantity
    assert scene.attrs["processing_level"] == {"radiance": "L1B", "reflectance": "L2A"}[quantity]
    assert np.allclose(scene.sortby("band").spectra, values, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("f970619t01p02_r02_sc02.c.img", "f970619t01p02_r02.c.gain"),
        ("f060502t01p00r04_sc02_ort_img", "f060502t01p00r04.gain"),
        ("f060502t01p00r04rdn_b_sc13_ort_img", "f060502t01p00r04rdn_b.gain"),
    ],
)
def test_all_scenes_of_a_classic_line_are_radiance(name, gain, cube, tmp_path):
    folder = tmp_path / gain.split(".")[0]
    folder.mkdir()
    path = classic(folder / name, cube, gain=gain)
    for given in (path, path.with_name(name + ".hdr"), folder):
        scene = open_scene(given, options=BOTH)
        assert_is(scene, "radiance", cube, tolerance=0.5 / 300 + 1e-6)
        assert scene.spectra.attrs["scale_source"] == gain
    (folder / gain).unlink()
    with pytest.raises(SceneError, match=r"no \.gain file.*gain=PATH.*quantity=reflectance"):
        open_scene(path)


def test_tables_that_share_the_stem_of_a_header_are_no_cubes(cube, tmp_path):
    folder = tmp_path / "f970619t01p02_r02c"
    folder.mkdir()
    path = classic(folder / "f970619t01p02_r02_sc02.c.img", cube, gain="f970619t01p02_r02_sc02.c.gain")
    path.with_name(path.name + ".hdr").rename(folder / "f970619t01p02_r02_sc02.c.hdr")
    assert data_file(folder) == path
    assert_is(open_scene(folder, options=BOTH), "radiance", cube, tolerance=0.5 / 300 + 1e-6)


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("f970619t01p02_r02_sc02.a.rfl", "reflectance"),
        ("f130522t01p00r15rdn_e_refl_img", "reflectance"),
        ("f201013t01p00r10_corr_v1l1_img", "reflectance"),
        ("ang20150420t182050_rdn_geo_corr_img", "radiance"),  # not JPL's reflectance: its names have no rdn
        ("f970619t01p02_r02_sc02.c.img", None),
    ],
)
def test_what_names_say(name, quantity):
    assert AvirisName.of(name).quantity == quantity


def test_a_reflectance_among_the_scenes(cube, tmp_path):
    path = classic(tmp_path / "f970619t01p02_r02_sc02.a.rfl", cube, flavour="classic-scaled")
    assert_is(open_scene(path, options=BOTH), "reflectance", cube, tolerance=0.5e-4 + 1e-6)
    for told in ("description = {\n  Surface Reflectance,", "data units = reflectance\ndescription = {"):
        path = classic(tmp_path / "f970619t01p02_r02_sc02.img", cube, flavour="classic-scaled", say_scale=False)
        edit(path, "description = {", told)
        with pytest.warns(HsgeoWarning, match="scale=1e-4"):
            assert_is(open_scene(path, options=BOTH), "reflectance", cube, tolerance=0.5e-4 + 1e-6)


def test_whole_numbers_with_a_gain_table(cube, tmp_path):
    path = classic(tmp_path / "f060502t01p00r04_ort_img", cube, gain="f060502t01p00r04.gain")
    with pytest.warns(HsgeoWarning, match=r"f060502t01p00r04\.gain lies beside.*quantity=reflectance"):
        scene = open_scene(path, options=BOTH)
    assert_is(scene, "radiance", cube, tolerance=0.5 / 300 + 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_scene(path, options={"quantity": "radiance"})
        scene = open_scene(path, options={**BOTH, "quantity": "reflectance", "scale": 1e-3})
    assert scene.spectra.attrs["quantity"] == "reflectance"
    table = (tmp_path / "f060502t01p00r04.gain").rename(tmp_path / "factors.txt")
    scene = open_scene(path, options={**BOTH, "gain": table})
    assert_is(scene, "radiance", cube, tolerance=0.5 / 300 + 1e-6)


@pytest.mark.parametrize("name", [CLIP, "clip.img"])
def test_floats_of_unknown_quantity_are_looked_at(name, cube, tmp_path):
    path = floats(tmp_path / name, cube)
    assert find_reader(path)[0] == "aviris"
    assert_is(open_scene(path), "reflectance", cube)
    assert "as stored" in open_scene(path).spectra.attrs["scale_source"]
    floats(path, cube * 40)  # radiance: up to 12
    with pytest.raises(SceneError, match=r"more than one thing.*quantity=radiance"):
        open_scene(path)
    assert_is(open_scene(path, options={"quantity": "radiance"}), "radiance", cube * 40, tolerance=1e-5)
    edit(path, "description = {", "description = {\n  Calibrated Radiance")
    assert_is(open_scene(path), "radiance", cube * 40, tolerance=1e-5)
    edit(path, "Calibrated Radiance", "")
    edit(path, "bands", "data units = uW/(cm^2*nm*sr)\nbands")
    assert_is(open_scene(path), "radiance", cube * 40, tolerance=1e-5)
    floats(path, cube * 1e4)
    with pytest.warns(HsgeoWarning, match="scale=1e-4"):
        assert_is(open_scene(path), "reflectance", cube, tolerance=1e-5)


def test_words_of_other_names_count_too(cube, tmp_path):
    assert_is(open_scene(floats(tmp_path / "cuprite_rad.img", cube * 40)), "radiance", cube * 40, tolerance=1e-5)
    assert STATED in open_scene(floats(tmp_path / "cuprite_rfl.img", cube)).spectra.attrs["scale_source"]


def test_wild_numbers_in_the_dark_are_no_scale(cube, tmp_path):
    wild = cube.copy()
    wild[(CENTRES > 1340) & (CENTRES < 1450)] *= 3000
    wild[CENTRES > 2455] = -451.0
    for name in ("ang20220224t210144_rfl_v2aa1_img", CLIP):
        assert_is(open_scene(floats(tmp_path / name, wild)), "reflectance", wild, tolerance=1e-3)


def test_named_reflectance_that_cannot_be_0_to_1(cube, tmp_path):
    path = floats(tmp_path / "ang20220224t210144_rfl_v2aa1_img", cube)
    assert STATED in open_scene(path).spectra.attrs["scale_source"]
    floats(path, cube * 1e4)
    with pytest.warns(HsgeoWarning, match="scale=1e-4"):
        assert_is(open_scene(path), "reflectance", cube, tolerance=1e-5)
    floats(path, cube * 100)
    with pytest.raises(SceneError, match="scale"):
        open_scene(path)
    assert_is(open_scene(path, options={"scale": 0.01}), "reflectance", cube, tolerance=1e-5)
    few = cube.copy()
    few[:, :3] *= 500  # terrain correction in deep shadow: a quarter of the pixels
    assert_is(open_scene(floats(path, few)), "reflectance", few, tolerance=1e-3)
    nothing = np.full_like(cube, np.nan)
    assert np.isnan(open_scene(floats(path, nothing)).spectra).all()


def test_folders_of_other_names(cube, tmp_path):
    """AVIRIS-3 is delivered in folders named after time and product."""
    folder = tmp_path / "20231005t181518_main"
    folder.mkdir()
    assert AvirisReader().score(folder) == 0
    stem = "AV320231005t181518_L2A_OE_main_98b13fff_"
    floats(folder / (stem + "RFL_ORT"), cube)
    floats(folder / (stem + "UNC_ORT"), cube / 8)
    (folder / (stem + "RFL_ORT_QL.tif")).write_bytes(b"II*\0")
    assert AvirisReader().score(folder) == 1  # another product in it, which has its own reader, is surer
    scene = open_scene(folder)
    assert_is(scene, "reflectance", cube)
    assert scene.attrs["std_source"] == stem + "UNC_ORT"
    floats(folder / "AV320231005t181518_L1B_RDN_main_d71e8b07_RDN_ORT", cube * 9)
    with pytest.raises(SceneError, match=r"2 AVIRIS cubes.*Name the file"):
        open_scene(folder)
    (folder / "zarr.json").write_text("{}")
    assert AvirisReader().score(folder) == 0


def test_a_folder_with_a_cube_that_does_not_say_what_it_is(cube, tmp_path):
    folder = tmp_path / "ang20220224t210144"
    folder.mkdir()
    floats(folder / CLIP, cube)
    assert_is(open_scene(folder), "reflectance", cube)
    floats(folder / "ang20220224t210144_rfl_v2aa1_img", cube / 2)
    assert_is(open_scene(folder), "reflectance", cube / 2)  # the one that says it

"""DESIS products that somebody changed: cut, with a transform on the sensor grid, flags of integers, a namespace."""

import shutil

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from hsgeo.errors import SceneError
from hsgeo.scene import open_scene
from tests.plugins.hsgeo_sensors import refused_case

LAYER = "QL_QUALITY-2"


@pytest.fixture
def folder(tmp_path):
    return refused_case.desis(tmp_path, refused_case.cube(0.25) + 0.01 * np.arange(31, dtype="f4"))


def part(folder, ending):
    return next(folder.glob(f"*-{ending}"))


def rewrite(file, window=None, **how):
    with rasterio.open(file) as source:
        values = source.read(window=window)
        profile = source.profile | {"height": values.shape[1], "width": values.shape[2]}
        if window is not None:
            profile["transform"] = source.window_transform(window)
    with rasterio.open(file, "w", **profile | how) as out:
        out.write(values.astype((profile | how)["dtype"]))


def test_a_cut_image(folder):
    whole = open_scene(folder).isel(y=slice(8, 17), x=slice(10, 22)).load()
    window = rasterio.windows.Window(10, 8, 12, 9)
    for name in ("SPECTRAL_IMAGE.tif", f"{LAYER}.tif"):
        if list(folder.glob(f"*-{name}")):
            rewrite(part(folder, name), window)
    with pytest.raises(SceneError, match=r"bounding polygon.*check_grid=false"):
        open_scene(folder)
    scene = open_scene(folder, options={"check_grid": False})
    assert np.array_equal(scene.spectra, whole.spectra)
    assert np.array_equal(scene.x, whole.x)
    assert np.array_equal(scene.y, whole.y)


def test_degrees_are_told_with_their_decimals(folder):
    rewrite(part(folder, "SPECTRAL_IMAGE.tif"), crs="EPSG:4326", transform=Affine(0.0003, 0, -63.5, 0, -0.0003, 44.25))
    with pytest.raises(SceneError, match=r"from \(-63\.5000, 44\.2500\)"):
        open_scene(folder, options={"mask": "none"})


@pytest.mark.parametrize("transform", [Affine(30, 0, 5e5, 0, -30, 5e6), Affine(3e-4, 8e-5, -63, 9e-5, 3e-4, 44)])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_level_1b_lies_on_its_sensor_grid(transform, tmp_path):
    from hsgeo_sensors.desis.writer import write_desis

    values = refused_case.cube(0.25)
    folder = write_desis(tmp_path / "L1B", values, level="L1B", **refused_case.ON_BANDS)
    crs = "EPSG:32632" if transform.a == 30 else "EPSG:4326"
    rewrite(part(folder, "SPECTRAL_IMAGE.tif"), crs=crs, transform=transform)
    scene = open_scene(folder)
    assert "spatial_ref" not in scene.coords
    assert scene.x.values[:2].tolist() == [0.5, 1.5]
    assert "transform in the image" in scene.attrs["georeferencing"]
    assert np.isfinite(scene.spectra.values).all()


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_flags_of_wider_integers(dtype, tmp_path):
    from hsgeo_sensors.desis.writer import write_desis

    flags = {"cloud_land": np.eye(23, 31, dtype=bool), "snow": np.eye(23, 31, 3, dtype=bool)}
    folder = write_desis(tmp_path / "L2A", refused_case.cube(0.25), flags=flags, **refused_case.ON_BANDS)
    wanted = open_scene(folder).quality.values
    assert len(np.unique(wanted)) == 3
    rewrite(part(folder, f"{LAYER}.tif"), dtype=dtype, nodata=None)
    assert np.array_equal(open_scene(folder).quality, wanted)


def test_metadata_in_a_namespace(folder):
    wanted = open_scene(folder)
    file = part(folder, "METADATA.xml")
    text = file.read_text()
    assert "<hsi_doc>" in text
    file.write_text(text.replace("<hsi_doc>", '<hsi_doc xmlns="http://example.org/desis" xmlns:x="http://e.org/x">'))
    scene = open_scene(shutil.copytree(folder, folder.with_name("other")))
    assert np.array_equal(scene.spectra, wanted.spectra)
    assert scene.attrs == wanted.attrs

"""Real scenes open as correct reflectance in the right place; judged by rasterio and numpy, not by our own code."""

import numpy as np
import pytest
import rasterio

from hsgeo.errors import HsgeoWarning
from hsgeo.scene import check_scene, open_scene


def by_rasterio(path):
    with rasterio.open(path) as file:
        raw = file.read(masked=True)
        centres = np.array([float(file.tags(k + 1)["wavelength"]) for k in range(file.count)])
        scale = file.scales[0] if file.scales[0] != 1 else 1e-4
        return np.ma.filled(raw.astype("f8") * scale, np.nan), centres, file.crs, file.transform


@pytest.mark.parametrize("name", ["enmap_potsdam_mosaic_int16", "enmap_potsdam_tile_160_96", "enmap_potsdam_tile_96_0"])
def test_enmap(name, data_dir):
    path = data_dir / "georef" / "enmap_potsdam_l2a" / f"{name}.tif"
    expected, centres, crs, transform = by_rasterio(path)
    if "int16" in name:
        with pytest.warns(HsgeoWarning, match="x 10000"):
            scene = open_scene(path)
    else:
        scene = open_scene(path)
    check_scene(scene)
    order = np.argsort(centres)
    assert (np.diff(centres) < 0).any()  # bands out of order in the file
    assert np.allclose(scene.wavelength, centres[order])
    assert np.allclose(scene.spectra, expected[order], atol=1e-7, equal_nan=True)
    assert scene.rio.crs == crs
    assert scene.rio.transform() == transform
    assert tuple(np.array([scene.x[0], scene.y[0]])) == (transform.c + 15, transform.f - 15)
    assert (scene.band.values[~scene.good.values] == np.arange(130, 136)).all()
    assert np.isnan(scene.spectra.sel(band=132)).all()
    assert str(scene.time.values).startswith("2022-07-24T10:45:26")
    vegetated = scene.spectra.sel(wavelength=850, method="nearest") > 0.2
    assert 0.1 < vegetated.mean() < 1


def test_emit_envi(data_dir):
    path = data_dir / "georef" / "emit_envi_10x10" / "emit20250324t221005_jpl_unmix_ex"
    scene = open_scene(path)
    check_scene(scene)
    cube = np.fromfile(path, "<f4").reshape(10, 285, 10).transpose(1, 0, 2)  # bil
    assert np.array_equal(scene.spectra, cube)
    assert scene.good.sum() == 244
    assert (scene.spectra.values[~scene.good.values] == np.float32(-0.01)).all()
    assert "spatial_ref" not in scene.coords
    assert np.isfinite(scene.fwhm).all()


def test_gamsberg(data_dir):
    path = data_dir / "georef" / "gamsberg_envi_10x25" / "cubus_gamsberg_subset"
    with pytest.warns(HsgeoWarning, match="x 10000"):
        scene = open_scene(path)
    assert np.allclose(scene.spectra, np.fromfile(path, "<f4").reshape(189, 25, 10) * 1e-4, atol=1e-7)
    assert scene.wavelength.values[[0, -1]] == pytest.approx([426.82, 2324.91], abs=0.01)


@pytest.mark.parametrize(("bands", "first"), [(177, 460), (244, 424)])
def test_berlin(bands, first, data_dir):
    path = data_dir / "georef" / "enmap_berlin_simulated" / f"EnMAP_BerlinUrbanGradient_{bands}b.bsq"
    scene = open_scene(path)
    check_scene(scene)
    with rasterio.open(path) as file:
        stored = file.read()[scene.band.values - 1]  # the detectors overlap: sorted by wavelength, they interleave
        assert np.allclose(scene.spectra, stored * 1e-4, atol=1e-7)
        assert scene.rio.crs == file.crs
        assert scene.rio.crs.to_epsg() == 32633
        assert scene.rio.transform().almost_equals(file.transform, precision=1e-6)
    assert scene.wavelength.values[0] == pytest.approx(first)
    assert (np.diff(scene.wavelength) >= 0).all()
    assert scene.fwhm.values[0] == pytest.approx(5.8, abs=2)


def test_libraries_are_no_scenes(data_dir):
    from hsgeo.errors import SceneError

    for name in ("library_berlin.sli", "roberts2017_urban.hdr", "gamsberg_field_library"):
        with pytest.raises(SceneError, match="spectral library"):
            open_scene(data_dir / "libraries" / name)

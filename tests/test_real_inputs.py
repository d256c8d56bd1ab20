"""The main job on real files: what comes out is an abundance product, and it lies where the scene lies."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401 - registers .rio
import xarray as xr
from rio_cogeo import cog_validate

import hsgeo
from hsgeo.cli import main

SCENES = {
    "mosaic": "georef/enmap_potsdam_l2a/enmap_potsdam_mosaic_int16.tif",
    "tile-160": "georef/enmap_potsdam_l2a/enmap_potsdam_tile_160_96.tif",
    "tile-96": "georef/enmap_potsdam_l2a/enmap_potsdam_tile_96_0.tif",
    "emit": "georef/emit_envi_10x10/emit20250324t221005_jpl_unmix_ex",
    "berlin": "georef/enmap_berlin_simulated/EnMAP_BerlinUrbanGradient_177b.bsq",
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # the EMIT cube, read by rasterio here
@pytest.mark.parametrize("name", SCENES)
def test_real_scene_to_zarr_and_cog(name, data_dir, tmp_path, capsys):
    source = data_dir / SCENES[name]
    store, cog = tmp_path / "p.zarr", tmp_path / "p.tif"
    for out in (store, cog):
        with pytest.raises(SystemExit) as done:
            main(["unmix", "--input", str(source), "--out", str(out), "--quiet"])
        assert done.value.code == 0, capsys.readouterr().err

    plain = xr.open_zarr(store)  # as somebody without hsgeo opens it
    A = plain["abundance"].values
    valid = np.isfinite(A).all(axis=0)
    assert valid.any()
    assert np.array_equal(valid, np.isfinite(A).any(axis=0))  # no pixel is NaN in part
    assert A[:, valid].min() >= 0
    assert A[:, valid].max() <= 1
    assert np.abs(A[:, valid].sum(axis=0) - 1).max() <= 1e-5
    assert {"rmse", "quality", "endmembers"} <= set(plain.data_vars)
    assert np.array_equal(np.isfinite(plain["rmse"].values), valid)
    assert np.isfinite(plain["wavelength"]).all()
    with rasterio.open(source) as raw:
        has_data = np.isfinite(raw.read(50).astype(float)) & (raw.read(50) != (raw.nodata or -9999))
    assert np.array_equal(has_data, valid) or name != "mosaic"  # the holes of the mosaic are the holes of the product

    names = [str(n) for n in plain["endmember"].values]
    with rasterio.open(cog) as image:
        assert list(image.descriptions) == names
        np.testing.assert_array_equal(image.read(), A)
        with rasterio.open(source) as raw:
            assert image.crs == raw.crs
            if raw.crs is not None:
                assert image.transform.almost_equals(raw.transform, 1e-6)
    assert cog_validate(cog)[0]
    if name == "emit":
        assert "spatial_ref" not in plain.variables
        return
    with rasterio.open(source) as raw:
        assert plain.rio.crs == raw.crs
        assert plain.rio.transform().almost_equals(raw.transform, 1e-6)
        east, north = raw.xy(0, 0)
        assert float(plain["x"][0]) == pytest.approx(east)
        assert float(plain["y"][0]) == pytest.approx(north)
        with rasterio.open(f'ZARR:"{store}":/abundance') as through_gdal:
            assert through_gdal.crs == raw.crs
            assert through_gdal.transform.almost_equals(raw.transform, 1e-6)
            np.testing.assert_array_equal(through_gdal.read(), A)


def test_a_scene_without_crs_gives_one_warning(data_dir):
    scene = hsgeo.open_scene(data_dir / SCENES["emit"])
    with pytest.warns(hsgeo.HsgeoWarning, match="no CRS") as caught:
        product = hsgeo.unmix(scene)
    assert len(caught) == 1
    assert "spatial_ref" not in product.variables

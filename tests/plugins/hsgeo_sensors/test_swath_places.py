"""Swaths whose reader puts pixels in wrong places: each is seen. (PRISMA and EMIT plant theirs in their own tests.)"""

import numpy as np
import pytest
from affine import Affine
from hsgeo_sensors.aviris import netcdf as aviris
from hsgeo_sensors.cf import reader as cf
from hsgeo_sensors.native import reader as native
from hsgeo_sensors.tanager import reader as tanager

from hsgeo.scene import open_scene
from tests.cli import chain_case as write

TURNED = Affine.translation(499_995, 4_649_715) @ Affine.rotation(-12) @ Affine.scale(30, -30)
GROUND = write.Ground(affine=TURNED)
READERS = {
    "Tanager": (lambda folder: write.tanager(folder, GROUND, layout="basic"), tanager._Field),
    "CF netCDF": (lambda folder: write.cf_swath(folder, GROUND, name="s.nc"), cf.Raster),
    "CF Zarr": (lambda folder: write.cf_swath(folder, GROUND, name="s.zarr"), cf.Raster),
    "AVIRIS-5": (lambda folder: write.aviris_swath(folder, GROUND), aviris._Layer),
    "native Zarr": (lambda folder: write.native(folder, GROUND, name="s.zarr"), native.Zarr),
    "native netCDF": (lambda folder: write.native(folder, GROUND, name="s.nc"), native.NetCdf),
}
PLANTS = {
    "transposed": lambda v: np.resize(v.T, v.shape),
    "north-south": lambda v: v[::-1],
    "east-west": lambda v: v[:, ::-1],
    "half a pixel": lambda v: v + 15 / 111_195,  # metres of a degree
}


def assert_placed(path):
    scene = open_scene(path, chunks=None)
    lon, lat = GROUND.lon_lat
    assert np.allclose(scene["lon"].values, lon, rtol=0, atol=1e-9)
    assert np.allclose(scene["lat"].values, lat, rtol=0, atol=1e-9)
    assert "spatial_ref" not in scene.coords


@pytest.mark.parametrize("name", READERS)
def test_wrong_places_are_seen(name, tmp_path, monkeypatch):
    make, kind = READERS[name]
    path = make(tmp_path)
    assert_placed(path)
    right = kind.window
    for plant in PLANTS.values():

        def window(self, *box, plant=plant):
            values = right(self, *box)
            return plant(values) if values.ndim == 2 and values.dtype == np.float64 else values

        with monkeypatch.context() as patch:
            patch.setattr(kind, "window", window)
            with pytest.raises(AssertionError):
                assert_placed(path)


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_a_wrong_lookup_table_is_seen(plant, tmp_path, monkeypatch):
    """Cells of AVIRIS-5's table point to the pixel that lies there; half a pixel: counted from 0 instead of 1."""
    path = write.aviris_swath(tmp_path, GROUND)

    def assert_found():
        scene = open_scene(path, chunks=None)
        x, y = (np.abs(scene[name].values) for name in ("glt_x", "glt_y"))
        west, step, _, north, _, down = map(float, scene["glt_x"].attrs["GeoTransform"].split())
        row, col = np.nonzero((x > 0) & (y > 0))
        off = ~TURNED * (west + step * (col + 0.5), north + down * (row + 0.5)) - np.array([x, y])[:, row, col] + 0.5
        assert len(row) > 0.9 * write.ROWS * write.COLS * 900 / 400
        assert np.abs(off).max() <= 0.5 + 1e-6

    assert_found()
    right = aviris._Layer.window

    def window(self, *box):
        values = right(self, *box)
        if values.dtype.kind != "i":
            return values
        return plant(values) if plant is not PLANTS["half a pixel"] else values - np.sign(values)

    monkeypatch.setattr(aviris._Layer, "window", window)
    with pytest.raises(AssertionError):
        assert_found()

"""A box and wavelengths out of a scene: on a map, on a rotated grid, in a swath."""

import numpy as np
import pytest
import rioxarray  # noqa: F401 - registers .rio
from affine import Affine
from pyproj import Transformer

import hsgeo
from hsgeo.errors import ConfigError, SceneError
from tests.product.swaths import swath, with_lookup
from tests.scenes import make_scene


def _swath_scene(rows=24, cols=20, **place):
    where = swath(rows, cols, **place)
    scene = make_scene(rows, cols, crs=None)
    return scene.assign_coords({name: where[name] for name in ("y", "x", "lat", "lon")})


def _rotated_scene():
    scene = make_scene(24, 20).assign_coords(y=np.arange(24), x=np.arange(20))
    turned = Affine.translation(512_000, 5_600_000) * Affine.rotation(25) * Affine.scale(20, -20)
    scene = scene.rio.write_crs("EPSG:32632").rio.write_transform(turned)
    scene["spectra"].encoding.pop("grid_mapping", None)
    scene["spectra"].attrs["grid_mapping"] = "spatial_ref"
    return scene


def test_a_projected_scene_by_its_own_coordinates():
    scene = make_scene(24, 20)
    west, north = float(scene.x[3]) - 15, float(scene.y[5]) + 15
    box = (west, north - 7 * 30, west + 4 * 30, north)
    part = hsgeo.subset(scene, bbox=box, crs="EPSG:32633")
    assert part["spectra"].shape == (40, 7, 4)  # corners of pixels: these and no others
    assert part["spectra"].equals(scene["spectra"][:, 5:12, 3:7])
    assert part.rio.transform()[:6] == (30, 0, west, 0, -30, north)  # by the attribute GDAL reads
    part = hsgeo.subset(scene, bbox=(box[0] + 1, box[1] + 1, box[2] + 1, box[3] + 1), crs=32633)
    assert part["spectra"].shape == (40, 8, 5)  # now it touches a row and a column more
    assert hsgeo.subset(scene, bbox=",".join(map(str, box)), crs="EPSG:32633")["spectra"].shape == (40, 7, 4)
    part["spatial_ref"].attrs["GeoTransform"] = ""
    assert scene.rio.transform()[2] == float(scene.x[0]) - 15  # the scene itself stays as it was


@pytest.mark.parametrize("make", [lambda: make_scene(24, 20), _rotated_scene, _swath_scene])
def test_the_window_holds_the_box_and_is_the_smallest(make):
    scene = make()
    if "lat" in scene.coords:
        lon, lat = scene["lon"].values, scene["lat"].values
    else:
        where = _rotated_scene().rio.transform() if scene["y"].values[1] == 1 else scene.rio.transform()
        col, row = np.meshgrid(np.arange(20) + 0.5, np.arange(24) + 0.5)
        x, y = where @ (col, row) if hasattr(where, "__matmul__") else where * (col, row)
        lon, lat = Transformer.from_crs(scene.rio.crs.to_wkt(), 4326, always_xy=True).transform(x, y)
    box = (lon[8, 9] - 1e-4, lat[8, 9] - 1e-4, lon[8, 9] + 9e-4, lat[8, 9] + 7e-4)
    part = hsgeo.subset(scene, bbox=box)
    inside = (lon >= box[0]) & (lon <= box[2]) & (lat >= box[1]) & (lat <= box[3])
    assert inside.sum() > 6
    rows, cols = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    height, width = rows.size, cols.size
    assert height <= part.sizes["y"] <= height + 2  # every centre inside, and what the box touches besides
    assert width <= part.sizes["x"] <= width + 2
    held = hsgeo.subset(scene.assign(row=scene["spectra"][0] * 0 + np.arange(24)[:, None]), bbox=box)["row"].values
    assert np.nanmin(held) <= rows[0] <= rows[-1] <= np.nanmax(held)
    hsgeo.check_scene(part)


def test_a_cut_rotated_scene_lies_where_it_lay():
    from hsgeo.product.placement import find_placement

    scene = _rotated_scene()
    x, y = scene.rio.transform() * (11.0, 9.0)
    part = hsgeo.subset(scene, bbox=(x - 1, y - 1, x + 1, y + 1), crs="EPSG:32632")
    assert part.sizes["y"] == part.sizes["x"] == 2  # the corner of four pixels
    assert part["spectra"].values.tolist() == scene["spectra"][:, 8:10, 10:12].values.tolist()
    np.testing.assert_allclose(Affine(*find_placement(part).transform) * (1, 1), (x, y))
    assert part["y"].values.tolist() == [0, 1]


def test_a_cut_swath_keeps_its_lookup_table():
    rows, cols = np.mgrid[1:25, 1:21]
    scene = with_lookup(_swath_scene(), (30.0, 0, 500_000.0, 0, -30.0, 5_600_000.0), cols, rows)
    whole = hsgeo.georeference(scene)
    lon, lat = (float(scene[n][10, 8]) for n in ("lon", "lat"))
    part = hsgeo.subset(scene, bbox=(lon - 3e-4, lat - 3e-4, lon + 3e-4, lat + 3e-4))
    assert part.sizes["y"] < 8
    found = hsgeo.georeference(part).compute()
    assert found.sizes["y"] == part.sizes["y"]
    assert found["spectra"].equals(whole["spectra"].sel(y=found.y, x=found.x).compute())


def test_across_the_antimeridian():
    scene = _swath_scene(epsg=32660, centre=(833_978.0, 0.0))
    part = hsgeo.subset(scene, bbox=(179.999, -0.002, -179.999, 0.002))
    assert 0 < part.sizes["x"] < 20
    assert (np.abs(part["lon"]) > 179.99).all()


def test_wavelengths():
    scene = make_scene()
    assert hsgeo.subset(scene, wavelength=(500, 700))["wavelength"].values.tolist() == [500, 550, 600, 650, 700]
    part = hsgeo.subset(scene, wavelength="450-500, 2400-2500")
    assert part["wavelength"].values.tolist() == [450, 500, 2400]
    assert part["band"].values.tolist() == [1, 2, 40]
    assert part.sel(wavelength=490, method="nearest")["band"] == 2
    for wrong in ("500", "700-500", (1, 2, 3), "a-b", 5):
        with pytest.raises(ConfigError, match="wavelength is"):
            hsgeo.subset(scene, wavelength=wrong)
    with pytest.raises(ConfigError, match="no band"):
        hsgeo.subset(scene, wavelength="2600-2700")


@pytest.mark.parametrize("make", [lambda: make_scene(24, 20), _rotated_scene, _swath_scene])
def test_nothing_in_common_is_one_clear_error(make):
    with pytest.raises(ConfigError, match=r"holds no pixel(?s:.*)touches"):
        hsgeo.subset(make(), bbox=(100, 10, 101, 11))
    with pytest.raises(ConfigError, match=r"holds no pixel"):
        hsgeo.subset(make(), bbox=(100, 10, 101, 11), crs="EPSG:3857")


def test_wrong_boxes():
    scene = make_scene()
    for box in ((1, 2, 3), "1,2,3,x", (1, 5, 2, 4), (1, 2, float("nan"), 4)):
        with pytest.raises(ConfigError, match="the box is"):
            hsgeo.subset(scene, bbox=box)
    with pytest.raises(ConfigError, match="the box is"):
        hsgeo.subset(scene, bbox=(2, 1, 1, 3), crs="EPSG:32633")
    with pytest.raises(ConfigError, match="no reference system"):
        hsgeo.subset(scene, bbox=(1, 2, 3, 4), crs="EPSG:1")
    with pytest.raises(SceneError, match="nothing says"):
        hsgeo.subset(make_scene(crs=None), bbox=(1, 2, 3, 4))

"""A product keeps the scene's place, says what it means, and survives plain ``to_zarr``."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import Affine

from hsgeo.errors import ProductError
from hsgeo.product.convention import check_product
from hsgeo.product.opening import open_product
from hsgeo.product.placement import find_placement
from hsgeo.product.template import assemble
from tests.product.helpers import NAMES, NORTH_UP, ROTATED, make_fixed, make_product, make_scene

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # affine 3 in rioxarray


def boom(*_args):
    raise AssertionError("computed")


def test_nothing_is_computed():
    with dask.config.set(scheduler=boom):
        product, _ = make_product(swath=True)
        check_product(product)
    assert product["abundance"].chunks == ((3,), (4, 3), (4, 1))
    assert dask.is_dask_collection(product["lat"].data)


def test_is_said_what_it_means():
    product, _ = make_product()
    assert (product.attrs["sum"], product.attrs["scale"], product.attrs["shade"]) == ("one", "physical", "none")
    assert product.attrs["endmember_names"] == NAMES
    assert product["endmember"].dtype.kind == "U"
    assert float(product["endmembers"].sel(endmember="Schnee").sel(wavelength=560, method="nearest")) > 0
    assert product["time"].dtype.kind == "M"
    assert {"abundance", "rmse", "quality", "model"} <= {
        n for n, v in product.data_vars.items() if v.attrs.get("grid_mapping") == "spatial_ref"
    }
    assert "grid_mapping" not in product["endmembers"].attrs


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
def test_placement_is_the_scenes(transform):
    product, _ = make_product(transform=transform)
    assert product.rio.crs == rasterio.crs.CRS.from_epsg(32633)
    assert product.rio.transform() == transform
    assert tuple(product.attrs["spatial:transform"]) == tuple(transform)[:6]
    assert product.attrs["proj:code"] == "EPSG:32633"


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
@pytest.mark.parametrize("step", [1, 2])
def test_sliced_scene_has_its_own_place(transform, step):
    scene = make_scene(9, 8, transform=transform).isel(y=slice(2, 8, step), x=slice(3, 7, step))
    rows, cols = scene.sizes["y"], scene.sizes["x"]
    tiles = {"abundance": xr.DataArray(np.zeros((3, rows, cols), "f4"), dims=("endmember", "y", "x"))}
    product = assemble(scene, tiles, make_fixed(), attrs={})
    found = Affine(*product.attrs["spatial:transform"])
    for row, col in ((0, 0), (rows - 1, cols - 1)):
        # the centre of a pixel of the slice is the centre of the same pixel of the whole scene
        assert found @ (col + 0.5, row + 0.5) == pytest.approx(transform @ (3 + step * col + 0.5, 2 + step * row + 0.5))
    assert product.rio.transform() == pytest.approx(tuple(found))


def test_every_digit_of_the_transform_is_kept():
    exact = Affine(3.6, 0, 389_999.700_000_123, 0, -3.6, 5_819_997.299_999_77)
    assert find_placement(make_scene(11, 13, transform=exact)).transform == tuple(exact)[:6]
    float32 = make_scene(11, 13, transform=NORTH_UP)
    float32 = float32.assign_coords(y=float32.y.astype("f4"), x=float32.x.astype("f4"))
    assert find_placement(float32).transform == pytest.approx(tuple(NORTH_UP)[:6], rel=1e-6)


def test_without_crs_nothing_is_invented():
    product, _ = make_product(crs=None, transform=None)
    check_product(product)
    assert "spatial_ref" not in product.variables
    assert not [key for key in product.attrs if key.startswith(("proj:", "spatial:"))]
    placed, _ = make_product(crs=None)
    assert tuple(placed.attrs["spatial:transform"]) == tuple(NORTH_UP)[:6]
    assert "proj:code" not in placed.attrs


@pytest.mark.parametrize("fmt", [2, 3])
@pytest.mark.parametrize("shape", [(7, 5), (1, 1), (1, 6)])
def test_plain_to_zarr_works(tmp_path, fmt, shape):
    product, values = make_product(*shape)
    if fmt == 3:  # fixed-width strings are what zarr itself warns of in format 3
        product = product.assign_coords(endmember=product["endmember"].astype(object))
    path = tmp_path / "mine.zarr"
    product.to_zarr(path, zarr_format=fmt, consolidated=fmt == 2, encoding={"abundance": {"chunks": (3, 4, 4)}})
    opened = xr.open_zarr(path, consolidated=fmt == 2)
    assert opened.rio.crs == product.rio.crs
    assert opened.rio.transform() == NORTH_UP
    np.testing.assert_array_equal(opened["abundance"], values["abundance"])
    check_product(open_product(path), values=shape != (1, 1))


def test_odd_attributes_and_encodings_do_no_harm(tmp_path):
    scene = make_scene()
    scene["x"].encoding = {"chunks": (2,), "dtype": "int16"}  # of the file the scene came from
    scene["x"].attrs["odd"] = np.float32(2)
    fixed = make_fixed()
    fixed["endmembers"].attrs = {"path": tmp_path, "none": None, "nan": np.nan, "array": np.arange(2), "_FillValue": 9}
    tiles = {"abundance": xr.DataArray(np.zeros((3, 7, 5), "f4"), dims=("endmember", "y", "x"))}
    product = assemble(scene, tiles, fixed, attrs={"set": {1}, "sum": "free"})
    product.to_zarr(tmp_path / "p.zarr", zarr_format=2)
    back = xr.open_zarr(tmp_path / "p.zarr")
    assert back["endmembers"].attrs["array"] == [0, 1]
    assert back.attrs["sum"] == "free"
    np.testing.assert_array_equal(back["x"], scene["x"])


def test_wrong_shapes_and_missing_names_are_refused():
    tile = xr.DataArray(np.zeros((3, 7, 5), "f4"), dims=("endmember", "y", "x"))
    with pytest.raises(ProductError, match="7 rows and 6 columns"):
        assemble(make_scene(7, 6), {"abundance": tile}, make_fixed(), attrs={})
    with pytest.raises(ProductError, match="no names"):
        assemble(make_scene(), {"abundance": tile}, xr.Dataset(), attrs={})

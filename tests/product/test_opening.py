"""Products open whole or not at all."""

from __future__ import annotations

import json

import dask
import numpy as np
import pytest
import rasterio
import xarray as xr
from hsgeo_products.cog_writer import CogWriter
from hsgeo_products.config import ZarrOptions
from hsgeo_products.zarr_writer import ZarrWriter

from hsgeo.errors import HsgeoWarning, ProductError
from hsgeo.product.convention import check_product
from hsgeo.product.opening import open_product, open_state, unfinished, unfinished_tile
from tests.product.helpers import NORTH_UP, ROTATED, make_product, write_all

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

WRITERS = {
    "v2.zarr": lambda: ZarrWriter(),
    "v3.zarr": lambda: ZarrWriter(ZarrOptions(zarr_format=3)),
    "p.tif": lambda: CogWriter(),
}
STATE = {"vca": xr.Dataset({"w": ("k", np.arange(3.0)), "names": ("k", np.array(["a", "bb", "ü"]))})}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("chunks", ["auto", None, {"y": 4}])
def test_all_comes_back(tmp_path, name, chunks):
    template, values = make_product(swath=True)
    write_all(WRITERS[name](), template, values, tmp_path / name, state=STATE)
    opened = open_product(tmp_path / name, chunks=chunks)
    check_product(opened, values=True)
    assert set(opened.variables) == set(template.variables)
    for key, var in template.variables.items():
        found = opened.variables[key]
        assert found.dims == var.dims
        np.testing.assert_array_equal(found.values, var.values)
        assert found.dtype == var.dtype or var.dtype.kind in "UM", key
        if key not in ("spatial_ref", "x", "y", "time"):
            kept = {k: v for k, v in found.attrs.items() if k != "_FillValue"}
            assert kept == var.attrs, key
    assert set(opened.coords) == set(template.coords)
    assert opened.rio.crs == template.rio.crs
    assert opened.rio.transform() == NORTH_UP
    assert opened["abundance"].rio.crs == template.rio.crs
    assert opened.sel(wavelength=560, method="nearest")["band"] == 2
    assert opened.attrs["hsgeo_status"] == "complete"
    lasting = {k: v for k, v in opened.attrs.items() if k not in ("hsgeo_status", "hsgeo_volatile")}
    assert lasting == {k: v for k, v in template.attrs.items() if k != "hsgeo_volatile"}
    if chunks == {"y": 4}:
        assert opened["abundance"].variable.chunksizes["y"] == (4, 3)
    if chunks is not None:
        assert dask.is_dask_collection(opened["abundance"].data)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("shape", "place"),
    [
        ((1, 1), {"crs": None, "transform": None}),
        ((1, 6), {}),
        ((6, 3), {"transform": ROTATED}),
        ((5, 4), {"crs": None}),
        ((5, 4), {"crs": "+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80 +units=m"}),
    ],
)
def test_odd_scenes_come_back(tmp_path, name, shape, place):
    template, values = make_product(*shape, **place)
    write_all(WRITERS[name](), template, values, tmp_path / name)
    opened = open_product(tmp_path / name)
    for key in ("abundance", "quality", "model", "y", "x"):
        np.testing.assert_array_equal(opened[key], template[key])
    assert opened.rio.crs == template.rio.crs
    assert ("spatial_ref" in opened.coords) == ("spatial_ref" in template.coords)
    if "spatial_ref" in template.coords:
        assert opened["spatial_ref"].attrs["GeoTransform"] == template["spatial_ref"].attrs["GeoTransform"]


def test_incomplete_is_refused(tmp_path):
    template, values = make_product()
    for name, make in WRITERS.items():
        path = tmp_path / name
        write_all(make(), template, values, path, only=3, state=STATE)
        assert unfinished(path) == (3, 4)
        assert unfinished_tile(path) == 4
        with pytest.raises(ProductError, match=r"3 of 4 tiles.*--resume"):
            open_product(path)
    assert not (tmp_path / "p.tif").exists()
    # what was learnt can be read all the same, so that a resumed run learns nothing anew
    for name in ("v2.zarr", "v3.zarr"):
        state = open_state(tmp_path / name)
        assert list(state) == ["vca"]
        assert list(state["vca"]["names"].values) == ["a", "bb", "ü"]
        assert not state["vca"].chunks


def test_strangers_are_refused(tmp_path):
    with pytest.raises(ProductError, match="does not exist"):
        open_product(tmp_path / "no.zarr")
    (tmp_path / "empty.tif").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    xr.Dataset({"a": ("k", [1])}).to_zarr(tmp_path / "other.zarr", zarr_format=2)
    with rasterio.open(
        tmp_path / "dem.tif", "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8", transform=NORTH_UP
    ) as file:
        file.write(np.ones((1, 2, 2), "u1"))
    for name in ("empty.tif", "folder", "other.zarr", "dem.tif"):
        with pytest.raises(ProductError, match="no product of hsgeo"):
            open_product(tmp_path / name)
    with pytest.raises(ProductError, match="no fit state"):
        open_state(tmp_path / "dem.tif")
    assert open_state(tmp_path / "other.zarr") == {}


def test_main_file_alone_opens_with_a_warning(tmp_path):
    template, values = make_product()
    write_all(CogWriter(), template, values, tmp_path / "p.tif")
    (tmp_path / "p_rmse.tif").unlink()
    with pytest.warns(HsgeoWarning, match=r"without p_rmse\.tif"):
        opened = open_product(tmp_path / "p.tif")
    np.testing.assert_array_equal(opened["abundance"], values["abundance"])


def test_opening_executes_nothing_but_json(tmp_path):
    template, values = make_product()
    write_all(ZarrWriter(), template, values, tmp_path / "p.zarr")
    attrs = json.loads((tmp_path / "p.zarr" / ".zattrs").read_text())
    assert attrs["hsgeo_status"] == "complete"
    assert not (tmp_path / "p.zarr" / ".hsgeo").exists()

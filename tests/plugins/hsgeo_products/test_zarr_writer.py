"""The Zarr writer: right places, whole chunks, incomplete until finished, resumed to the same bytes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hsgeo_products.config import ZarrOptions
from hsgeo_products.zarr_layout import chunk_side
from hsgeo_products.zarr_writer import ZarrWriter
from pydantic import ValidationError
from rasterio.errors import NotGeoreferencedWarning

import hsgeo
from hsgeo.errors import ConfigError, HsgeoError, ProductError
from hsgeo.product.placement import find_placement
from tests.product.helpers import NAMES, NORTH_UP, ROTATED, make_product, regions, write_all

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

GDAL = tuple(int(part) for part in rasterio.__gdal_version__.split(".")[:2])
FORMATS = [2, 3]


def writer(fmt=2, **options):
    return ZarrWriter(ZarrOptions(zarr_format=fmt, **options))


def chunk_files(path):
    """Bytes of every file that is not metadata."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name not in (".zmetadata", ".zattrs", "zarr.json")
    }


def metadata(path):
    """All metadata without the volatile block."""
    found = {}
    for file in sorted(path.rglob("*")):
        if file.name in (".zmetadata", ".zattrs", "zarr.json"):
            text = json.loads(file.read_text())
            for attrs in (text, text.get("attributes", {}), text.get("metadata", {}).get(".zattrs", {})):
                attrs.pop("hsgeo_volatile", None)
            found[str(file.relative_to(path))] = text
    return found


@pytest.mark.parametrize("fmt", FORMATS)
def test_everybody_reads_the_same_place_and_names(tmp_path, fmt):
    path = tmp_path / "p.zarr"
    template, values = make_product(70, 45)
    write_all(writer(fmt), template, values, path, (32, 16))
    plain = xr.open_zarr(path)
    assert plain.rio.crs == template.rio.crs
    assert plain.rio.transform() == NORTH_UP
    assert plain["abundance"].rio.crs == template.rio.crs
    assert [str(n) for n in plain["endmember"].values] == NAMES
    np.testing.assert_array_equal(plain["abundance"], values["abundance"])
    np.testing.assert_array_equal(plain["quality"], values["quality"])
    assert plain["quality"].dtype == np.uint16
    assert (float(plain.x[0]), float(plain.y[0])) == NORTH_UP @ (0.5, 0.5)
    if fmt == 3 and GDAL < (3, 12):
        pytest.skip(f"GDAL {rasterio.__gdal_version__} does not read Zarr format 3, 3.12 does")
    with rasterio.open(f'ZARR:"{path}":/abundance') as file:
        assert file.crs == template.rio.crs
        assert file.transform == NORTH_UP
        assert file.shape == (70, 45)
        assert np.isnan(file.nodata)
        np.testing.assert_array_equal(file.read(), values["abundance"])
        if fmt == 2:
            assert [file.tags(i)["DIM_endmember_VALUE"] for i in file.indexes] == NAMES
    with rasterio.open(f'ZARR:"{path}":/quality') as file:
        np.testing.assert_array_equal(file.read(1), values["quality"])


@pytest.mark.parametrize("fmt", FORMATS)
def test_rotated_grid_keeps_its_affine(tmp_path, fmt):
    template, values = make_product(6, 9, transform=ROTATED)
    write_all(writer(fmt), template, values, tmp_path / "p.zarr")
    plain = xr.open_zarr(tmp_path / "p.zarr")
    assert plain.rio.transform() == ROTATED
    assert plain.rio.crs == template.rio.crs
    assert tuple(plain.attrs["spatial:transform"]) == tuple(ROTATED)[:6]
    if fmt == 2 or GDAL >= (3, 12):
        with (
            pytest.warns(NotGeoreferencedWarning),  # no place rather than a wrong one: GDAL knows none that is rotated
            rasterio.open(f'ZARR:"{tmp_path / "p.zarr"}":/abundance') as file,
        ):
            assert file.transform.is_identity
    part = hsgeo.open_product(tmp_path / "p.zarr").isel(y=slice(2, None), x=slice(1, None, 2))
    assert find_placement(part).transform == tuple(ROTATED * Affine.translation(0.5, 2) * Affine.scale(2, 1))[:6]


@pytest.mark.parametrize("fmt", FORMATS)
def test_resumed_equals_undisturbed(tmp_path, fmt):
    template, values = make_product(10, 9)
    state = {"vca": xr.Dataset({"w": ("k", np.arange(3.0))})}
    write_all(writer(fmt), template, values, tmp_path / "whole.zarr", state=state)
    path = tmp_path / "killed.zarr"
    write_all(writer(fmt), template, values, path, state=state, only=4)
    assert xr.open_zarr(path, consolidated=True).attrs["hsgeo_status"] == "incomplete"
    (path / "rmse" / ".1.1.12ab.partial").write_bytes(b"torn by the kill")
    _, redone = write_all(writer(fmt), template, values, path, state=state, resume=True)
    assert redone == 9 - 4
    assert chunk_files(path) == chunk_files(tmp_path / "whole.zarr")
    assert metadata(path) == metadata(tmp_path / "whole.zarr")
    assert xr.open_zarr(path).attrs["hsgeo_status"] == "complete"
    assert [entry.name for entry in tmp_path.iterdir()] == [p.name for p in tmp_path.glob("*.zarr")]


def test_resume_refuses_what_is_not_the_same_run(tmp_path):
    template, values = make_product()
    path = tmp_path / "p.zarr"
    write_all(writer(), template, values, path, only=1)
    for change, said in (
        ({"template": make_product(run="run-2")[0]}, "run run-1, this is run run-2"),
        ({"tile": (2, 2)}, "--tile 4"),
        ({"template": template.drop_vars("rmse").assign(rmse=template["quality"])}, "'rmse' in"),
    ):
        given = {"template": template, "tile": (4, 4)} | change
        with pytest.raises(ProductError, match=said):
            writer().create(given["template"], path, state={}, tile=given["tile"], overwrite=False, resume=True)
    with pytest.raises(ProductError, match="format 2"):
        write_all(writer(3), template, values, path, resume=True)
    write_all(writer(), template, values, path, resume=True)
    with pytest.raises(ProductError, match="complete, there is nothing to resume"):
        write_all(writer(), template, values, path, resume=True)


def test_parts_of_chunks_are_refused(tmp_path):
    template, values = make_product(16, 16)
    sink = writer().create(template, tmp_path / "p.zarr", state={}, tile=(8, 8), overwrite=False, resume=False)
    for rows, cols in (
        (slice(0, 4), slice(0, 8)),
        (slice(4, 12), slice(0, 8)),
        (slice(0, 8), slice(8, 15)),
        (slice(0, 24), slice(0, 8)),
        (slice(8, 8), slice(0, 8)),
        (slice(0, 16, 2), slice(0, 8)),
    ):
        with pytest.raises(ProductError, match="a region has"):
            sink.write((rows, cols), values.isel(y=rows, x=cols))
    region = (slice(0, 8), slice(0, 8))
    tile = values.isel(y=region[0], x=region[1])
    with pytest.raises(ProductError, match="lacks 'rmse'"):
        sink.write(region, tile.drop_vars("rmse"))
    with pytest.raises(ProductError, match="has shape"):
        sink.write(region, values)
    assert sink.done() == []
    sink.write(region, tile)
    assert sink.done() == [region]
    with pytest.raises(ProductError, match="1 of 4 tiles"):
        sink.finish()


def test_four_threads_lose_no_pixel(tmp_path):
    template, values = make_product(200, 170)
    sink = writer().create(template, tmp_path / "p.zarr", state={}, tile=(16, 16), overwrite=False, resume=False)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda r: sink.write(r, values.isel(y=r[0], x=r[1])), regions(200, 170, (16, 16))))
    sink.finish()
    opened = xr.open_zarr(tmp_path / "p.zarr")
    for name in values.data_vars:
        np.testing.assert_array_equal(opened[name], values[name])


def test_every_finished_tile_has_its_chunks(tmp_path):
    # 0 is "usable" for quality: a chunk left out because it is all fill would be read as that
    template, values = make_product(8, 8, extra=False)
    nothing = values.assign(abundance=values["abundance"] * np.nan, quality=values["quality"] * 0)
    write_all(writer(), template, nothing, tmp_path / "p.zarr")
    assert len(list((tmp_path / "p.zarr" / "quality").glob("?.?"))) == 4
    assert len(list((tmp_path / "p.zarr" / "abundance").glob("?.?.?"))) == 4


@pytest.mark.parametrize(
    ("size", "tile", "wanted", "side"),
    [(1000, 512, None, 512), (1000, 200, None, 200), (1000, 1000, None, 512), (1000, 1024, None, 512),
     (5000, 1000, None, 500), (5000, 521, None, 521), (3, 512, None, 3), (5000, 1024, 256, 256), (100, 100, 64, 64)],
)  # fmt: skip
def test_chunks_divide_tiles(size, tile, wanted, side):
    assert chunk_side(size, tile, wanted) == side
    assert tile >= size or tile % side == 0


def test_chunk_that_divides_no_tile_is_refused(tmp_path):
    template, values = make_product(40, 40)
    with pytest.raises(ConfigError, match="--tile 14"):
        write_all(writer(chunk=7), template, values, tmp_path / "p.zarr", (16, 16))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValidationError):
        ZarrOptions(zarr_format=1)


def test_failed_create_leaves_the_old_output(tmp_path):
    template, values = make_product()
    path = tmp_path / "p.zarr"
    write_all(writer(), template, values, path)
    before = chunk_files(path), metadata(path)
    with pytest.raises(ProductError, match="exists"):
        write_all(writer(), template, values, path)
    bad = template.assign_attrs(complex=1j)  # what JSON cannot hold fails half way through the metadata
    with pytest.raises((TypeError, ValueError, HsgeoError)):
        writer().create(bad, path, state={}, tile=(4, 4), overwrite=True, resume=False)
    assert (chunk_files(path), metadata(path)) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.zarr"]
    other, other_values = make_product(9, 9, run="run-2")
    write_all(writer(), other, other_values, path, overwrite=True)
    assert xr.open_zarr(path).sizes["y"] == 9
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.zarr"]
    with pytest.raises(ProductError, match="does not exist"):
        write_all(writer(), template, values, tmp_path / "missing" / "p.zarr")


def test_state_is_not_touched(tmp_path):
    state = xr.Dataset({"w": ("k", np.arange(3.0))}).chunk()
    state["w"].encoding["chunks"] = (2,)
    template, values = make_product()
    write_all(writer(), template, values, tmp_path / "p.zarr", state={"vca": state})
    assert state["w"].encoding == {"chunks": (2,)}
    assert state["w"].chunks is not None
    np.testing.assert_array_equal(xr.open_zarr(tmp_path / "p.zarr", group="fit/vca")["w"], [0, 1, 2])

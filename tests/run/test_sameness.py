"""The sameness law: tile size, chunking, scheduler and workers change no bit of a product."""

import dask
import numpy as np
import pytest

import hsgeo
from tests.scenes import make_scene


@pytest.fixture(scope="module")
def scene():
    scene = make_scene(210, 190)
    scene["spectra"][:, 20:40, :7] = np.nan  # a hole
    scene["spectra"][3, 100, 100] = np.nan  # a partial pixel
    return scene


@pytest.fixture(scope="module")
def reference(scene):
    return hsgeo.unmix(scene, tile=210).compute()


def assert_same_bits(found, expected):
    assert set(found.data_vars) == set(expected.data_vars)
    for name, variable in expected.data_vars.items():
        assert np.array_equal(found[name].values, variable.values, equal_nan=variable.dtype.kind == "f"), name


@pytest.mark.parametrize("tile", [64, 128, 200])
@pytest.mark.parametrize("chunks", [None, {"y": 50, "x": 77}])
def test_tiles_and_chunks(scene, reference, tile, chunks):
    product = hsgeo.unmix(scene if chunks is None else scene.chunk(chunks), tile=tile)
    assert product.chunks["y"][0] == tile
    with dask.config.set(scheduler="threads"):
        assert_same_bits(product.compute(), reference)


def test_synchronous(scene, reference):
    with dask.config.set(scheduler="synchronous"):
        assert_same_bits(hsgeo.unmix(scene, tile=64).compute(), reference)


def test_two_processes(scene, reference, tmp_path):
    from hsgeo.run.cluster import cluster_client

    with cluster_client("local:2") as client:
        hsgeo.write(hsgeo.unmix(scene, tile=64, client=client), tmp_path / "p.zarr", client=client)
        assert_same_bits(hsgeo.unmix(scene, tile=100, client=client).compute(), reference)
    assert_same_bits(hsgeo.open_product(tmp_path / "p.zarr").compute(), reference)


def test_seeds_matter_only_where_they_should(scene, reference):
    again = hsgeo.unmix(scene, tile=64).compute()
    assert_same_bits(again, reference)
    assert again.attrs["hsgeo_run_id"] == reference.attrs["hsgeo_run_id"]
    assert hsgeo.unmix(scene, seed=1, tile=64).attrs["hsgeo_run_id"] != reference.attrs["hsgeo_run_id"]

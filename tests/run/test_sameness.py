"""The sameness law: tile size, chunking, scheduler and workers change no bit of a product."""

from pathlib import Path

import dask
import numpy as np
import pytest

import hsgeo
from hsgeo.plugin.registry import registry, reset
from tests.scenes import make_scene


@pytest.fixture(scope="module")
def scene():
    scene = make_scene(210, 190)
    scene["spectra"][:, 20:40, :7] = np.nan  # a hole
    scene["spectra"][3, 100, 100] = np.nan  # a partial pixel
    return scene


TRIAL = Path(__file__).parents[1] / "fakes" / "trial.py"
CHAINS = {
    "classical": ["archetypes", "fcls"],
    "windowed-sampler": ["archetypes", "fcls", "trial-abundance-diffusion"],  # noisy steps on overlapping windows
}


@pytest.fixture(scope="module", params=CHAINS)
def stages(request):
    registry((TRIAL,))
    yield CHAINS[request.param]
    reset()


@pytest.fixture(scope="module")
def reference(scene, stages):
    return hsgeo.unmix(scene, stages=stages, tile=210).compute()


def assert_same_bits(found, expected):
    assert set(found.data_vars) == set(expected.data_vars)
    for name, variable in expected.data_vars.items():
        assert np.array_equal(found[name].values, variable.values, equal_nan=variable.dtype.kind == "f"), name


@pytest.mark.parametrize("tile", [64, 128, 200])
@pytest.mark.parametrize("chunks", [None, {"y": 50, "x": 77}])
def test_tiles_and_chunks(scene, stages, reference, tile, chunks):
    product = hsgeo.unmix(scene if chunks is None else scene.chunk(chunks), stages=stages, tile=tile)
    assert product.chunks["y"][0] == tile
    with dask.config.set(scheduler="threads"):
        assert_same_bits(product.compute(), reference)


def test_synchronous(scene, stages, reference):
    with dask.config.set(scheduler="synchronous"):
        assert_same_bits(hsgeo.unmix(scene, stages=stages, tile=64).compute(), reference)


def test_two_processes(scene, stages, reference, tmp_path):
    from hsgeo.run.cluster import cluster_client

    with cluster_client("local:2") as client:
        hsgeo.write(hsgeo.unmix(scene, stages=stages, tile=64, client=client), tmp_path / "p.zarr", client=client)
        assert_same_bits(hsgeo.unmix(scene, stages=stages, tile=100, client=client).compute(), reference)
    assert_same_bits(hsgeo.open_product(tmp_path / "p.zarr").compute(), reference)


def test_the_run_id_knows_the_seed_and_not_the_tiles(scene, stages, reference):
    again = hsgeo.unmix(scene, stages=stages, tile=64)
    assert again.attrs["hsgeo_run_id"] == reference.attrs["hsgeo_run_id"]
    other = hsgeo.unmix(scene, stages=stages, seed=1, tile=64)
    assert other.attrs["hsgeo_run_id"] != reference.attrs["hsgeo_run_id"]

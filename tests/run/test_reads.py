"""Lazy means lazy: before compute only the fit sample is read, and a state reads it no second time."""

import threading

import numpy as np
import pytest
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

import hsgeo
from hsgeo.stages.sample import draw, pixel_budget, top_up
from hsgeo.stages.source import Source
from tests.scenes import make_scene


class Counting(BackendArray):
    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.read, self._lock = 0, threading.Lock()

    def __getitem__(self, key):
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._get)

    def _get(self, key):
        part = self.values[key]
        with self._lock:
            self.read += part.size
        return part


@pytest.fixture
def counted():
    scene = make_scene(400, 500)
    backend = Counting(scene["spectra"].values)
    lazy = xr.Variable(("band", "y", "x"), indexing.LazilyIndexedArray(backend), scene["spectra"].attrs)
    return scene.assign(spectra=lazy), backend


def test_unmix_reads_at_most_the_declared_sample(counted):
    scene, backend = counted
    product = hsgeo.unmix(scene)
    bands = scene.sizes["band"]
    assert 0 < backend.read <= pixel_budget(400, 500) * bands
    assert pixel_budget(400, 500) == 20_000  # 10 % of the pixels
    before = backend.read
    product["abundance"].isel(y=0, x=0).compute()
    tile = product.chunks["y"][0] * product.chunks["x"][0]
    assert backend.read - before <= tile * bands  # one tile, no more


def test_dask_scenes_are_read_by_the_patch_too(counted):
    scene, backend = counted
    hsgeo.unmix(scene.chunk(y=100, x=100))
    assert backend.read <= pixel_budget(400, 500) * scene.sizes["band"]


def test_a_whole_run_reads_every_pixel_once_more(counted, tmp_path):
    scene, backend = counted
    product = hsgeo.unmix(scene, tile=128)
    sample = backend.read
    hsgeo.write(product, tmp_path / "p.zarr")
    assert backend.read == sample + scene["spectra"].size


def test_options_are_checked_before_anything_is_read(counted):
    scene, backend = counted
    with pytest.raises(hsgeo.RecipeError):
        hsgeo.unmix(scene, stages=["fcls", "archetypes"])
    with pytest.raises(hsgeo.ConfigError):
        hsgeo.unmix(scene, options={"archetypes.counts": 3})
    assert backend.read == 0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (128, 128), (130, 127), (333, 1000), (64, 3000)])
def test_the_sample_is_bounded_and_spread(height, width):
    source = Source(xr.Variable(("band", "y", "x"), np.zeros((2, height, width), np.float32)), None)
    patches = draw(source, seed=5)
    pixels = sum(patch.box.height * patch.box.width for patch in patches)
    assert pixels <= pixel_budget(height, width)
    if height * width <= 128 * 128:
        assert pixels == height * width
    else:
        assert pixels > 0.7 * pixel_budget(height, width)  # a fifth is kept for `top_up`
        centres = np.array([(p.box.y0 / height, p.box.x0 / width) for p in patches])
        for half in (0, 1):  # neither half of the scene has more than its share
            if height > 64:
                assert 0.3 < np.mean((centres[:, 0] >= 0.5) == half) < 0.7
            assert 0.3 < np.mean((centres[:, 1] >= 0.5) == half) < 0.7


def test_useless_pixels_are_replaced_within_the_budget():
    source = Source(xr.Variable(("band", "y", "x"), np.zeros((2, 700, 600), np.float32)), None)
    first = draw(source, seed=1)
    more = top_up(source, 1, first, useful=0.9)
    pixels = [sum(p.box.height * p.box.width for p in patches) for patches in (first, more)]
    assert 0.05 < pixels[1] / pixels[0] < 0.15
    assert not {p.box for p in first} & {p.box for p in more}
    everything = top_up(source, 1, first, useful=0.2)
    assert pixels[0] + sum(p.box.height * p.box.width for p in everything) <= pixel_budget(700, 600)
    assert top_up(source, 1, first, useful=1.0) == []


def test_the_sample_goes_on_looking_when_nearly_all_is_nodata():
    values = np.full((2, 300, 300), np.nan, np.float32)
    values[:, 100:116, 200:216] = 1.0
    source = Source(xr.Variable(("band", "y", "x"), values), None)
    found = sum(int(np.isfinite(patch.spectra).all(0).sum()) for patch in draw(source, seed=0))
    assert found > 0

"""BLAS has one thread while hsgeo works, whoever works and whoever set a limit before, and then what it had."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import dask
import numpy as np
import pytest
import scipy.linalg  # noqa: F401  its BLAS is there before a limit is set
from threadpoolctl import ThreadpoolController, threadpool_limits

import hsgeo
from hsgeo.plugin.registry import registry, reset
from hsgeo.run.threads import pinned
from tests.scenes import make_scene

STAGES = [{"use": "archetypes", "with": {"count": 3}}, "fcls", "blas-threads"]
FAKES = Path(__file__).parents[1] / "fakes"


def blas():
    return {pool["num_threads"] for pool in ThreadpoolController().info() if pool["user_api"] == "blas"}


@pytest.fixture
def two():
    with threadpool_limits(2):  # from threadpoolctl 3.8 on only this thread may set OpenBLAS's limit while it lasts
        before = blas()  # a library that an earlier test has limited may have kept that
        assert 2 in before
        yield before


def test_workers_are_pinned_although_another_thread_has_set_a_limit(two):
    def work(_):
        with pinned():
            return blas()

    with ThreadPoolExecutor(1) as pool:
        assert list(pool.map(work, range(2))) == [{1}, {1}]
    assert blas() == two


def test_the_last_to_leave_gives_back_what_the_first_found(two):
    entered, left = Barrier(2), Barrier(2)

    def first(_):
        with pinned():
            entered.wait()
        left.wait()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(first, 0)
        with pinned():
            entered.wait()
            left.wait()
            assert blas() == {1}
        done.result()
    assert blas() == two


def test_any_thread_may_set_a_limit_afterwards(two):
    with pinned():
        pass
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: (threadpool_limits(1), blas())[1]).result() == {1}


def test_products_have_the_bits_of_one_thread(two):
    rng = np.random.default_rng(0)
    Y, E = rng.random((60, 2560), np.float32), rng.random((32, 60), np.float32)

    def work(_):
        with pinned():
            return E @ Y

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(work, range(4)))
    with threadpool_limits(1):
        alone = E @ Y
    assert all(np.array_equal(product, alone) for product in found)


def test_every_tile_of_a_product_is_pinned(two):
    registry((FAKES / "again.py",))
    try:
        with dask.config.set(scheduler="threads", num_workers=2):
            product = hsgeo.unmix(make_scene(40, 40), stages=STAGES, tile=20).compute()
    finally:
        reset()
    assert np.unique(product["blas"].values).tolist() == [1]

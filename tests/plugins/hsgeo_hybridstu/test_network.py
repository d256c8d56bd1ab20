"""The network treats endmembers as a set, starts at the closed form and ends on the simplex."""

import hashlib

import numpy as np
import pytest
import torch
from hsgeo_hybridstu.features import features
from hsgeo_hybridstu.kernel import corrected
from hsgeo_hybridstu.learning import ZeroTask
from hsgeo_hybridstu.network import ARCHITECTURE, HybridSTU
from hsgeo_hybridstu.trainer import SIZES
from hsgeo_hybridstu.weights import NETWORK

from hsgeo.nn import load_weights
from hsgeo.nn.simplex import onto_simplex
from hsgeo.plugin import shipped_weights
from hsgeo.spectra.simplex import project_simplex
from hsgeo.spectra.solvers.estimate import mixing
from tests.plugins.hsgeo_hybridstu.small import CONFIG, small_network
from tests.plugins.hsgeo_hybridstu.test_features import bands, window


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shipped():
    return NETWORK.first(None)[0]


def answer(network, Y, wavelength, mix):
    with torch.inference_mode():
        return onto_simplex(corrected(network, [features(Y, wavelength, mix)], "cpu"))[0].numpy()


def test_the_shipped_weights_are_small_and_have_their_card():
    path = shipped_weights(NETWORK.shipped)
    assert path.stat().st_size <= 5_000_000
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sha256 in path.with_suffix(".md").read_text(encoding="utf-8")


def test_the_shipped_weights_come_from_the_trainer_that_is_here():
    card = load_weights(shipped_weights(NETWORK.shipped), architecture=ARCHITECTURE).card
    task = ZeroTask(seed=card["seed"], config=SIZES["full"])
    assert card["finished"]
    assert (card["config"], card["data"]) == (task.config, task.data)
    assert f"--budget {card['steps']}steps" in card["command"]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_projection_is_the_exact_one(count):
    a = np.random.default_rng(count).normal(0.3, 1, (2, count, 5, 6)).astype(np.float32)
    found = onto_simplex(torch.from_numpy(a)).numpy()
    np.testing.assert_allclose(found, project_simplex(a, axis=1), atol=2e-6)
    assert (found == 0).any()


@pytest.mark.parametrize("make", ["shipped", "random"])
def test_permuted_endmembers_give_permuted_abundances(make, shipped):
    network = shipped if make == "shipped" else small_network()
    wavelength = bands("prisma")[::3]
    Y, mix = window(wavelength, 5, noise=0.02)
    order = np.array([3, 0, 4, 1, 2])
    first = answer(network, Y, wavelength, mix)
    second = answer(network, Y, wavelength, mixing(mix.E[:, order], mix.noise, peak=False))
    np.testing.assert_allclose(second, first[order], atol=1e-5)
    assert np.abs(first - features(Y, wavelength, mix).closed).max() > 1e-3  # there was something to permute


@pytest.mark.parametrize(
    ("name", "count"),
    [("prisma", 2), ("enmap", 3), ("emit", 5), ("desis", 8), ("vnir64", 12)]
    + [("vnir64", count) for count in (4, 6, 7, 9, 10, 11)],
)
def test_the_same_weights_for_every_sensor_and_number(name, count, shipped):
    wavelength = bands(name)
    Y, mix = window(wavelength, count)
    found = answer(shipped, Y, wavelength, mix)
    assert found.shape == (count, *Y.shape[1:])
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_without_noise_it_is_the_closed_form():
    wavelength = bands("vnir64")
    Y, mix = window(wavelength, 3, noise=0)
    found = answer(small_network(), Y, wavelength, mix)
    np.testing.assert_allclose(found, features(Y, wavelength, mix).closed, atol=1e-6)


def test_untrained_it_is_the_closed_form():
    wavelength = bands("vnir64")
    Y, mix = window(wavelength, 3)
    np.testing.assert_allclose(
        answer(HybridSTU(**CONFIG), Y, wavelength, mix), features(Y, wavelength, mix).closed, atol=1e-6
    )

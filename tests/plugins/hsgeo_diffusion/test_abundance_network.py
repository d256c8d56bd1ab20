"""The network treats endmembers as a set, starts at the first guess and ends on the simplex."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hsgeo_diffusion.abundance.conditions import CONDITIONS, conditions
from hsgeo_diffusion.abundance.examples import example, turned
from hsgeo_diffusion.abundance.learning import AbundanceTask, start_from
from hsgeo_diffusion.abundance.network import HIGHEST, ResUNet2D, denoised
from hsgeo_diffusion.abundance.refine import posterior_mean, posterior_samples
from hsgeo_diffusion.abundance.smooth import smoother
from hsgeo_diffusion.abundance.trainer import SIZES
from hsgeo_hybridstu.features import features
from hsgeo_hybridstu.kernel import corrected
from hsgeo_hybridstu.weights import NETWORK as HYBRIDSTU

from hsgeo.nn.simplex import onto_simplex
from hsgeo.plugin import shipped_weights
from hsgeo.spectra.solvers.estimate import mixing
from tests.plugins.hsgeo_diffusion.small import CONFIG, small_network
from tests.plugins.hsgeo_hybridstu.test_features import bands, window


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def told(Y, wavelength, mix, first=None):
    return conditions(Y, wavelength, mix, smoother(mix), first)


@pytest.mark.parametrize("peak", [False, True])
def test_conditions_are_finite_and_say_nothing_of_missing_pixels(peak):
    wavelength = bands("vnir64")
    Y, mix = window(wavelength, 4, noise=0.02)
    mix = mixing(mix.E, mix.noise, peak=peak)
    Y = Y.copy()
    Y[:, 3, 4], Y[5, 6, 7] = np.nan, np.nan
    c = told(Y, wavelength, mix)
    assert c.maps.shape == (4, CONDITIONS, *Y.shape[1:])
    assert np.isfinite(c.maps).all()
    assert not c.valid[3, 4]
    assert c.valid[6, 7]
    assert not c.maps[:, :, 3, 4].any()


@pytest.mark.parametrize("turns", [1, 8])
def test_permuted_endmembers_give_permuted_abundances(turns):
    network, wavelength = small_network(), bands("prisma")[::3]
    Y, mix = window(wavelength, 5, noise=0.02)
    order = np.array([3, 0, 4, 1, 2])
    first = posterior_mean(network, [told(Y, wavelength, mix)], turns=turns)[0]
    turned_mix = mixing(mix.E[:, order], mix.noise, peak=False)
    second = posterior_mean(network, [told(Y, wavelength, turned_mix)], turns=turns)[0]
    np.testing.assert_allclose(second, first[order], atol=2e-5)
    assert np.abs(first - told(Y, wavelength, mix).closed).max() > 1e-3  # there was something to permute


def test_eight_turns_make_the_answer_turn_with_the_scene():
    network, wavelength = small_network(), bands("vnir64")
    Y, mix = window(wavelength, 3, noise=0.02)
    c = told(Y, wavelength, mix)
    aside = replace(
        c, **{name: np.rot90(getattr(c, name), axes=(-2, -1)).copy() for name in ("maps", "volume", "closed", "reach")}
    )
    straight, found = (posterior_mean(network, [x], turns=8)[0] for x in (c, aside))
    np.testing.assert_allclose(found, np.rot90(straight, axes=(1, 2)), atol=2e-5)


def test_untrained_it_is_the_closed_form():
    wavelength = bands("vnir64")
    Y, mix = window(wavelength, 3, noise=0.02)
    network = ResUNet2D(**CONFIG)
    c = told(Y, wavelength, mix)
    np.testing.assert_allclose(posterior_mean(network, [c])[0], c.closed, atol=1e-6)


def test_training_starts_at_hybridstu():
    with torch.random.fork_rng(devices=[]):
        network = ResUNet2D(**SIZES["full"])
    start_from(network, shipped_weights("hybridstu-zero"))
    wavelength = bands("prisma")[::3]
    Y, mix = window(wavelength, 4, noise=0.02)
    with torch.inference_mode():
        there = corrected(HYBRIDSTU.first(None)[0], [features(Y, wavelength, mix)], "cpu")
        there = onto_simplex(there)[0].numpy()
    np.testing.assert_allclose(posterior_mean(network, [told(Y, wavelength, mix)])[0], there, atol=1e-5)


def test_without_noise_it_is_the_closed_form():
    wavelength = bands("vnir64")
    Y, mix = window(wavelength, 3, noise=0)
    c = told(Y, wavelength, mix)
    np.testing.assert_allclose(posterior_mean(small_network(), [c])[0], c.closed, atol=1e-6)


def test_samples_differ_lie_on_the_simplex_and_vanish_with_the_noise():
    wavelength, network = bands("vnir64"), small_network()

    def draws(noise):
        Y, mix = window(wavelength, 3, noise=noise)
        c = told(Y, wavelength, mix)
        rngs = [np.random.default_rng(s) for s in (1, 2)]
        return [
            posterior_samples(
                network, [c], noise=[lambda step, r=r: r.standard_normal(c.closed.shape, np.float32)], steps=3
            )[0]
            for r in rngs
        ]

    one, two = draws(0.02)
    assert np.abs(one - two).max() > 1e-2
    for sample in (one, two):
        assert (sample >= 0).all()
        np.testing.assert_allclose(sample.sum(axis=0), 1, atol=1e-5)
    one, two = draws(0)
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_nothing_of_the_state_is_told_at_the_highest_level():
    network = small_network()
    wavelength = bands("vnir64")
    Y, mix = window(wavelength, 3, noise=0.02)
    c = told(Y, wavelength, mix)
    told_of = [torch.from_numpy(a)[None] for a in (c.maps, c.volume, c.correlation)]
    sigma = torch.tensor([HIGHEST])
    x = torch.randn(1, 3, *Y.shape[1:])
    with torch.inference_mode():
        first = denoised(network, x, sigma, *told_of)
        second = denoised(network, 5 * x, sigma, *told_of)
    assert torch.equal(first, second)


def test_an_example_is_the_same_whenever_it_is_made_and_turns_as_a_whole():
    first, second = (example(0, 32, 3, 5, first=None) for _ in range(2))
    for name in ("maps", "volume", "closed", "reach", "valid", "target"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for way in range(8):
        y = turned(first, way)
        where = np.unravel_index(np.argmax(y.closed[0]), y.closed[0].shape)
        assert y.target[0][where] in first.target[0]


def test_a_batch_depends_on_seed_and_step_alone():
    straight, again = (AbundanceTask(channels=3, config=SIZES["small"]) for _ in range(2))
    for step in (0, 1, 2):
        straight.batch(step)
    one, two = straight.batch(3), again.batch(3)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_untrained_network_is_as_good_as_the_closed_form():
    task = AbundanceTask(channels=3, config=SIZES["small"])
    with torch.random.fork_rng(devices=[]):
        network = task.build()
    batch = task.batch(0)
    batch["sigma"] = torch.full_like(batch["sigma"], HIGHEST)
    loss, terms = task.loss(network, batch)
    assert abs(float(loss.detach())) < 1e-2  # float16 examples
    assert abs(terms["ratio"] - 1) < 1e-2

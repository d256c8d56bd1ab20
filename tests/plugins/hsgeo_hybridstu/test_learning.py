"""What the network learns from."""

import numpy as np
import torch
from hsgeo_hybridstu.examples import example, turned
from hsgeo_hybridstu.learning import ZeroTask
from hsgeo_hybridstu.trainer import SIZES


def test_an_example_is_the_same_whenever_it_is_made():
    first, second = example(0, 32, 3, 5), example(0, 32, 3, 5)
    for name in ("maps", "volume", "closed", "reach", "valid", "target"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert np.isfinite(first.maps).all()
    assert np.isfinite(first.volume).all()


def test_without_noise_the_target_is_the_input():
    x = example(0, 32, 4, 1, snr=150.0)
    at = x.valid
    np.testing.assert_allclose(x.closed[:, at].astype(float), x.target[:, at].astype(float), atol=2e-3)
    assert x.reach.max() < 1e-3


def test_turning_turns_all_alike():
    x = example(0, 32, 3, 2)
    for way in range(8):
        y = turned(x, way)
        assert y.maps[0, 0].sum(dtype=float) == x.maps[0, 0].sum(dtype=float)
        where = np.unravel_index(np.argmax(y.closed[0]), y.closed[0].shape)
        assert y.target[0][where] in x.target[0]


def test_a_batch_depends_on_seed_and_step_alone():
    straight, again = ZeroTask(channels=3, config=SIZES["small"]), ZeroTask(channels=3, config=SIZES["small"])
    for step in (0, 1, 2):
        straight.batch(step)
    one, two = straight.batch(3), again.batch(3)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_loss_of_the_untrained_network_is_that_of_the_closed_form():
    task = ZeroTask(channels=3, config=SIZES["small"])
    with torch.random.fork_rng(devices=[]):
        network = task.build()
    loss, terms = task.loss(network, task.batch(0))
    assert abs(float(loss.detach())) < 1e-2  # float16 examples
    assert abs(terms["ratio"] - 1) < 1e-2

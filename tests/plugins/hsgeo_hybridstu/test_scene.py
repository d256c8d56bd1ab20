"""The mode scene: what it learns, what it leaves alone, and that it is not believed without evidence."""

import numpy as np
import pytest
import torch
from hsgeo_hybridstu.config import HybridstuOptions
from hsgeo_hybridstu.network import HybridSTU
from hsgeo_hybridstu.scene import _Judge, _splits, fit_scene
from hsgeo_hybridstu.scene_network import beginning, packed, unpacked
from hsgeo_hybridstu.tokens import TOKENS, scene_tokens, tokens_of

from hsgeo.spectra.solvers.estimate import mixing
from hsgeo.synthetic import Effects, observe, random_field, random_spectra

WAVELENGTH = np.linspace(420, 2400, 40)


@pytest.fixture(scope="module")
def network():
    """A network that corrects nothing: what the fit finds is its own."""
    with torch.random.fork_rng(devices=[]):
        return HybridSTU(widths=[4, 4, 4], volume_widths=[2, 2]).eval().requires_grad_(False)


def scene_of(snr_db, seed=3):
    rng = np.random.default_rng(seed)
    E = random_spectra(rng, 3, WAVELENGTH)
    A = random_field(rng, 64, 64, 3, kind="voronoi")
    seen = observe(rng, E, A, effects=Effects(snr_db=snr_db), wavelength=WAVELENGTH)
    return seen.spectra[None], A, mixing(E, np.maximum(seen.noise_std, 1e-9), peak=False)


def fit(network, snr_db, labels=None, **options):
    patches, A, mix = scene_of(snr_db)
    options = HybridstuOptions(mode="scene", **{"steps": 30} | options)
    rng = np.random.default_rng(0)
    return fit_scene(patches, WAVELENGTH, mix, network, options=options, rng=rng, labels=labels), A, mix


def test_noise_is_reason_to_learn_and_the_held_out_pairs_see_it(network):
    found, _, _ = fit(network, 8.0)
    assert found.strength > 0
    assert found.after < found.before - 0.005


def test_without_noise_there_is_nothing_to_learn(network):
    found, _, mix = fit(network, np.inf)
    assert (found.steps, found.strength) == (0, 0.0)
    np.testing.assert_array_equal(found.endmembers, mix.E)


def test_the_same_seed_gives_the_same_weights(network):
    first, second = (fit(network, 10.0, steps=4)[0] for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)


def test_refined_endmembers_move_a_little_and_stay_positive(network):
    found, _, mix = fit(network, 10.0, endmembers="refine")
    if found.strength:
        change = np.abs(found.endmembers / mix.E - 1)
        assert 0 < change.max() < 0.1
    assert found.endmembers.min() >= 0


def test_a_wrong_label_costs_more_than_a_right_one(network):
    patches, A, mix = scene_of(10.0)
    groups = (tokens_of(WAVELENGTH) / patches.mean()).astype(np.float32)
    costs = []
    for shift in (0, 1):
        label = np.where(A.max(axis=0) > 0.99, (A.argmax(axis=0) + shift) % 3, -1)[None]
        rng = np.random.default_rng(0)
        splits = _splits(patches, WAVELENGTH, mix, network, groups=groups, rng=rng, labels=label)
        E = torch.from_numpy(mix.E.astype(np.float32))
        with torch.inference_mode():
            costs.append(float(_Judge(mix).loss(beginning(3, seed=0), splits[:1], E)))
    assert costs[1] > costs[0] + 0.5


@pytest.mark.parametrize("peak", [False, True])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_misfit_of_the_truth_is_where_the_fit_stops(network, peak, spread):
    rng = np.random.default_rng(5)
    E = random_spectra(rng, 3, WAVELENGTH)
    A = random_field(rng, 64, 64, 3, kind="voronoi")
    seen = observe(rng, E, A, effects=Effects(snr_db=20.0, noise_spread=spread), wavelength=WAVELENGTH)
    mix = mixing(E, seen.noise_std, peak=peak)
    groups = tokens_of(WAVELENGTH)
    splits = _splits(seen.spectra[None], WAVELENGTH, mix, network, groups=groups, rng=rng, labels=None)
    judge, truth, E32 = _Judge(mix), torch.from_numpy(A), torch.from_numpy(E.astype(np.float32))
    found = np.mean([float(judge.misfit(truth, s, E32)) for s in splits])
    assert found == pytest.approx(judge.least(splits, E32), abs=0.03)


def test_the_unit_of_the_data_does_not_matter(network):
    patches, _, mix = scene_of(10.0)
    small = mixing(mix.E * 1e-6, mix.noise * 1e-6, peak=False)
    options = HybridstuOptions(mode="scene", steps=3)
    a, b = (
        fit_scene(data, WAVELENGTH, m, network, options=options, rng=np.random.default_rng(0))
        for data, m in ((patches, mix), (patches * np.float32(1e-6), small))
    )
    assert (a.before, a.after) == pytest.approx((b.before, b.after), rel=1e-3)


def test_tokens_average_neighbouring_bands_in_order_of_wavelength():
    shuffled = np.array([500.0, 400.0, 700.0, 600.0])
    groups = tokens_of(shuffled)
    assert groups.shape == (TOKENS, 4)
    np.testing.assert_allclose(groups.sum(axis=1), 1, rtol=1e-6)
    assert groups[0].argmax() == 1  # the shortest wavelength comes first
    spectra = np.stack([np.full((2, 2), value, np.float32) for value in (5, 4, 7, 6)])
    valid = np.array([[True, True], [True, False]])
    tokens = scene_tokens(spectra, groups, valid)
    assert (np.diff(tokens[:, 0, 0]) >= 0).all()
    assert not tokens[:, 1, 1].any()


def test_weights_survive_being_packed():
    network = beginning(3, seed=1)
    again = unpacked(packed(network), 3)
    x = torch.randn(1, TOKENS, 8, 8, generator=torch.Generator().manual_seed(0))
    a = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(x, a, a), again(x, a, a), rtol=0, atol=0)

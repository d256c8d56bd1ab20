"""The priors of endmember spectra: operators, learned and library, and what training draws."""

import numpy as np
import pytest
import torch
from hsgeo_diffusion.endmember.deviation import settle
from hsgeo_diffusion.endmember.examples import as_unit, draw_examples
from hsgeo_diffusion.endmember.grid import GRID, sensor_of
from hsgeo_diffusion.endmember.learned import LearnedPrior, conditional
from hsgeo_diffusion.endmember.learning import EndmemberTask
from hsgeo_diffusion.endmember.library import LibraryPrior, procedural_library
from hsgeo_diffusion.endmember.network import LARGEST, SpectrumDenoiser
from hsgeo_diffusion.weights import ENDMEMBER

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.ddim import ddim
from hsgeo.spectra.metrics import sad
from hsgeo.synthetic import random_bands, random_spectra, reflectance

VNIR = np.arange(430.0, 891.0, 3.5)
SENSORS = {"vnir": (VNIR, None), "gaps": random_bands(np.random.default_rng(3))}


def noisy(E, snr, seed=0):
    std = np.sqrt((E**2).mean(axis=0)) * 10 ** (-snr / 20)
    error = np.broadcast_to(std, E.shape)
    return E + error * np.random.default_rng(seed).standard_normal(E.shape), error


def prior(kind, wavelength, fwhm):
    if kind == "learned":
        return LearnedPrior(ENDMEMBER.first(None)[0], wavelength, fwhm)
    return LibraryPrior(procedural_library(wavelength, fwhm, seed=0, count=400), wavelength)


def test_the_response_sees_and_the_grid_gathers():
    wavelength, fwhm = SENSORS["gaps"]
    sensor = sensor_of(wavelength, fwhm)
    line = 0.1 + 2e-4 * GRID
    np.testing.assert_allclose(sensor.response @ line, np.where(sensor.covered, 0.1 + 2e-4 * wavelength, 0), atol=1e-6)
    gathered = sensor.gather @ (0.1 + 2e-4 * wavelength)
    np.testing.assert_allclose(gathered[sensor.seen], line[sensor.seen], atol=2e-3)  # within 8 nm of the grid's points
    assert not gathered[~sensor.seen].any()
    one = np.zeros(len(wavelength))
    one[7] = 0.3
    np.testing.assert_allclose(sensor.noise(one), 0.3 * sensor.gather[:, 7])


def test_bands_beyond_the_grid_are_not_made_up():
    sensor = sensor_of(np.array([380.0, 600.0, 610.0, 2550.0]), np.full(4, 10.0))
    assert sensor.covered.tolist() == [False, True, True, False]
    assert not sensor.response[[0, 3]].any()
    assert GRID[sensor.seen].tolist() == [600.0, 610.0]


@pytest.mark.parametrize("kind", ["learned", "library"])
@pytest.mark.parametrize("sensor", SENSORS)
def test_a_prior_takes_noise_out_and_smoothing_does_less(kind, sensor):
    wavelength, fwhm = SENSORS[sensor]
    E = random_spectra(np.random.default_rng(11), 12, wavelength, fwhm)  # other spectra than those of the library
    y, std = noisy(E, 20)
    known = prior(kind, wavelength, fwhm)
    found = np.stack([known.settle(y[:, p], std[:, p]).mean for p in range(12)], axis=1)
    taps = np.array([1, 6, 15, 20, 15, 6, 1]) / 64
    smooth = np.stack([np.convolve(np.pad(c, 3, mode="edge"), taps, "valid") for c in y.T], axis=1)
    before, after, rival = (float(np.log(sad(x, E)).mean()) for x in (y, found, smooth))
    assert after - before < np.log(0.6)
    assert after < rival


@pytest.mark.parametrize("kind", ["learned", "library"])
def test_the_strength_goes_to_zero_with_the_noise(kind):
    wavelength, fwhm = SENSORS["gaps"]
    E = random_spectra(np.random.default_rng(12), 4, wavelength, fwhm)
    E[40] *= 1.3  # what no prior expects
    known = prior(kind, wavelength, fwhm)
    moved = []
    for snr in (30, 60, 90):
        y, std = noisy(E, snr)
        moved.append(max(float(sad(known.settle(y[:, p], std[:, p]).mean[:, None], y[:, [p]])[0]) for p in range(4)))
    assert moved[0] > 5 * moved[1] > 25 * moved[2]
    settled = known.settle(E[:, 0], np.zeros(len(E)))
    np.testing.assert_array_equal(settled.mean, E[:, 0])


def test_what_the_library_lacks_is_kept_where_there_is_little_noise():
    wavelength = np.arange(450.0, 2400.0, 15.0)
    soil, water = reflectance(["soil", "water"], wavelength, np.full(len(wavelength), 15.0)).T
    poor = LibraryPrior(water[None], wavelength)
    y, std = noisy(soil[:, None], 30)
    found = poor.settle(y[:, 0], std[:, 0])
    assert sad(found.mean[:, None], soil[:, None])[0] < sad(y, soil[:, None])[0]
    assert found.deviation > 0.1


def test_a_settled_error_is_what_it_says():
    wavelength = np.arange(450.0, 2400.0, 15.0)
    E = random_spectra(np.random.default_rng(5), 40, wavelength, np.full(len(wavelength), 15.0), least_angle=0.0)
    y, std = noisy(E, 15)
    known = LibraryPrior(procedural_library(wavelength, None, count=400), wavelength)
    settled = [known.settle(y[:, p], std[:, p]) for p in range(40)]
    z = np.stack([(s.mean - E[:, p]) / s.std for p, s in enumerate(settled)])
    assert 0.6 < np.sqrt(np.median(z**2)) / 0.6745 < 1.5


def test_dark_and_dead_spectra_have_an_answer():
    wavelength, fwhm = SENSORS["vnir"]
    for kind in ("learned", "library"):
        known = prior(kind, wavelength, fwhm)
        for y in (np.zeros(len(VNIR)), np.full(len(VNIR), 0.2), np.where(np.arange(len(VNIR)) == 9, 0.0, 0.3)):
            assert np.isfinite(known.settle(y, np.full(len(VNIR), 0.01)).mean).all()


def test_the_procedural_library_says_where_it_ends():
    with pytest.raises(ConfigError, match="350 to 2550"):
        procedural_library(np.array([8000.0, 9000.0]), None)


def test_a_state_without_information_changes_nothing():
    network = ENDMEMBER.first(None)[0]
    values, fwhm = torch.full((1, 211), 1.0), torch.full((1, 211), 10.0)
    level = torch.full((1, 211), 0.05)
    model = conditional(network)
    state = 100 * torch.randn(1, 211, generator=torch.Generator().manual_seed(0))
    cond = {"values": values, "level": level, "fwhm": fwhm}
    torch.testing.assert_close(model(state, LARGEST, cond), network(values, level, fwhm))
    blind = {**cond, "level": torch.full((1, 211), LARGEST)}
    torch.testing.assert_close(model(values, 0.05, blind), network(values, level, fwhm))
    both = model(values, 0.05, cond)  # two equal observations: one of the joint precision
    torch.testing.assert_close(both, network(values, level / 2**0.5, fwhm))


def test_posterior_samples_agree_where_bands_are_and_differ_elsewhere():
    network = ENDMEMBER.first(None)[0]
    drawn = draw_examples(np.random.default_rng(1), 1, sensor_seed=9, snr=20.0)
    many = 48
    cond = {
        "values": torch.from_numpy(drawn.x).expand(many, -1),
        "level": torch.from_numpy(np.where(GRID < 1000, drawn.level, np.float32(LARGEST))).expand(many, -1),
        "fwhm": torch.from_numpy(drawn.fwhm).expand(many, -1),
    }
    cond["values"] = torch.where(cond["level"] < LARGEST, cond["values"], torch.tensor(0.9))
    start = LARGEST * torch.randn(many, 211, generator=torch.Generator().manual_seed(0))
    samples = ddim(conditional(network), start, levels=[LARGEST, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.0], cond=cond)
    mean = network(cond["values"][:1], cond["level"][:1], cond["fwhm"][:1])[0].detach().numpy()
    spread = samples.std(dim=0).numpy()
    seen = (drawn.seen[0] > 0) & (GRID < 1000)
    assert spread[seen].mean() < 0.2 * spread[GRID > 1100].mean()
    assert np.abs(samples.mean(dim=0).numpy() - mean)[seen].mean() < 2 * drawn.level[0, seen].mean()


def test_the_size_of_a_spectrum_is_told_without_its_noise():
    rng = np.random.default_rng(0)
    clean = 0.3 + 0.1 * np.sin(GRID / 100)
    seen = GRID < 1000
    std = np.full(len(GRID), 0.2)
    noisy_ones = clean + std * rng.standard_normal((2000, len(GRID)))
    told = as_unit(noisy_ones, std[None], seen)
    assert np.sqrt(np.mean(told**2)) == pytest.approx(np.sqrt(np.mean(clean[seen] ** 2)), rel=0.01)


def test_examples_have_the_noise_they_say():
    drawn = draw_examples(np.random.default_rng(0), 200, sensor_seed=4, snr=15.0)
    seen = drawn.seen[0] > 0
    z = (drawn.x - drawn.target)[:, seen] / drawn.level[:, seen]
    assert np.median(np.abs(z)) / 0.6745 == pytest.approx(1, abs=0.15)  # bands off the grid's points add a little
    assert (drawn.level[:, ~seen] == np.float32(LARGEST)).all()


def test_batches_are_the_same_again_and_training_learns():
    task = EndmemberTask(seed=3, sensors=1, spectra=8, config={"widths": [8, 8, 16], "kernel": 3})
    first, again, other = task.batch(5), task.batch(5), task.batch(6)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not torch.equal(first["x"], other["x"])
    torch.manual_seed(0)
    module = task.build()
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss, _ = task.loss(module, first)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_the_network_begins_as_the_closed_form():
    torch.manual_seed(0)
    module = SpectrumDenoiser(widths=(8, 8, 16), kernel=3)
    x, level, fwhm = torch.randn(2, 211), torch.full((2, 211), 0.5), torch.full((2, 211), 10.0)
    torch.testing.assert_close(module(x, level, fwhm), 0.9 + 0.5 * (x - 0.9))  # Wiener, at noise as large as spectra


def test_settle_without_a_signal():
    assert not settle(np.zeros(5), np.ones(5), np.ones((1, 5)), np.arange(500.0, 550.0, 10.0)).mean.any()

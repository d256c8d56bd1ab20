"""Bands noisier than others and offsets of columns: taken out where they are, nothing done where they are not."""

from pathlib import Path

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.scenes import load_scene
from hsgeo.evaluation.noise.corrupt import corrupt
from hsgeo.spectra.calibrated import calibrated_noise
from hsgeo.spectra.solvers import solve_vector_tv, vector_tv_model
from hsgeo.spectra.solvers.stein import coordinates_of
from hsgeo.spectra.structured import column_offsets, weights_of
from hsgeo.synthetic import Effects, observe, random_field, random_spectra

BANDS, SIZE = 60, 96
NM = np.linspace(420, 2400, BANDS)


def rmse(a, b):
    return float(np.sqrt(np.nanmean((a - b) ** 2)))


def flat_image(seed, channels=3):
    rng = np.random.default_rng(seed)
    ground = 40 * np.moveaxis(np.asarray(random_field(rng, SIZE, SIZE, channels, kind="flat")), 0, -1)
    return ground + rng.standard_normal((SIZE, SIZE, channels)), rng


def test_offsets_of_columns_are_found_and_of_rows_are_not():
    image, rng = flat_image(0)
    there = np.ones((SIZE, SIZE), bool)
    assert not column_offsets(image, there).any()
    true = rng.standard_normal((SIZE, 3))
    true -= true.mean(axis=0)
    found = column_offsets(image + true, there)
    assert rmse(found[1:-1], true[1:-1]) < 0.35
    assert not found[[0, -1]].any()  # no neighbour at one side
    assert not column_offsets(image + true[:, None], there).any()  # along the other direction
    turned = column_offsets(np.swapaxes(image + true[:, None], 0, 1), there)
    assert rmse(turned[1:-1], true[1:-1]) < 0.35


def test_pixels_that_are_missing_say_nothing():
    image, rng = flat_image(1)
    true = rng.standard_normal((SIZE, 3))
    image += true
    there = rng.random((SIZE, SIZE)) > 0.1
    there[:, 40], there[60:, 20] = False, False
    whole = column_offsets(image, there)
    image[~there] = np.where(rng.random((SIZE, SIZE, 3)) < 0.5, np.nan, 1e9)[~there]
    np.testing.assert_array_equal(column_offsets(image, there), whole)
    assert rmse(whole[there.any(axis=0)], (true - true.mean(axis=0))[there.any(axis=0)]) < 0.35
    assert not whole[40].any()
    assert not column_offsets(np.full((SIZE, SIZE, 2), np.nan), there).any()
    assert not column_offsets(np.zeros((SIZE, SIZE, 2)), there).any()
    assert not column_offsets(image[:20], there[:20]).any()
    assert column_offsets(np.zeros((SIZE, SIZE, 0)), there).shape == (SIZE, 0)


def in_coordinates(Y, E, *, peak):
    model = vector_tv_model(E, calibrated_noise(Y.reshape(len(Y), -1).T), peak=peak)
    return coordinates_of(Y, model), model


@pytest.mark.parametrize("snr", [np.inf, 30.0, 10.0])
@pytest.mark.parametrize(("name", "peak"), [("samson-zhu", True), ("samson-rasti", False), ("jasper-zhu", True)])
def test_scenes_without_stripes_are_untouched(data_dir, name, peak, snr):
    scene = load_scene(name, Path(data_dir))
    Y = np.moveaxis(corrupt(scene.image, "white", snr_db=snr, seed=77, name=scene.cube), -1, 0)
    E = scene.E / scene.E.max(axis=0) if peak else scene.E
    C, _ = in_coordinates(np.ascontiguousarray(Y), E, peak=peak)
    there = np.isfinite(C[..., 0])
    assert not column_offsets(C, there).any()
    assert not column_offsets(np.swapaxes(C, 0, 1), there.T).any()


def test_abundances_get_better_without_stripes():
    rng = np.random.default_rng(3)
    E = random_spectra(rng, 4, NM).astype(np.float64)
    A = np.asarray(random_field(rng, SIZE, SIZE, 4, kind="flat"))
    image = np.moveaxis(observe(rng, E, A, wavelength=NM).clean, 0, -1)
    Y = np.ascontiguousarray(np.moveaxis(corrupt(image, "striped", snr_db=20, seed=0), -1, 0))
    C, model = in_coordinates(Y, E, peak=False)
    offsets = column_offsets(C, np.isfinite(C[..., 0]))
    better = (Y - np.einsum("bc,xc->bx", model.colour, offsets)[:, None]).astype(np.float32)
    before, after = (rmse(solve_vector_tv(y, model, weight=1.0)[0], A) for y in (Y, better))
    assert after < 0.75 * before


def test_white_noise_and_none_keep_their_weights():
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(weights_of(0.02 * np.exp(0.05 * rng.standard_normal(100))), 1)
    loud = np.r_[np.full(9, 0.01), 0.1]
    np.testing.assert_allclose(weights_of(loud), [1] * 9 + [0.125])
    assert weights_of(loud / 1e3, size=0.3)[-1] > 0.999  # next to no noise, beside what no mixture explains
    assert (np.diff([weights_of(loud, size=s)[-1] for s in (0, 0.3, 1, 3)]) > 0).all()


@pytest.mark.parametrize("peak", [False, True])
def test_loud_bands_are_listened_to_less(peak):
    ratios = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        E = random_spectra(rng, 4, NM).astype(np.float64)
        A = np.asarray(random_field(rng, 48, 48, 4))
        seen = observe(rng, E, A, wavelength=NM, effects=Effects(snr_db=15, noise_spread=1.0, model_error=0.02))
        noise = calibrated_noise(seen.spectra.reshape(BANDS, -1).T)
        size = float(np.sqrt(np.mean(np.square(seen.spectra))))
        weights = weights_of(noise, size=size)
        truth = solve_vector_tv(seen.clean, vector_tv_model(E, 1.0, peak=peak), weight=0.0)[0]
        errors = []
        for w in (np.ones(BANDS), weights):
            model = vector_tv_model(E * w[:, None], noise * w, peak=peak)
            Y = (seen.spectra * w[:, None, None]).astype(np.float32)
            errors.append(rmse(solve_vector_tv(Y, model, weight=0.7)[0], truth))
        ratios.append(errors[1] / errors[0])
    assert np.exp(np.mean(np.log(ratios))) < 0.9
    assert max(ratios) < 1.0


def test_what_does_not_fit_is_said():
    there = np.ones((4, 4), bool)
    for call in (
        lambda: column_offsets(np.zeros((4, 4)), there),
        lambda: column_offsets(np.zeros((4, 5, 2)), there),
        lambda: weights_of(np.array([])),
        lambda: weights_of(np.array([0.1, 0.0])),
        lambda: weights_of(np.array([0.1, np.nan])),
        lambda: weights_of(np.array([0.1]), size=-1),
    ):
        with pytest.raises(ConfigError):
            call()

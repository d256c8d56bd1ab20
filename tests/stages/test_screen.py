"""The screen: what it takes out, what it leaves, and that faults do not move the endmembers."""

import numpy as np
import pytest
from hsgeo_classical.extraction.archetypes import extract_archetypes
from hsgeo_classical.sample import Pixels

from hsgeo.spectra.metrics import match, msad
from hsgeo.stages.screen import screen
from hsgeo.synthetic import synthetic_scene

GROUND = ("green-vegetation", "dry-vegetation", "soil", "water", "concrete", "roof-tile")


def matrix(names=GROUND, seed=0, snr_db=35.0, **faults):
    made = synthetic_scene(100, 120, names=names, seed=seed, snr_db=snr_db, crs=None, **faults)
    Y = made.scene["spectra"].values
    return Y.reshape(Y.shape[0], -1), made.scene["wavelength"].values, made


def mean_angle(Y, keep, E):
    index = np.arange(Y.shape[1], dtype=np.uint64)[keep]
    found = extract_archetypes(Pixels(np.ascontiguousarray(Y[:, keep]), index), E.shape[1]).E
    return msad(found[:, match(found, E).order], E)


@pytest.mark.parametrize("transparent", [0.0, 0.3])
def test_cloud_and_saturation_hardly_move_the_endmembers(transparent):
    """10 % cloud, flat and bright and of random transparency, and 0.1 % saturated: mean angle up by less than 10 %."""
    before, after = [], []
    for seed in range(4):
        Y, wavelength, made = matrix(GROUND[:4], seed)
        E = made.endmembers.values.T.astype(float)
        before.append(mean_angle(Y, screen(Y, wavelength, "reflectance")[0], E))
        rng = np.random.default_rng(seed)
        pixels = Y.shape[1]
        cloudy = rng.permutation(pixels)[: pixels // 10]
        thick = rng.uniform(transparent, 1, cloudy.size).astype(np.float32)
        Y = Y.copy()
        Y[:, cloudy] = (1 - thick) * Y[:, cloudy] + thick * rng.uniform(0.5, 0.9, cloudy.size).astype(np.float32)
        Y[:, rng.permutation(pixels)[: pixels // 1000]] = 1.0
        keep, report = screen(Y, wavelength, "reflectance")
        assert report["saturated"] == pixels // 1000
        assert not keep[cloudy[thick > 0.7]].any()
        after.append(mean_angle(Y, keep, E))
    assert np.mean(after) < 1.1 * np.mean(before)


def test_the_scene_model_s_own_clouds():
    Y, wavelength, made = matrix(cloud=0.1, saturated=0.001)
    keep, _ = screen(Y, wavelength, "reflectance")
    cloud, saturated = (made.truth[name].values.ravel() for name in ("cloud", "saturated"))
    assert not keep[saturated].any()
    assert keep[cloud].mean() < 0.1
    assert keep[~cloud & ~saturated].mean() > 0.995


def test_copies_of_one_spectrum_are_not_saturated():
    Y, wavelength, _ = matrix(snr_db=np.inf)
    brightest = int(Y[60].argmax())
    Y[:, 100:140] = Y[:, [brightest]]
    _, report = screen(Y, wavelength, "reflectance")
    assert report["saturated"] == 0


def test_the_screen_can_be_left_off():
    Y, wavelength, _ = matrix(cloud=0.1, saturated=0.001)
    keep, report = screen(Y, wavelength, "reflectance", faults=False)
    assert keep.all()
    assert not any(report.values())


@pytest.mark.parametrize("bands", [slice(None), slice(0, 61)])
def test_clear_scenes_are_left_alone(bands):
    Y, wavelength, _ = matrix()
    keep, report = screen(Y[bands], wavelength[bands], "reflectance")
    assert keep.all(), report


@pytest.mark.parametrize("bands", [slice(None), slice(0, 61)])
@pytest.mark.parametrize("names", [("snow", "soil", "water"), ("calcite", "kaolinite", "soil")])
def test_bright_scenes_are_not_thrown_away(names, bands):
    Y, wavelength, _ = matrix(names)
    keep, report = screen(Y[bands], wavelength[bands], "reflectance")
    assert keep.mean() > 0.95, report


def test_a_scene_of_cloud_is_kept_and_said():
    Y = np.random.default_rng(0).uniform(0.5, 0.9, 500) * np.ones((50, 1)) + 0.001
    Y += np.random.default_rng(1).normal(0, 0.002, Y.shape)
    keep, report = screen(Y.astype(np.float32), np.linspace(400, 2400, 50), "reflectance")
    assert keep.mean() > 0.9
    assert report["cloud_kept"] == 500


def test_corrupt_pixels_go_and_rare_materials_stay():
    Y, wavelength, _ = matrix(GROUND[:3])
    rng = np.random.default_rng(0)
    Y = Y.copy()
    rare = rng.choice(Y.shape[1], 12, replace=False)  # 0.1 % of an unseen material
    Y[:, rare] = (0.1 + 0.5 * np.exp(-0.5 * ((wavelength[:, None] - 1000) / 60) ** 2)) * rng.uniform(0.9, 1.1, 12)
    corrupt = np.setdiff1d(rng.choice(Y.shape[1], 20, replace=False), rare)
    Y[:, corrupt] = rng.uniform(0, 0.9, (Y.shape[0], corrupt.size))
    keep, report = screen(Y, wavelength, "reflectance")
    assert not keep[corrupt].any()
    assert keep[rare].all()
    assert report["outlier"] <= corrupt.size + 2


def test_non_finite_and_clipped():
    Y, wavelength, _ = matrix(GROUND[:3])
    Y = Y.copy()
    Y[:20, 0], Y[3, 1], Y[7, 2] = np.nan, np.inf, np.nan
    Y[:, 10:40] = np.maximum(Y[:, 10:40], 0.62)  # a detector that ends at 0.62
    keep, report = screen(Y, wavelength, "reflectance")
    assert keep[:3].tolist() == [False, False, True]  # one missing band is a partial pixel, and stays
    assert report["non_finite"] == 2
    assert not keep[10:40].any()
    level, _ = screen(Y, wavelength, "radiance", saturation=0.62)
    assert not level[10:40].any()


@pytest.mark.parametrize("pixels", [0, 1, 2, 30])
def test_tiny_and_constant_samples_pass(pixels):
    keep, _ = screen(np.full((9, pixels), 0.2, np.float32), np.linspace(400, 1000, 9), "reflectance")
    assert keep.all()

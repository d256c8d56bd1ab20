"""Column stripes: planted ones go, scenes without any stay as they are."""

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.spectra.stripes import (
    column_sums,
    correct_columns,
    find_stripes,
    frame_sums,
    stripe_frame,
    stripes_of,
)
from hsgeo.synthetic import synthetic_scene

ROWS, COLS = 300, 200


@pytest.fixture(scope="module")
def scene():
    """A landscape with roads, parcels and a river, 211 bands at 40 dB; columns 60 to 80 are one field from top to
    bottom."""
    made = synthetic_scene(ROWS, COLS, snr_db=40, seed=3, crs=None)
    image = np.moveaxis(made.scene["spectra"].values, 0, 2).astype(float)
    E, A = made.endmembers.values, np.moveaxis(made.abundance.values, 0, 2)
    noise = float(np.std(image - A @ E))
    image[:, 60:80] += E[2] - A[:, 60:80] @ E
    return image, noise


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def destriped(image, **options):
    stripes = find_stripes(image, **options)
    rows, cols, bands = image.shape
    out = correct_columns(image.reshape(-1, bands).T, stripes, col=np.tile(np.arange(cols), rows))
    return out.T.reshape(image.shape), stripes


@pytest.mark.parametrize(("gain", "offset"), [(0.01, 0.0), (0.02, 0.005)])
def test_planted_stripes_go(scene, gain, offset):
    """Left of the stripes' rms: 0.19 and 0.18. Six of 211 dimensions are the scene's: 0.17."""
    image, _ = scene
    rng = np.random.default_rng(0)
    striped = image * (1 + gain * rng.normal(size=(COLS, 211))) + offset * rng.normal(size=(COLS, 211))
    striped[40:60, 10:90] = np.nan
    striped[5, 7, 3] = np.nan
    found, _ = destriped(striped)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(striped))
    seen = np.isfinite(striped)
    assert rms((found - image)[seen]) < 0.2 * rms((striped - image)[seen])


def test_a_scene_without_stripes_stays(scene):
    """Not one band is touched; a field from top to bottom is nothing that a subspace would not hold."""
    image, noise = scene
    found, stripes = destriped(image)
    assert rms(found - image) < 0.02 * noise
    assert ((stripes.offset == 0) & (stripes.gain == 0)).all(axis=1).mean() > 0.95


@pytest.mark.parametrize("name", ["samson", "jasper_ridge"])
def test_real_scenes_without_stripes_stay(data_dir, name):
    """Real variability does not fit a few directions; it goes on from column to column, as stripes do not."""
    with np.load(data_dir / "unmixing" / f"{name}.npz") as cube:
        image = cube["image"] / np.float32(cube["scale"])
    stripes = find_stripes(image)
    assert ((stripes.offset == 0) & (stripes.gain == 0)).all(axis=1).mean() > 0.97


def test_wild_pixels_and_dead_columns_do_no_harm(scene):
    image, noise = scene
    rng = np.random.default_rng(1)
    wild = image.copy()
    wild[rng.random(image.shape[:2]) < 0.002] = rng.uniform(0, 3, 211)  # saturated, glint, another world
    wild[:, 33] = np.nan
    found, stripes = destriped(wild)
    assert np.isfinite(stripes.offset).all()
    ordinary = np.isfinite(wild).all(axis=2) & (np.abs(wild - image).max(axis=2) == 0)
    assert rms((found - image)[ordinary]) < 0.1 * noise


def test_blocks_add_up(scene):
    image, _ = scene
    image = image[:100, :, ::4] * (1 + 0.02 * np.random.default_rng(0).normal(size=(COLS, 53)))
    parts = image[:37], image[37:]
    pieces = frame_sums(parts[0]), frame_sums(parts[1], row=37)
    frame = stripe_frame(*(sum(values) for values in zip(*pieces, strict=True)))
    sums = column_sums(parts[0], frame) + column_sums(parts[1], frame, row=37)
    joined, whole = stripes_of(sums, frame), find_stripes(image)
    np.testing.assert_allclose(joined.offset, whole.offset, atol=1e-8)
    np.testing.assert_allclose(joined.gain, whole.gain, atol=1e-8)
    assert (stripes_of(sums, frame, gain=False).gain == 0).all()
    assert np.abs(whole.gain).max() > 0.01


@pytest.mark.parametrize(
    "image",
    [
        np.full((5, 6, 4), np.nan),
        np.full((30, 40, 20), 0.3),
        np.zeros((30, 40, 20)),
        np.random.default_rng(0).random((1, 1, 1)),
        np.random.default_rng(0).random((9, 4, 30)),
    ],
)
def test_nothing_to_tell_is_nothing_to_correct(image):
    found, stripes = destriped(image)
    assert (stripes.offset == 0).all()
    np.testing.assert_allclose(found, image, atol=1e-6)


def test_what_cannot_be_done_is_said(scene):
    image = scene[0][:20, :30, ::20]
    stripes = find_stripes(image)
    frame = stripe_frame(*frame_sums(image))
    for call in (
        lambda: find_stripes(image[0]),
        lambda: find_stripes(image, window=2),
        lambda: column_sums(image[..., 1:], frame),
        lambda: correct_columns(image[0].T, stripes, col=np.arange(1, 31)),
        lambda: correct_columns(image[0].T[1:], stripes, col=np.arange(30)),
    ):
        with pytest.raises(ConfigError):
            call()

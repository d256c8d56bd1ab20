"""`ctx.again`: the sample of a fit once more, as earlier stages would have made it of other spectra."""

from pathlib import Path

import numpy as np
import pytest

import hsgeo
from hsgeo.errors import PluginError
from hsgeo.plugin.onefile import load_file
from hsgeo.plugin.registry import registry, reset
from hsgeo.tiles.noise import pixel_noise
from tests.scenes import make_scene

FILE = Path(__file__).parents[1] / "fakes" / "again.py"
FAKE = load_file(FILE)[0]
KINDS = pytest.mark.parametrize("kind", ["pixels", "patches"])
WINDOW = pytest.mark.parametrize("window", [False, True], ids=["pixelwise", "windowed"])


@pytest.fixture(autouse=True)
def plugin():
    registry((FILE,))
    yield
    reset()


@pytest.fixture(scope="module")
def scene():
    scene = make_scene(136, 130)  # larger than what a sample reads at once
    scene["spectra"][:, 16:40, :9] = np.nan  # a hole
    scene["spectra"][3, ::9, ::7] = np.nan  # partial pixels
    return scene


def fit_all(scenes, kind, *, window=False, change="noise"):
    stages = [
        {"use": "linear", "with": {"window": window}},
        {"use": "probe", "with": {"kind": kind, "change": change}},
        {"use": "archetypes", "with": {"count": 3}},
        "fcls",
    ]
    return hsgeo.fit(scenes, stages=stages, notice=lambda text: None)


def fit(scenes, kind, **how):
    return fit_all(scenes, kind, **how)["probe"]


def sampled(values, state):
    """Values ``(first, y, x)`` of the whole scene at the places of a sample, and which of them lie in the scene."""
    row, col = state["row"].values, state["col"].values
    if "patch" in state.dims:
        y, x = np.arange(state.sizes["y"]), np.arange(state.sizes["x"])
        row, col = np.broadcast_arrays(row[:, None, None] + y[:, None], col[:, None, None] + x)
    height, width = values.shape[1:]
    inside = (row < height) & (col < width)
    return values[:, np.minimum(row, height - 1), np.minimum(col, width - 1)], inside


def first(array):
    """Bring the bands of a sample to the front."""
    return np.moveaxis(array.values, 1, 0) if "patch" in array.dims else array.values


@KINDS
@WINDOW
def test_the_sample_is_what_the_stages_say_of_the_changed_scene(scene, kind, window):
    states = fit_all(scene, kind, window=window)
    state = states["probe"]
    noise = pixel_noise(0, "probe", 0, 0, 0, 136, 130, channels=40)
    changed = scene.assign(spectra=scene["spectra"] + FAKE.STEP * noise)
    spectra, inside = sampled(changed["spectra"].values, state)
    assert np.isnan(spectra).any(axis=0).any()
    assert np.array_equal(first(state["spectra_again"])[:, inside], spectra[:, inside], equal_nan=True)
    product = hsgeo.unmix(changed, state=states, tile=50, notice=lambda text: None)
    score, inside = sampled(product["score"].values, state)
    held = inside & np.isfinite(score).all(axis=0)
    assert held.sum() > 1000
    assert np.array_equal(first(state["score_again"])[:, held], score[:, held])
    assert np.array_equal(state["row"], state["row_again"])
    assert np.array_equal(state["col"], state["col_again"])


@KINDS
def test_a_linear_stage_moves_by_its_map_of_the_change(scene, kind):
    state = fit(scene, kind)
    own, _ = sampled(pixel_noise(0, "probe", 0, 0, 0, 136, 130, channels=40), state)
    step = first(state["score_again"]).astype(float) - first(state["score"])
    held = np.isfinite(step)
    assert np.allclose(step[held], FAKE.scores(FAKE.STEP * own)[held], atol=1e-5)
    assert np.abs(step[held]).max() > 0.05


@KINDS
@WINDOW
def test_no_change_gives_the_same_bits(scene, kind, window):
    state = fit(scene, kind, window=window, change="none")
    for name in ("spectra", "score", "row", "col"):
        assert np.array_equal(state[name], state[f"{name}_again"], equal_nan=True), name


def test_chunks_of_the_scene_do_not_matter(scene):
    one, other = (fit(held, "patches", window=True) for held in (scene, scene.chunk({"y": 50, "x": 77})))
    for name in one.variables:
        assert np.array_equal(one[name], other[name], equal_nan=True), name


@KINDS
def test_an_archive_has_the_same_pixels_of_every_scene(scene, kind):
    state = fit([scene, make_scene(60, 70, seed=3)], kind, change="none")
    assert np.array_equal(state["spectra"], state["spectra_again"], equal_nan=True)
    assert np.array_equal(state["score"], state["score_again"], equal_nan=True)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("reduce", "noise", "asks for its sample again, and has none"),
        ("pixels", "hole", "changes which values of its sample are missing, in"),
        ("patches", "double", r"changes spectra \(40, .*\) of its sample to float64"),
    ],
)
def test_what_cannot_be_asked_is_said(scene, kind, change, message):
    with pytest.raises(PluginError, match=message):
        fit(scene, kind, change=change)

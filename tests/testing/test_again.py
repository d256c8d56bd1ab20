"""The kit gives fits their sample again, as the runner does: earlier stages run on the changed spectra."""

from pathlib import Path

import numpy as np
import pytest

from hsgeo.plugin.onefile import load_file
from hsgeo.testing import parametrize_with_checks
from hsgeo.testing.case import StageCase
from hsgeo.tiles.noise import pixel_noise

FILE = Path(__file__).parents[1] / "fakes" / "again.py"
FAKE = load_file(FILE)[0]
LINEAR, FCLS = {"use": "linear"}, [{"use": "archetypes", "with": {"count": 3}}, {"use": "fcls"}]


@parametrize_with_checks("probe", options={"kind": "patches"}, before=[LINEAR], after=FCLS, files=[FILE])
def test_a_fit_that_asks_again_keeps_the_laws(check):
    check()


@pytest.mark.parametrize("change", ["none", "noise"])
def test_the_kit_moves_the_sample_by_the_linear_map_of_the_change(change):
    case = StageCase("probe", options={"kind": "pixels", "change": change}, before=[LINEAR], files=[str(FILE)])
    state = case.state
    height, width = case.layout.height, case.layout.width
    noise = pixel_noise(0, "case", 0, 0, 0, height, width, channels=case.layout.bands)[:, state["row"], state["col"]]
    spectra = case.known.scene["spectra"].values[:, state["row"], state["col"]]
    expected = FAKE.scores(spectra + FAKE.STEP * noise if change == "noise" else spectra).astype("f4")
    assert np.array_equal(state["score_again"], expected)
    assert np.array_equal(state["score"], FAKE.scores(spectra).astype("f4"))

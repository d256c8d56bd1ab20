"""``hsgeo benchmark uncertainty``: rows, page, picture, verdict; goes on where it stopped; errors leave nothing."""

import csv
import json
from pathlib import Path

import pytest

from hsgeo.cli import main
from hsgeo.evaluation.uncertainty.scenes import WORLDS, World, unseen_scene
from hsgeo.synthetic import Effects

SAMPLER = str(Path(__file__).parents[1] / "fakes" / "sampler.py")
SMALL = ("--scenes", "tiny", "--methods", "fake-sampler", "--noise", "20,10", "--seeds", "1", "--plugin", SAMPLER)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    names = ("soil", "green-vegetation", "water")
    world = World("small", "landscape", names, (420.0, 2400.0, 90.0), False, Effects(), (20, 24))
    monkeypatch.setitem(WORLDS, "tiny", world)
    unseen_scene.cache_clear()
    yield
    unseen_scene.cache_clear()


def run(out, *args):
    with pytest.raises(SystemExit) as done:
        main(["benchmark", "uncertainty", "--out", str(out), *args])
    return done.value.code


def test_tables_picture_verdicts_and_going_on(tmp_path, capsys):
    assert run(tmp_path, *SMALL) == 0
    said = capsys.readouterr().out
    assert "truth: generator" in said
    assert "fake-sampler: 90 % intervals, all levels" in said
    assert "not met" in said  # four samples cover 60 % at most
    with (tmp_path / "uncertainty.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 2  # methods, levels, truths
    page = (tmp_path / "uncertainty.md").read_text()
    assert "the range of 4 draws has 60.0 %" in page
    assert "(uncertainty.png)" in page
    assert (tmp_path / "uncertainty.png").read_bytes()[:4] == b"\x89PNG"

    kept = (tmp_path / "uncertainty.csv").read_bytes()
    assert run(tmp_path, *SMALL, "--json") == 0  # nothing is left to do
    assert (tmp_path / "uncertainty.csv").read_bytes() == kept
    summary = json.loads(capsys.readouterr().out)
    assert {(row["method"], row["snr_db"]) for row in summary if row["scene"] is None} == {
        (method, level) for method in ("closed-form", "fake-sampler") for level in (None, 20.0, 10.0)
    }


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--scenes", "moon"), "moon"),
        (("--scenes", "tiny", "--methods", "fcls"), "states no uncertainty"),
        (("--scenes", "tiny", "--methods", "sma"), "library"),
        (("--scenes", "tiny", "--noise", "inf"), "nothing to state"),
        (("--scenes", "tiny", "--noise", "loud"), "loud"),
    ],
)
def test_bad_input_is_exit_2_and_leaves_nothing(args, words, tmp_path, capsys):
    assert run(tmp_path / "out", "--methods", "fake-sampler", "--plugin", SAMPLER, *args) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_stopped_by_hand_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("hsgeo.api.benchmark_uncertainty", stop)
    assert run(tmp_path, *SMALL) == 1
    assert "the same command goes on" in capsys.readouterr().err

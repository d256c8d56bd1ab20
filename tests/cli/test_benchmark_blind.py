"""``hsgeo benchmark blind``: rows, page and going on; errors before anything is written."""

import csv
import json

import pytest

from hsgeo.cli import main
from hsgeo.evaluation.accuracy import scenes

SMALL = (
    "--scenes",
    "synthetic-4",
    "--recipes",
    "vca[restarts=1]+fcls,vca[restarts=2]+fcls",
    "--noise",
    "20",
    "--seeds",
    "1",
)


@pytest.fixture
def _small(monkeypatch):
    """Synthetic scenes of 900 pixels: what is tested here is the bookkeeping."""
    monkeypatch.setattr(scenes, "_SIZE", (30, 30))
    scenes.load_scene.cache_clear()
    yield
    scenes.load_scene.cache_clear()


def run(out, *args):
    with pytest.raises(SystemExit) as done:
        main(["benchmark", "blind", "--out", str(out), *args])
    return done.value.code


@pytest.mark.usefixtures("_small")
def test_tables_and_going_on(tmp_path, capsys):
    assert run(tmp_path, *SMALL) == 0
    said = capsys.readouterr().out
    assert "vca[restarts=2]+fcls" in said
    assert "mSAD" in said
    kept = (tmp_path / "blind.csv").read_bytes()
    with (tmp_path / "blind.csv").open(newline="") as file:
        assert {row["scale"] for row in csv.DictReader(file)} == {"physical"}
    assert "## aRMSE" in (tmp_path / "blind.md").read_text()

    assert run(tmp_path, *SMALL, "--json") == 0  # nothing is left to do
    assert (tmp_path / "blind.csv").read_bytes() == kept
    assert {row["recipe"] for row in json.loads(capsys.readouterr().out)} >= {"vca[restarts=1]+fcls", "oracle"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--scenes", "moon"), "moon"),
        (("--scenes", "synthetic-4", "--recipes", "nothing+fcls"), "nothing"),
        (("--scenes", "synthetic-4", "--noise", "loud"), "loud"),
    ],
)
def test_bad_input_is_exit_2_and_leaves_nothing(args, words, tmp_path, capsys):
    assert run(tmp_path / "out", *args) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("_small")
def test_stopped_by_hand_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("hsgeo.api.benchmark_blind", stop)
    assert run(tmp_path, *SMALL) == 1
    assert "the same command goes on" in capsys.readouterr().err

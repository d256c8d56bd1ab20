"""``hsgeo benchmark noise``: rows, page and verdicts; goes on where it stopped; errors before anything is written."""

import csv
import json

import pytest

from hsgeo.cli import main
from hsgeo.evaluation.accuracy import scenes

SMALL = ("--scenes", "synthetic-4", "--methods", "fcls", "--noise", "inf,20", "--seeds", "1")


@pytest.fixture
def _small(monkeypatch):
    """Synthetic scenes of 900 pixels: what is tested here is the bookkeeping."""
    monkeypatch.setattr(scenes, "_SIZE", (30, 30))
    scenes.load_scene.cache_clear()
    yield
    scenes.load_scene.cache_clear()


def run(out, *args):
    with pytest.raises(SystemExit) as done:
        main(["benchmark", "noise", "--out", str(out), *args])
    return done.value.code


@pytest.mark.usefixtures("_small")
def test_tables_verdicts_and_going_on(tmp_path, capsys):
    assert run(tmp_path, *SMALL) == 0
    said = capsys.readouterr().out
    assert "closed-form" in said
    assert "not met" in said  # a pixelwise stage halves no error
    assert "clean, aRMSE beside closed-form, worst case" in said
    kept = (tmp_path / "noise.csv").read_bytes()
    with (tmp_path / "noise.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["snr_db"]) for row in rows} == {
        (method, level) for method in ("closed-form", "fcls") for level in ("inf", "20")
    }
    assert "**no**" in (tmp_path / "noise.md").read_text()

    assert run(tmp_path, *SMALL, "--json") == 0  # nothing is left to do
    assert (tmp_path / "noise.csv").read_bytes() == kept
    summary = json.loads(capsys.readouterr().out)
    assert {row["snr_db"] for row in summary} == {None, 20.0}

    assert run(tmp_path, *SMALL, "--noise-kind", "striped", "--quiet") == 0
    assert (tmp_path / "noise.csv").read_bytes().startswith(kept)
    assert "stays down the rows" in (tmp_path / "noise-striped.md").read_text()
    assert "stays down the rows" not in (tmp_path / "noise.md").read_text()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--scenes", "moon"), "moon"),
        (("--scenes", "procedural-12"), "procedural-9"),
        (("--scenes", "samson-zhu", "--data", "{tmp}"), "samson.npz"),
        (("--scenes", "synthetic-4", "--methods", "nothing[x=1]"), "nothing"),
        (("--scenes", "synthetic-4", "--methods", "denoise+fcls[oil=1]"), "oil"),
        (("--scenes", "synthetic-4", "--methods", "bundles"), "library"),
        (("--scenes", "synthetic-4", "--noise", "loud"), "loud"),
        (("--scenes", "synthetic-4", "--noise-kind", "pink"), "pink"),
    ],
)
def test_bad_input_is_exit_2_and_leaves_nothing(args, words, tmp_path, capsys):
    assert run(tmp_path / "out", *(arg.format(tmp=tmp_path) for arg in args)) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("_small")
def test_stopped_by_hand_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("hsgeo.api.benchmark_noise", stop)
    assert run(tmp_path, *SMALL) == 1
    assert "the same command goes on" in capsys.readouterr().err

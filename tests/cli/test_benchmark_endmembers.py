"""``hsgeo benchmark endmembers``: rows, page and verdicts; goes on where it stopped."""

import csv
import json

import pytest

from hsgeo.cli import main
from hsgeo.evaluation.accuracy import scenes

SMALL = (
    "--scenes",
    "synthetic-4",
    "--starts",
    "vca",
    "--methods",
    "endmember-diffusion[prior=library]",
    "--noise",
    "15",
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
        main(["benchmark", "endmembers", "--out", str(out), *args])
    return done.value.code


@pytest.mark.usefixtures("_small")
def test_tables_and_going_on(tmp_path, capsys):
    assert run(tmp_path, *SMALL, "--seeds", "1") == 0
    with (tmp_path / "endmembers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scene"], row["snr_db"]) for row in rows] == [("synthetic-4", "15")]
    kept = (tmp_path / "endmembers.csv").read_bytes()
    capsys.readouterr()
    assert run(tmp_path, *SMALL, "--seeds", "2", "--json") == 0
    assert (tmp_path / "endmembers.csv").read_bytes().startswith(kept)
    summary = json.loads(capsys.readouterr().out)
    assert [row["runs"] for row in summary] == [2]
    assert "## vca, 15 dB" in (tmp_path / "endmembers.md").read_text()


@pytest.mark.parametrize(
    ("args", "words"),
    [(("--scenes", "moon"), "moon"), (("--noise", "loud"), "loud"), (("--methods", "nothing"), "nothing")],
)
def test_errors_come_first(tmp_path, capsys, args, words):
    assert run(tmp_path / "new", *args, "--quiet") == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "new" / "endmembers.csv").exists()

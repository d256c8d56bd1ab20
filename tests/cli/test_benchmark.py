"""``hsgeo benchmark accuracy``: one row per run, resumable, the same in parallel; errors before anything is written."""

import csv
import json
from itertools import chain

import pytest

from hsgeo.api.benchmark import run_all
from hsgeo.cli import main
from hsgeo.evaluation.accuracy import scenes
from hsgeo.evaluation.accuracy.plan import plan_cases

SMALL = ("--scenes", "synthetic-4", "--recipes", "vca[restarts=2]+fcls", "--noise", "30", "--seeds", "1")


@pytest.fixture
def small(monkeypatch):
    """Synthetic scenes of 900 pixels: what is tested here is the bookkeeping."""
    monkeypatch.setattr(scenes, "_SIZE", (30, 30))
    scenes.load_scene.cache_clear()
    yield
    scenes.load_scene.cache_clear()


def run(out, *args):
    with pytest.raises(SystemExit) as done:
        main(["benchmark", "accuracy", "--out", str(out), *args])
    return done.value.code


def rows_of(out):
    with (out / "accuracy.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("small")
def test_table_csv_markdown_and_going_on(tmp_path, capsys):
    assert run(tmp_path, *SMALL) == 0
    said = capsys.readouterr().out
    assert "vca[restarts=2]+fcls" in said
    assert "oracle" in said
    rows = rows_of(tmp_path)
    assert len(rows) == 3 + 2  # uniform and two oracles; two scales of one recipe
    assert {row["headline"] for row in rows if row["scale"] == "peak"} == {"False"}
    page = (tmp_path / "accuracy.md").read_text()
    assert "## synthetic-4" in page

    kept = (tmp_path / "accuracy.csv").read_bytes()
    assert run(tmp_path, *SMALL, "--json") == 0  # nothing is left to do
    assert (tmp_path / "accuracy.csv").read_bytes() == kept
    summary = json.loads(capsys.readouterr().out)
    assert {row["recipe"] for row in summary} == {"uniform", "oracle", "lmm-oracle", "vca[restarts=2]+fcls"}
    best = min(summary, key=lambda row: row["mean"])
    assert best["recipe"] in ("oracle", "lmm-oracle")

    assert run(tmp_path, *SMALL[:-1], "2", "--quiet") == 0  # one seed more
    assert (tmp_path / "accuracy.csv").read_bytes().startswith(kept)
    assert len(rows_of(tmp_path)) == len(rows) + 4


def test_processes_change_nothing():
    """The row that needs no solver: that recipes are bit-identical in any process is tested elsewhere."""
    cases = [case for case in plan_cases(["synthetic-4"], [], [30.0, 20.0], 1, data=None) if case.recipe == "uniform"]
    one, two = (list(chain.from_iterable(run_all(cases, jobs))) for jobs in (1, 2))
    for rows in (one, two):
        rows.sort(key=lambda row: row["snr_db"])
        for row in rows:
            del row["apply_s"]
    assert len(one) == 2
    assert one == two


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--scenes", "moon"), "moon"),
        (("--scenes", "samson-zhu", "--data", "{tmp}"), "samson.npz"),
        (("--scenes", "synthetic-4", "--recipes", "nothing+fcls"), "nothing"),
        (("--scenes", "synthetic-4", "--noise", "loud"), "loud"),
        (("--scenes", "synthetic-4", "--seeds", "0"), "seeds"),
    ],
)
def test_bad_input_is_exit_2_and_leaves_nothing(args, words, tmp_path, capsys):
    assert run(tmp_path / "out", *(arg.format(tmp=tmp_path) for arg in args)) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("small")
def test_without_data_the_scenes_are_synthetic(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HSGEO_DATA", raising=False)
    assert run(tmp_path, "--recipes", "", "--noise", "inf", "--seeds", "1") == 0
    assert "synthetic" in capsys.readouterr().err
    assert {row["scene"] for row in rows_of(tmp_path)} == {"synthetic-4", "synthetic-6"}


@pytest.mark.usefixtures("small")
def test_stopped_by_hand_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("hsgeo.api.benchmark_accuracy", stop)
    assert run(tmp_path, *SMALL) == 1
    said = capsys.readouterr().err
    assert "the same command goes on" in said
    assert "--resume" not in said

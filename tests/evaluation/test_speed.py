"""`hsgeo benchmark speed`: everybody is timed on the same pixels, optimality is checked, what is missing is said."""

import csv
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from hsgeo.cli import main
from hsgeo.evaluation.speed import measure, ratios, to_markdown
from hsgeo.evaluation.speed.contenders import Contender
from hsgeo.evaluation.speed.measure import kkt_residual, pixels_like
from hsgeo.spectra.solvers import fcls, nnls

OTHERS = {"spams float64", "spams float32", "compiled nnls", "scipy nnls"}


@pytest.fixture(scope="module")
def rows():
    return measure([6], pixels=10_000, bands=100, threads=1, repeat=5, budget=0.2)


def test_all_are_timed(rows):
    assert [row["name"] for row in rows[:3]] == ["Y @ E", "hsgeo fcls", "hsgeo nnls"]
    assert {row["name"] for row in rows[3:]} == OTHERS
    assert all(row["mpx_per_s"] == row["pixels"] / row["seconds"] / 1e6 for row in rows)


@pytest.mark.parametrize(("budget", "pixels"), [(0.0, 10), (np.inf, 500)])
def test_the_budget_decides_how_many_pixels_are_timed(budget, pixels):
    found = measure([3], pixels=500, bands=16, threads=1, repeat=1, budget=budget)
    assert {row["pixels"] for row in found} == {pixels}


def test_what_takes_too_long_is_timed_on_fewer(monkeypatch):
    module = sys.modules["hsgeo.evaluation.speed.measure"]  # its name in the package is that of the function
    clock, calls = SimpleNamespace(now=0.0), Counter()

    def planted(name, per_pixel):
        def prepare(Y):
            def run():
                calls[name, len(Y)] += 1
                clock.now += per_pixel * len(Y)
                return nnls(Y, E)

            return run

        return Contender(name, "nnls", prepare)

    _, E = pixels_like(3, pixels=1000, bands=16, seed=0)
    field = [planted("quick", 1e-6), planted("once", 6e-3), planted("slow", 0.1)]  # 1 ms, 6 s and 100 s for them all
    monkeypatch.setattr(module, "contenders", lambda E, threads: field)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    found = measure([3], pixels=1000, bands=16, threads=1, repeat=3, budget=60.0)
    assert [(row["name"], row["pixels"]) for row in found] == [("quick", 1000), ("once", 1000), ("slow", 20)]
    assert [row["seconds"] for row in found] == pytest.approx([1e-3, 6.0, 2.0])
    # each is tried twice on a fiftieth; then three turns, or one for what takes more than five seconds
    assert calls == {
        ("quick", 20): 2,
        ("quick", 1000): 3,
        ("once", 20): 2,
        ("once", 1000): 1,
        ("slow", 20): 3,
    }


def test_the_residual_of_hsgeo_and_of_independent_solvers_is_small(rows):
    kkt = {row["name"]: row["kkt"] for row in rows}
    assert np.isnan(kkt["Y @ E"])
    for name in ("hsgeo fcls", "hsgeo nnls", "compiled nnls", "scipy nnls"):
        assert kkt[name] < 1e-6
    assert kkt["spams float64"] < 1e-2


def test_the_solvers_are_far_faster_than_a_compiled_loop(rows):
    # 12 to 28 were measured on a busy machine; the margin is for a busier one
    compared = ratios(rows, count=6)
    assert compared["nnls / compiled nnls"] > 3
    assert compared["fcls / spams float64"] > 4


def test_the_residual_sees_what_is_not_optimal():
    Y, E = pixels_like(4, pixels=500, bands=40, seed=2)
    for solver, summed in ((fcls, True), (nnls, False)):
        A = solver(Y, E)
        assert kkt_residual(Y, E, A, summed=summed) < 1e-6
        moved = A.copy()
        moved[7] = np.roll(moved[7], 1)
        assert kkt_residual(Y, E, moved, summed=summed) > 1e-3
    A[3, 2] = np.nan
    assert kkt_residual(Y, E, A, summed=False) == np.inf
    assert kkt_residual(Y, E, 1.01 * fcls(Y, E), summed=True) > 5e-3
    assert kkt_residual(Y, E, nnls(Y, E) - np.float32(0.01), summed=False) > 5e-3


def test_what_is_not_installed_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "spams", None)
    found = measure([2], pixels=200, bands=16, threads=1, repeat=1)
    absent = [row for row in found if row["seconds"] is None]
    assert {row["name"] for row in absent} == {"spams float64", "spams float32"}
    assert ratios(found, count=2)["fcls / spams float64"] is None
    page = to_markdown(found, call="hsgeo benchmark speed", machine={"processor": "some"})
    assert "| absent | absent |" in page


def test_the_command_writes_a_table_and_a_page(tmp_path, capsys):
    call = ["benchmark", "speed", "--pixels", "300", "--bands", "20", "--counts", "3,5", "--repeat", "1"]
    with pytest.raises(SystemExit) as done:
        main([*call, "--out", str(tmp_path / "made")])
    assert done.value.code == 0
    said = capsys.readouterr().out
    assert "5 endmembers" in said
    assert "hsgeo fcls" in said
    lines = list(csv.DictReader((tmp_path / "made" / "speed.csv").read_text().splitlines()))
    assert len(lines) == 2 * 7
    page = (tmp_path / "made" / "speed.md").read_text()
    assert "300 pixels of 20 bands" in page
    assert page.count("| 5 |") == 3


@pytest.mark.parametrize("counts", ["", "0", "65", "four"])
def test_numbers_of_endmembers_that_cannot_be(counts, capsys):
    with pytest.raises(SystemExit) as done:
        main(["benchmark", "speed", "--counts", counts])
    assert done.value.code == 2
    assert "such as 4,6,12" in capsys.readouterr().err

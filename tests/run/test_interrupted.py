"""A killed run leaves a product marked incomplete; --resume completes it and does no finished tile again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hsgeo
from hsgeo.cli import main
from hsgeo.plugin.registry import registry, reset
from tests.scenes import make_scene, save

SLOW = """
import os, time
import xarray as xr
from hsgeo.plugin import Needs, StageRecord, VarSpec, hookimpl, scene, tile

class Slow:
    '''Takes its time, and counts the pixels it was given in a file.'''
    def __init__(self, options):
        pass
    def needs(self, layout):
        return Needs(batch=1024)
    def outputs(self, layout):
        return {"abundance": VarSpec(("endmember", "y", "x"), sum="one")}
    def fit_needs(self, layout):
        return None
    def fit(self, sample, ctx):
        raise AssertionError
    def setup(self, state, device):
        return self
    def apply(self, windows, ctx):
        with open(os.environ["SLOW_COUNT"], "a") as file:
            for row, col in zip(windows["row"].values, windows["col"].values):
                if row >= 0 and row % 32 == 0 and col % 32 == 0:
                    file.write(f"{row // 32},{col // 32}\\n")
        time.sleep(float(os.environ.get("SLOW_TIME", "0")))
        return windows[["abundance"]].copy()
    def close(self):
        pass

@hookimpl
def hsgeo_stages():
    yield StageRecord("slow", "slow:Slow", "slow", reads=(tile("spectra"), scene("endmembers"), tile("abundance")),
                      writes=(tile("abundance"),))
"""
TRIAL = Path(__file__).parents[1] / "fakes" / "trial.py"
RECIPE = "stages: [{use: archetypes, with: {count: 3}}, {use: fcls}, {use: slow}]"


@pytest.fixture
def folder(tmp_path):
    save(make_scene(128, 128), tmp_path / "scene.zarr")
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    registry((TRIAL,))  # what else a process has loaded must not make it another run
    yield tmp_path
    reset()  # each test has a plugin file of its own


def arguments(folder, out, *more):
    return [
        "unmix", "--input", str(folder / "scene.zarr"), "--out", str(folder / out), "--tile", "32", "--quiet",
        "--plugin", str(folder / "slow.py"), "--recipe", str(folder / "recipe.yaml"), *more,
    ]  # fmt: skip


def run(args):
    with pytest.raises(SystemExit) as done:
        main(args)
    return done.value.code


def chunks(path: Path) -> dict[str, bytes]:
    """Bytes of every chunk of every array; metadata and marks are not chunks."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and not file.name.startswith(".") and file.name != "zarr.json" and ".hsgeo" not in file.parts
    }


@pytest.mark.parametrize("out", ["p.zarr", "p.tif"])
def test_kill_refuse_resume(folder, out, monkeypatch, capsys):
    counted = folder / "count.txt"
    monkeypatch.setenv("SLOW_COUNT", str(counted))
    environment = {**os.environ, "SLOW_TIME": "0.4", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "hsgeo", *arguments(folder, out)], env=environment)
    while not (counted.exists() and len(counted.read_text().splitlines()) >= 6):  # 6 of 16 tiles begun
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    begun = counted.read_text().splitlines()

    with pytest.raises(hsgeo.ProductError, match="incomplete"):
        hsgeo.open_product(folder / out)
    assert run(arguments(folder, out)) == 2
    assert "--resume" in capsys.readouterr().err

    counted.unlink()
    assert run(arguments(folder, out, "--resume")) == 0
    again = counted.read_text().splitlines()
    assert len(set(again)) < 16
    in_flight = set(begun) & set(again)
    assert set(begun) | set(again) == {f"{i},{j}" for i in range(4) for j in range(4)}
    assert len(in_flight) <= 2 * (os.cpu_count() or 1) * 2  # only what was in work or waiting to be written

    counted.unlink()
    assert run(arguments(folder, f"whole.{out.rpartition('.')[2]}")) == 0
    if out.endswith(".zarr"):
        assert chunks(folder / out) == chunks(folder / "whole.zarr")
        first, second = (hsgeo.open_product(folder / name).attrs for name in (out, "whole.zarr"))
        different = {key for key in first if json.dumps(first[key]) != json.dumps(second[key])}
        assert different <= {"hsgeo_volatile"}
    found, expected = hsgeo.open_product(folder / out), hsgeo.open_product(folder / f"whole.{out.rpartition('.')[2]}")
    assert found.load().drop_vars("spatial_ref").equals(expected.load().drop_vars("spatial_ref"))


def test_resuming_another_run_is_refused(folder, monkeypatch, capsys):
    monkeypatch.setenv("SLOW_COUNT", str(folder / "count.txt"))
    assert run(arguments(folder, "p.zarr")) == 0
    attrs = json.loads((folder / "p.zarr" / ".zattrs").read_text())
    assert attrs["hsgeo_status"] == "complete"
    assert run(arguments(folder, "p.zarr", "--resume")) == 2
    assert "complete" in capsys.readouterr().err


def test_an_interrupted_conversion_says_so_and_leaves_nothing(tmp_path):
    save(make_scene(128, 128), tmp_path / "scene.zarr")
    call = [sys.executable, "-m", "hsgeo", "convert", tmp_path / "scene.zarr", tmp_path / "c.zarr", "--chunk", "2"]
    process = subprocess.Popen([str(part) for part in call], stderr=subprocess.PIPE, text=True)
    while not any(tmp_path.glob(".c.zarr.*.new/spectra/0.3.*")):  # 4096 chunks are to come, 64 a block
        assert process.poll() is None, "it ended before it could be stopped"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert (process.returncode, said.strip()) == (1, "Stopped.")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.zarr"]

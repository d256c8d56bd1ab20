"""``hsgeo benchmark readers``: each yardstick writes what its reader opens; the table names what is too slow."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from hsgeo.cli import cli
from hsgeo.errors import ConfigError
from hsgeo.evaluation import readers as reading
from hsgeo.evaluation.readers.child import yardsticks_of
from hsgeo.scene import open_scene


@pytest.mark.parametrize(("reader", "product"), reading.products(), ids=lambda v: v.replace(" ", "-"))
def test_a_yardstick_measures_the_window_that_the_reader_reads(reader, product, tmp_path):
    stick = yardsticks_of(reader)[product]
    path = stick.write(tmp_path, (41, 52))
    scene = open_scene(path, chunks=None)
    assert stick.shape[0] * stick.shape[1] >= 4e5
    rows, cols = slice(20, 27), slice(30, 41)
    pixels = sum(part.size for part in stick.plain(path, rows, cols)) / 77
    assert pixels == int(pixels)
    assert 0 <= pixels - scene.sizes["band"] <= 45  # bands that the scene leaves out: dead ones, and of overlaps
    assert np.isfinite(scene["spectra"][:, rows, cols].values).any(axis=0).all()


def test_table_and_files(tmp_path):
    small = ["--readers", "geotiff", "--longest", "150", "--tiles", "2", "--repeat", "1", "--reads", "2"]
    done = CliRunner().invoke(cli, ["benchmark", "readers", *small, "--out", str(tmp_path / "b"), "--json"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    assert (row["product"], row["rows"], row["cols"], row["bands"]) == ("GeoTIFF int16", 150, 150, 224)
    assert (row["thread_reads"], row["thread_wrong"]) == (16, 0)
    assert 30 < row["open_mb"] < 400  # of a process that has imported numpy, and not of the one that runs the test
    assert row["speed"] == pytest.approx(row["plain_ms"] / row["tile_ms"], rel=0.9)
    with (tmp_path / "b" / "reading.csv").open(newline="") as file:
        assert [r["product"] for r in csv.DictReader(file)] == ["GeoTIFF int16"]
    assert "| GeoTIFF int16 | 150 x 150 x 224 |" in (tmp_path / "b" / "reading.md").read_text()


def test_what_is_beyond_its_limits_is_named():
    fine = {"info_mb": 299.0, "open_mb": 399.0, "speed": 0.5, "thread_wrong": 0}
    assert not reading.faults(fine)
    for name, value in {"info_mb": 301.0, "open_mb": 401.0, "speed": 0.49, "thread_wrong": 1}.items():
        assert reading.faults(fine | {name: value}) == [name]


def test_a_reader_without_yardsticks():
    with pytest.raises(ConfigError, match=r"'native' has no yardsticks.*arrays, aviris"):
        reading.products(["native"])

"""Every sensor whose reader writes its own format has a demo that keeps its promise, and ends with a map."""

import json

import pytest
import rasterio
from click.testing import CliRunner

from hsgeo.cli import cli
from hsgeo.plugin.registry import registry
from hsgeo.scene import sensors

READERS = registry().readers
SENSORS = [n for n in sensors() if n in READERS and hasattr(registry().load(READERS[n]), "synthesize")]


@pytest.mark.parametrize("sensor", [name for name in SENSORS if name != "prisma"])  # the default, in test_demo
def test_demo(sensor, tmp_path):
    done = CliRunner().invoke(cli, ["demo", "--out", str(tmp_path), "--sensor", sensor, "--size", "60", "--json"])
    assert done.exit_code == 0, done.output
    score = json.loads(done.stdout)
    assert score["promise_kept"]
    assert len(score["files"]) == 6
    with rasterio.open(tmp_path / "abund.tif") as file:
        assert file.crs is not None
        assert file.count >= score["endmembers_true"]


def test_sensors():
    assert {"prisma", "enmap", "emit", "desis", "hyperion", "aviris", "tanager", "neon"} <= set(SENSORS)
    done = CliRunner().invoke(cli, ["demo", "--sensor", "nobody"])
    assert done.exit_code == 2
    assert all(name in done.output for name in SENSORS)

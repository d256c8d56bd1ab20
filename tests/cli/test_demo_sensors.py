"""Every sensor whose reader writes its own format has a demo that keeps its promise, and maps in the right place."""

import json

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.warp import transform
from scipy.optimize import linear_sum_assignment

from hsgeo.cli import cli
from hsgeo.cli.demo import SNR_DB, SWATH_ANGLE
from hsgeo.plugin.registry import registry
from hsgeo.scene import sensor as look_up
from hsgeo.scene import sensors
from hsgeo.synthetic import synthetic_scene
from tests.cli.places import apart, at_places

READERS = registry().readers
SENSORS = [n for n in sensors() if n in READERS and hasattr(registry().load(READERS[n]), "synthesize")]


@pytest.mark.parametrize("sensor", [name for name in SENSORS if name != "prisma"])  # the default, in test_demo
def test_demo(sensor, tmp_path):
    done = CliRunner().invoke(cli, ["demo", "--out", str(tmp_path), "--sensor", sensor, "--size", "60", "--json"])
    assert done.exit_code == 0, done.output
    score = json.loads(done.stdout)
    assert score["promise_kept"]
    assert len(score["files"]) == 6
    bands = look_up(sensor)
    made = synthetic_scene(
        56, 60, wavelength=bands.wavelength, fwhm=bands.fwhm, snr_db=SNR_DB, seed=0, swath_angle=SWATH_ANGLE
    )
    for written in (tmp_path / "abund.tif", f"ZARR:{tmp_path / 'abund.zarr'}:/abundance"):
        with rasterio.open(written) as file:
            assert file.count >= score["endmembers_true"]
            if file.crs is None:  # a swath; its map is the other file
                assert sensor == "emit"
                continue
            here = _misfit(file, made)
            assert here < 0.1
            for right, down in ((15, 0), (-15, 0), (0, 15), (0, -15)):  # half a pixel
                assert here < _misfit(file, made, right=right, down=down)


def _misfit(file, made, *, right=0.0, down=0.0):
    """How far a map is from the landscape that was drawn, at the places where it was drawn; metres to move it by."""
    scene = made.scene
    x, y = np.meshgrid(scene["x"].values + right, scene["y"].values - down)
    true = made.abundance.values.reshape(made.abundance.sizes["endmember"], -1)
    true = true[:, known := np.isfinite(true).all(axis=0)]
    x, y = transform(scene["spatial_ref"].attrs["crs_wkt"], file.crs, x.ravel()[known], y.ravel()[known])
    squares = apart(at_places(file.read(), file.transform, np.array(x), np.array(y)), true)
    return float(np.sqrt(squares[linear_sum_assignment(squares)].mean()))


def test_sensors():
    assert {"prisma", "enmap", "emit", "desis", "hyperion", "aviris", "tanager", "neon"} <= set(SENSORS)
    done = CliRunner().invoke(cli, ["demo", "--sensor", "nobody"])
    assert done.exit_code == 2
    assert all(name in done.output for name in SENSORS)

import json

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from hsgeo import open_library, open_product
from hsgeo.cli import cli


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "out"
    done = CliRunner().invoke(cli, ["demo", "--out", str(folder), "--size", "96", "--seed", "5", "--json"])
    assert done.exit_code == 0, done.output
    return folder, json.loads(done.stdout)


def test_blind_abundances_are_nearly_as_good_as_with_known_endmembers(demo):
    _, score = demo
    assert score["endmembers_found"] == score["endmembers_true"] == 6
    assert 0 < score["armse_fcls_true_endmembers"] < 0.02
    assert score["ratio"] <= 1.2
    assert score["mean_sad_rad"] < 0.05
    assert score["promise_kept"]


def test_nothing_is_where_the_truth_has_nothing(demo):
    folder, score = demo
    assert score["nan_mask_equals_truth"]
    product, truth = open_product(folder / "abund.zarr"), xr.open_zarr(folder / "truth.zarr")
    missing = np.isnan(truth.abundance.values[0])
    assert 0.2 < missing.mean() < 0.6
    np.testing.assert_array_equal(np.isnan(product.abundance.values[0]), missing)
    assert product.rio.crs == truth.rio.crs
    np.testing.assert_array_equal(product.x, truth.x)


def test_the_demo_leaves_what_it_says(demo):
    folder, score = demo
    assert set(score["files"]) == {"scene.he5", "abund.zarr", "abund.tif", "truth.zarr", "truth.csv", "demo.png"}
    assert (folder / "demo.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    library = open_library(folder / "truth.csv")
    assert set(map(str, library["name"].values)) == set(score["sad_rad"])


def test_a_second_demo_replaces_the_first(demo, tmp_path):
    folder = tmp_path / "demo"
    for seed in ("0", "1"):
        done = CliRunner().invoke(cli, ["demo", "--out", str(folder), "--size", "60", "--seed", seed])
        assert done.exit_code == 0, done.output
        assert "promised: at most 1.2" in done.output

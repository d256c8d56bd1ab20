"""The jobs of the command line: supervised, fit once and apply many, rerun, info, plot, exit codes."""

import json
import subprocess
import sys

import numpy as np
import pytest

import hsgeo
from hsgeo.cli import main
from hsgeo.errors import HsgeoWarning
from hsgeo.plugin import Quality
from hsgeo.plugin.registry import reset
from tests.scenes import WAVELENGTH, abundances, endmembers, make_scene, save


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    save(make_scene(40, 36), folder / "scene.zarr")
    save(make_scene(30, 50, seed=9), folder / "other.zarr")
    run("unmix", "--input", folder / "scene.zarr", "--out", folder / "abund.zarr", "--count", 3, "--quiet")
    return folder


def run(*args, code=0):
    with pytest.raises(SystemExit) as done:
        main([str(arg) for arg in args])
    assert done.value.code == code


def test_the_summary_says_what_there_is_and_what_next(folder, tmp_path, capsys):
    run("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "a.zarr", "--count", 3)
    text = capsys.readouterr().out
    for said in ("e1", "e3", "mean abundance", "rmse", "pixels 1,440 of 1,440", "time", "hsgeo plot", "--state"):
        assert said in text


def test_json_summary(folder, tmp_path, capsys):
    run("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "a.tif", "--count", 3, "--json")
    summary = json.loads(capsys.readouterr().out)
    assert sum(summary["endmembers"].values()) == pytest.approx(1, abs=1e-5)
    assert summary["usable"] == summary["pixels"] == 1440


def test_fit_once_apply_many(folder, tmp_path):
    run("unmix", "--input", folder / "other.zarr", "--out", tmp_path / "o.zarr", "--state", folder / "abund.zarr",
        "--quiet")  # fmt: skip
    first, second = hsgeo.open_product(folder / "abund.zarr"), hsgeo.open_product(tmp_path / "o.zarr")
    assert np.array_equal(first["endmembers"].values, second["endmembers"].values)
    truth = abundances(30, 50, seed=9)
    order = [int(np.abs(second["abundance"].values[k] - truth).mean((1, 2)).argmin()) for k in range(3)]
    assert np.sqrt(np.mean((second["abundance"].values - truth[order]) ** 2)) < 0.02


def test_supervised_from_csv_with_drop_and_rename(folder, tmp_path):
    fine = np.arange(400.0, 2501.0, 10.0)
    E = endmembers(3, fine)
    rows = ["wavelength,veg,soil,water,odd"] + [
        f"{w},{E[0, i]:.6f},{E[1, i]:.6f},{E[2, i]:.6f},0.5" for i, w in enumerate(fine)
    ]
    (tmp_path / "lib.csv").write_text("\n".join(rows))
    run("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "s.zarr", "--endmembers", tmp_path / "lib.csv",
        "--drop", "odd", "--rename", "veg=grass", "--quiet")  # fmt: skip
    product = hsgeo.open_product(tmp_path / "s.zarr")
    assert product["endmember"].values.tolist() == ["grass", "soil", "water"]
    np.testing.assert_allclose(product["endmembers"].values, endmembers(3), atol=2e-3)
    assert np.sqrt(np.mean((product["abundance"].values - abundances(40, 36)) ** 2)) < 0.02


def test_an_earlier_product_is_a_library(folder, tmp_path):
    run("unmix", "--input", folder / "other.zarr", "--out", tmp_path / "p.zarr", "--endmembers", folder / "abund.zarr",
        "--drop", "e1", "--rename", "e2=two", "--quiet")  # fmt: skip
    assert hsgeo.open_product(tmp_path / "p.zarr")["endmember"].values.tolist() == ["two", "e3"]


@pytest.mark.parametrize("supervised", [False, True])
def test_rerun_gives_the_same_bits(folder, tmp_path, supervised):
    product = folder / "abund.zarr"
    if supervised:
        product = tmp_path / "p.zarr"
        run("unmix", "--input", folder / "other.zarr", "--out", product, "--endmembers", folder / "abund.zarr",
            "--quiet")  # fmt: skip
    run("rerun", product, "--out", tmp_path / "again.zarr", "--quiet")
    first, second = hsgeo.open_product(product), hsgeo.open_product(tmp_path / "again.zarr")
    assert first.attrs["hsgeo_run_id"] == second.attrs["hsgeo_run_id"]
    assert first.load().equals(second.load())


def test_rerun_on_another_scene_is_refused(folder, tmp_path, capsys):
    run("rerun", folder / "abund.zarr", "--out", tmp_path / "a.zarr", "--input", folder / "other.zarr", code=2)
    assert "is not the one" in capsys.readouterr().err
    assert not (tmp_path / "a.zarr").exists()


def test_overwrite_replaces(folder, tmp_path):
    out = tmp_path / "a.zarr"
    run("unmix", "--input", folder / "scene.zarr", "--out", out, "--count", 3, "--quiet")
    run("unmix", "--input", folder / "scene.zarr", "--out", out, "--count", 2, "--quiet", "--overwrite")
    assert hsgeo.open_product(out).sizes["endmember"] == 2


@pytest.mark.parametrize(("file", "kind"), [("scene.zarr", "scene"), ("abund.zarr", "product")])
def test_info(folder, file, kind, capsys):
    run("info", folder / file, "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["crs"]) == (kind, "EPSG:32633")
    run("info", folder / file)
    assert "EPSG:32633" in capsys.readouterr().out


def test_plot(folder, tmp_path):
    run("plot", folder / "abund.zarr", "--out", tmp_path / "look.png", "--scene", folder / "scene.zarr")
    assert (tmp_path / "look.png").stat().st_size > 20_000


FAILS_ON_ONE_TILE = """
import numpy as np
from hsgeo.plugin import Needs, StageRecord, VarSpec, hookimpl, tile

class Touchy:
    def __init__(self, options):
        pass
    def needs(self, layout):
        return Needs()
    def outputs(self, layout):
        return {"abundance": VarSpec(("endmember", "y", "x"), sum="one")}
    def fit_needs(self, layout):
        return None
    def fit(self, sample, ctx):
        raise AssertionError
    def setup(self, state, device):
        return self
    def apply(self, windows, ctx):
        if (windows["row"].values == 0).any():
            raise RuntimeError("row 0 is too much")
        return windows[["abundance"]].copy()
    def close(self):
        pass

@hookimpl
def hsgeo_stages():
    yield StageRecord("touchy", "touchy:Touchy", "fails on row 0", reads=(tile("abundance"),),
                      writes=(tile("abundance"),))
"""


def test_failed_tiles_are_marked_and_the_exit_code_says_so(folder, tmp_path):
    (tmp_path / "touchy.py").write_text(FAILS_ON_ONE_TILE)
    (tmp_path / "r.yaml").write_text("stages: [{use: archetypes, with: {count: 3}}, {use: fcls}, {use: touchy}]")
    args = ["unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "a.zarr", "--tile", 16, "--quiet",
            "--plugin", tmp_path / "touchy.py", "--recipe", tmp_path / "r.yaml", "--on-tile-error", "mask"]  # fmt: skip
    run(*args, code=3)
    reset()
    product = hsgeo.open_product(tmp_path / "a.zarr")
    failed = (product["quality"].values & Quality.FAILED) != 0
    assert failed[:16].all()
    assert not failed[16:].any()
    assert np.array_equal(np.isnan(product["abundance"].values).any(0), failed)


def test_errors_go_to_stderr_and_leave_stdout_clean():
    done = subprocess.run(
        [sys.executable, "-m", "hsgeo", "unmix", "--input", "nowhere.he5", "--out", "x.zarr", "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_radiance_is_unmixed_when_asked_for(tmp_path):
    scene = make_scene(20, 20)
    scene["spectra"].attrs |= {"quantity": "radiance", "units": "W m-2 sr-1 um-1"}
    save(scene.assign(spectra=scene["spectra"] * 100), tmp_path / "rad.zarr")
    run("unmix", "--input", tmp_path / "rad.zarr", "--out", tmp_path / "a.zarr", "-o", "scene.radiance=true",
        "--count", 3, "--quiet")  # fmt: skip
    assert WAVELENGTH.size == hsgeo.open_product(tmp_path / "a.zarr").sizes["band"]


def test_the_flags_that_leave_a_pixel_out(tmp_path, capsys):
    scene = make_scene(24, 20)
    quality = np.zeros((24, 20), "u2")
    quality[2, 3], quality[5, 6], quality[7, 8] = Quality.CLOUD, Quality.SNOW, Quality.SNOW | Quality.CLOUD
    scene["quality"] = (("y", "x"), quality)
    save(scene, tmp_path / "scene.zarr")
    how = ("unmix", "--input", tmp_path / "scene.zarr", "--out", tmp_path / "a.zarr", "--count", 3, "--quiet")
    for given, out in ((("--mask", "snow, glint"), [(5, 6), (7, 8)]), (("--mask", "none"), []), ((), [(2, 3), (7, 8)])):
        run(*how, *given, "--overwrite")
        empty = np.isnan(hsgeo.open_product(tmp_path / "a.zarr")["abundance"].values[0])
        assert [tuple(place) for place in np.argwhere(empty).tolist()] == out
    for given, words in (
        (("--mask", "clouds"), "'clouds' is no quality flag, and cannot be masked. Accepted: cloud, cloud_shadow,"),
        (("-o", "scene.mask=snw"), "'snw' is no quality flag"),
        (("--mask", "snow", "-o", "scene.mask=[cloud]"), "--mask together with -o scene.mask"),
    ):
        run(*how, *given, "--overwrite", code=2)
        assert words in capsys.readouterr().err


def test_a_flag_without_a_source_is_said_once_and_only_if_asked_for(tmp_path, capsys):
    scene = make_scene(24, 20)
    told = "leaves no pixel out, because tiny has no source for"
    how = ("unmix", "--input", tmp_path / "scene.zarr", "--out", tmp_path / "a.zarr", "--count", 3, "--overwrite")
    save(scene, tmp_path / "scene.zarr")
    run(*how)
    assert told not in capsys.readouterr().err
    run(*how, "--mask", "cloud,snow")
    assert capsys.readouterr().err.count(f"masking cloud, snow {told} them") == 1
    known = {"flags_known": "nodata snow"}
    scene["quality"] = (("y", "x"), np.zeros((24, 20), "u2"), known)
    with pytest.warns(HsgeoWarning, match=f"masking cloud {told} it"):
        hsgeo.fit(scene, recipe="classical", options={"scene": {"mask": ["cloud", "snow"]}})
    hsgeo.fit(scene, recipe="classical", options={"scene.mask": "snow"})  # warnings are errors
    scene["quality"].attrs.clear()  # somebody else's: not known what it can say
    hsgeo.fit(scene, recipe="classical", options={"scene.mask": "cloud"})

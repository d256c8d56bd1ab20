"""The stage in a run: its weights are recorded, checked and refused when they are bad."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hsgeo_hybridstu.weights import NETWORK

import hsgeo
from hsgeo.cli import main
from hsgeo.product.provenance import read_provenance
from tests.plugins.hsgeo_hybridstu.small import CONFIG, small_network, small_weights
from tests.scenes import WAVELENGTH, endmembers, make_scene, save


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a scene, its endmembers and weights."""
    save(make_scene(16, 12, noise=0.01), tmp_path / "scene.zarr")
    rows = ["name," + ",".join(f"{w:.6f}" for w in WAVELENGTH)]
    rows += [f"m{k}," + ",".join(f"{v:.6f}" for v in e) for k, e in enumerate(endmembers())]
    (tmp_path / "e.csv").write_text("\n".join(rows) + "\n")
    small_weights(tmp_path / "w.safetensors")
    return tmp_path


def call(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments), "--quiet"])
    return stop.value.code or 0


def unmix(folder, out, *more):
    recipe = folder / "r.yaml"
    recipe.write_text("hsgeo: 1\nname: r\nstages: [{use: hybridstu}]\n")
    base = ["--input", folder / "scene.zarr", "--out", folder / out]
    if "--state" not in more:
        base += [
            "--recipe",
            recipe,
            "--endmembers",
            folder / "e.csv",
            "-o",
            f"hybridstu.weights={folder / 'w.safetensors'}",
        ]
    return call("unmix", *base, *more)


@pytest.mark.parametrize("out", ["p.zarr", "p.tif"])
def test_the_product_says_which_weights(folder, out):
    assert unmix(folder, out) == 0
    product = hsgeo.open_product(folder / out)
    sha256 = json.loads(product.attrs["hsgeo_provenance"])["weights"]["hybridstu"]["sha256"]
    NETWORK.same(str(folder / "w.safetensors"), {"weights_sha256": sha256}, device="cpu")  # raises where it is another
    assert call("rerun", folder / out, "--out", folder / f"again{out[1:]}") == 0
    again = hsgeo.open_product(folder / f"again{out[1:]}")
    assert read_provenance(again)["weights"] == read_provenance(product)["weights"]
    assert again.attrs["hsgeo_run_id"] == product.attrs["hsgeo_run_id"]
    np.testing.assert_array_equal(again["abundance"], product["abundance"])


def test_a_state_goes_with_its_weights(folder, capsys):
    assert unmix(folder, "p.zarr") == 0
    assert unmix(folder, "q.zarr", "--state", folder / "p.zarr") == 0
    first, second = (hsgeo.open_product(folder / name) for name in ("p.zarr", "q.zarr"))
    assert first.attrs["hsgeo_run_id"] == second.attrs["hsgeo_run_id"]
    small_weights(folder / "w.safetensors", network=small_network(seed=1))
    for command in (
        ["unmix", "--input", folder / "scene.zarr", "--state", folder / "p.zarr"],
        ["rerun", folder / "p.zarr"],
    ):
        capsys.readouterr()
        assert call(*command, "--out", folder / "new.zarr") == 2
        said = capsys.readouterr().err
        assert "sha256" in said
        assert "Put that file back" in said
        assert not (folder / "new.zarr").exists()


def missing(path):
    path.unlink()


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[20] ^= 0xFF
    path.write_bytes(data)


def pickled(path):
    torch.save(small_network().state_dict(), path)


def of_another_architecture(path):
    small_weights(path, architecture="hybridstu-zero/0")


def of_another_shape(path):
    small_weights(path, config=CONFIG | {"widths": [2, 4, 5]})


def of_no_network(path):
    small_weights(path, config=CONFIG | {"widths": "wide"})


def of_unknown_options(path):
    small_weights(path, config=CONFIG | {"depth": 3})


BAD = {
    missing: "do not exist",
    truncated: "truncated, corrupt",
    flipped: "truncated, corrupt",
    pickled: "pickle",
    of_another_architecture: "architecture",
    of_another_shape: "do not fit",
    of_no_network: "makes no network",
    of_unknown_options: "makes no network",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_bad_weights_are_one_clear_error(folder, spoil, capsys):
    spoil(folder / "w.safetensors")
    assert unmix(folder, "p.zarr") == 2
    said = capsys.readouterr().err
    assert BAD[spoil] in said
    assert sum(line.startswith("Error:") for line in said.splitlines()) == 1
    assert "Traceback" not in said
    assert not (folder / "p.zarr").exists()


def test_missing_pixels_stay_missing(folder):
    scene = make_scene(16, 12, noise=0.01)
    scene["spectra"].values[:, 3, 4] = np.nan
    scene["spectra"].values[5:7, 8, 8] = np.nan
    library = hsgeo.open_library(folder / "e.csv")
    stages = [{"use": "hybridstu", "with": {"weights": str(folder / "w.safetensors")}}]
    found = hsgeo.unmix(scene, stages=stages, endmembers=library)["abundance"].compute()
    missing = np.isnan(found.values)
    assert missing[:, 3, 4].all()
    assert missing.sum() == 3


def test_the_recipe_is_listed_and_runs_blind(folder):
    assert "hybridstu" in [recipe["name"] for recipe in hsgeo.list_plugins("recipes")["recipes"]]
    scene = make_scene(30, 24)
    options = {"archetypes.count": 3, "hybridstu.weights": str(folder / "w.safetensors")}
    found = hsgeo.unmix(scene, recipe="hybridstu", options=options).compute()
    closed = hsgeo.unmix(scene, recipe="classical", options={"archetypes.count": 3}).compute()
    np.testing.assert_array_equal(found["endmembers"], closed["endmembers"])
    moved = np.abs(found["abundance"].values - closed["abundance"].values)
    assert 0 < moved.max() < 0.1


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # what Python itself does not find
from hsgeo.cli import main
for words in {calls!r}:
    try:
        main(words)
    except SystemExit as stop:
        print(words[0], stop.code or 0)
"""


def test_without_torch_only_the_network_is_missing(folder):
    scene = ["unmix", "--input", str(folder / "scene.zarr"), "--endmembers", str(folder / "e.csv"), "--quiet", "--out"]
    calls = [
        [*scene, str(folder / "classical.zarr"), "--recipe", "classical"],
        [*scene, str(folder / "p.zarr")],  # the default
        [*scene, str(folder / "p.zarr"), "--recipe", "hybridstu"],
        ["train", "hybridstu", "--out", str(folder / "trained"), "--budget", "1steps"],
    ]
    script = WITHOUT_TORCH.format(calls=calls)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["unmix", "0", "unmix", "2", "unmix", "2", "train", "2"], done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert len(errors) == 3
    assert all("torch, which is not installed" in line for line in errors)
    assert not (folder / "p.zarr").exists()
    assert not (folder / "trained").exists()

"""``hsgeo train``: files and summary, going on, and one clear error for what cannot be trained."""

import json

import numpy as np
import pytest

from hsgeo.cli import main
from hsgeo.nn import load_weights
from hsgeo.plugin.registry import reset
from hsgeo.synthetic import synthetic_scene

PLUGIN = """
from hsgeo.plugin import StageRecord, hookimpl, tile

@hookimpl
def hsgeo_stages():
    yield StageRecord(
        "despeckle", "tests.nn.small:Denoise", "takes the noise", reads=(tile("spectra"),), writes=(tile("spectra"),),
        trainer="tests.nn.small:Trainer", trains="clean-fields",
    )
"""
RIVAL = PLUGIN.replace('"despeckle"', '"despike"').replace("small:Trainer", "small:Denoise")


@pytest.fixture
def plugin(tmp_path):
    reset()
    (tmp_path / "denoising.py").write_text(PLUGIN)
    yield tmp_path / "denoising.py"
    reset()


def run(*args):
    with pytest.raises(SystemExit) as done:
        main(["train", *map(str, args)])
    return done.value.code


def test_train_and_go_on(plugin, tmp_path, capsys):
    out = tmp_path / "out"
    call = ["clean-fields", "--plugin", plugin, "--out", out, "--device", "cpu", "--threads", 1, "--seed", 2]
    call += ["--size", "small"]
    assert run(*call, "--budget", "6steps", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["steps"] == 6
    weights = load_weights(said["weights"], architecture="denoise/1", sha256=said["sha256"])
    assert weights.config == {"width": 3}
    assert f"--out {out} --budget 6steps --device cpu --seed 2 --size small" in weights.card["command"]
    assert {path.name for path in out.iterdir()} == {
        "denoise.safetensors", "denoise.md", "curve.png", "loss.csv", "validation.csv", "checkpoint.safetensors",
    }  # fmt: skip

    assert run(*call, "--budget", "9steps") == 2
    assert "holds a training already" in capsys.readouterr().err
    assert run(*call, "--budget", "9steps", "--resume") == 0
    text = capsys.readouterr().out
    assert "score" in text
    assert f"despeckle.weights={out / 'denoise.safetensors'}" in text
    assert load_weights(out / "denoise.safetensors", architecture="denoise/1").card["steps"] == 9


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["despeckl", "--budget", "2steps"], "Did you mean 'despeckle'"),
        (["fcls", "--budget", "2steps"], "stage 'fcls' has nothing to train. Accepted: abundance-prior (of"),
        (["fcls", "--budget", "2steps"], "clean-fields (of despeckle)"),
        (["clean-field", "--budget", "2steps"], "Did you mean 'clean-fields'"),
        (["despeckle", "--finetune", "nowhere.zarr"], "clean-fields cannot be fine-tuned"),
        (["despeckle", "--budget", "soon"], "the budget is 'soon'"),
    ],
)
def test_what_cannot_be_trained(args, said, plugin, tmp_path, capsys):
    assert run(*args, "--plugin", plugin, "--out", tmp_path / "out") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_weights_that_two_trainers_make_are_nobodys(plugin, tmp_path, capsys):
    (tmp_path / "rival.py").write_text(RIVAL)
    both = ["--plugin", plugin, "--plugin", tmp_path / "rival.py", "--out", tmp_path / "out"]
    assert run("clean-fields", *both) == 2
    assert "the trainers of stage 'despeckle' and of stage 'despike' make" in " ".join(capsys.readouterr().err.split())
    assert run("despeckle", *both, "--budget", "2steps", "--device", "cpu", "--quiet") == 0


def test_finetuning_hands_over_the_scene_and_says_nothing_of_where_it_lay(plugin, tmp_path, capsys):
    plugin.write_text(PLUGIN.replace("small:Trainer", "small:SceneTrainer"))
    bands = np.linspace(450, 2400, 12)
    made = synthetic_scene(
        36, 36, wavelength=bands, fwhm=np.full(12, 12.0), names=("soil", "water"), snr_db=30, crs=None
    ).scene
    made.assign_attrs(product_id="toy-1").to_zarr(tmp_path / "secret.zarr", consolidated=False)
    out = tmp_path / "out"
    call = ["despeckle", "--plugin", plugin, "--out", out, "--budget", "2steps", "--device", "cpu"]
    assert run(*call, "--finetune", tmp_path / "secret.zarr", "--json") == 0
    card = load_weights(json.loads(capsys.readouterr().out)["weights"], architecture="denoise/1").card
    assert card["data"]["product_id"] == "toy-1"
    assert card["data"]["sizes"]["patch"] == 1
    assert "--finetune SCENE" in card["command"]
    assert "secret" not in json.dumps(card)
    assert run(*call[:-4], "--finetune", tmp_path / "nowhere.zarr") == 2
    assert "nowhere.zarr" in capsys.readouterr().err

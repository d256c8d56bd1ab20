"""``hsgeo train``: files and summary, going on, and one clear error for what cannot be trained."""

import json

import pytest

from hsgeo.cli import main
from hsgeo.nn import load_weights
from hsgeo.plugin.registry import reset

PLUGIN = """
from hsgeo.plugin import StageRecord, hookimpl, tile

@hookimpl
def hsgeo_stages():
    yield StageRecord(
        "despeckle", "tests.nn.small:Denoise", "takes the noise", reads=(tile("spectra"),), writes=(tile("spectra"),),
        trainer="tests.nn.small:Trainer",
    )
"""


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
    call = ["despeckle", "--plugin", plugin, "--out", out, "--device", "cpu", "--threads", 1, "--seed", 2]
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
        (["fcls", "--budget", "2steps"], "stage 'fcls' has nothing to train. Accepted: despeckle"),
        (["despeckle", "--budget", "soon"], "the budget is 'soon'"),
    ],
)
def test_what_cannot_be_trained(args, said, plugin, tmp_path, capsys):
    assert run(*args, "--plugin", plugin, "--out", tmp_path / "out") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()

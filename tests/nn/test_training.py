"""The loop learns, goes on where it was killed, bit for bit, and survives bad steps."""

import csv
import json
import math
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from hsgeo.errors import ConfigError
from hsgeo.nn import Budget, fill, load_weights, train
from hsgeo.nn.ahead import Ahead
from hsgeo.nn.budget import learning_rate_at
from hsgeo.nn.device import choose_precision
from tests.nn.small import OPTIONS, Denoise

ROOT = Path(__file__).resolve().parents[2]


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_learns_and_leaves_everything_that_is_needed_to_use_and_repeat_it(tmp_path):
    moments = []
    before = torch.random.get_rng_state(), torch.get_num_threads()
    task = Denoise()
    result = train(
        task, out=tmp_path, budget="200steps", storage="float16", command="hsgeo train x", learning_rate=1e-2,
        progress=moments.append, **OPTIONS | {"ema": 0.95},
    )  # fmt: skip
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == torch.get_num_threads()
    assert not [thread for thread in threading.enumerate() if thread.name == "hsgeo-batches"]

    assert result.score < 0.6 * result.metrics["noise"]  # the noise is 1: better than doing nothing
    assert result.score < 0.5 * result.first_score
    assert result.steps == len(moments) == 200
    assert moments[-1].fraction == 1
    assert task.steps == list(range(200))

    weights = load_weights(result.weights, architecture="denoise/1", sha256=result.sha256)
    module = Denoise().build().eval()
    fill(module, weights)
    with torch.no_grad():
        assert task.validate(module) == pytest.approx(result.metrics, rel=1e-6)  # of the file, rounded to float16
    assert weights.card["finished"]
    assert weights.config == {"width": 6}
    assert weights.card["metrics"] == result.metrics
    card = result.card.read_text()
    for word in (
        result.sha256,
        "denoise/1",
        "hsgeo train x",
        "Gaussian, sigma 2",
        "float32",
        "| seed | 3 |",
        "torch 2",
    ):
        assert word in card

    losses, scores = read(tmp_path / "loss.csv"), read(tmp_path / "validation.csv")
    assert float(losses[-1]["loss"]) < 0.5 * float(losses[0]["loss"])
    assert losses[-1]["mse"] == losses[-1]["loss"]
    assert [int(row["step"]) for row in scores] == list(range(0, 201, 10))
    assert min(float(row["score"]) for row in scores) == pytest.approx(result.score, rel=1e-2)
    assert result.curve.read_bytes().startswith(b"\x89PNG")
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_killed_run_goes_on_bit_for_bit(tmp_path):
    whole = train(Denoise(), out=tmp_path / "whole", budget="8steps", **OPTIONS)
    script = [sys.executable, "-m", "tests.nn.small", str(tmp_path / "killed")]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = load_weights(tmp_path / "killed" / "weights.safetensors", architecture="denoise/1")
    assert not left.card["finished"]  # what a killed training leaves can be used

    task = Denoise()
    resumed = train(task, out=tmp_path / "killed", budget="8steps", **OPTIONS)
    assert task.steps == list(range(5, 8))
    one, two = (load_weights(r.weights, architecture="denoise/1").tensors for r in (whole, resumed))
    assert one.keys() == two.keys()
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    last = [load_checkpoint_of(r.folder) for r in (whole, resumed)]
    assert all(torch.equal(last[0][key], last[1][key]) for key in last[0])  # moments and the raw network too
    for name in ("loss.csv", "validation.csv"):
        rows = [
            [{k: v for k, v in row.items() if k != "seconds"} for row in read(r.folder / name)]
            for r in (whole, resumed)
        ]
        assert rows[0] == rows[1]

    finished = resumed.weights.read_bytes()
    again = train(Denoise(), out=tmp_path / "killed", budget="8steps", **OPTIONS)  # nothing is left to do
    assert again.steps == 8
    assert load_weights(again.weights, architecture="denoise/1").tensors.keys() == one.keys()
    assert finished == again.weights.read_bytes()
    more = train(Denoise(), out=tmp_path / "killed", budget="9steps", **OPTIONS)
    assert more.steps == 9

    with pytest.raises(ConfigError, match="another seed"):
        train(Denoise(), out=tmp_path / "killed", budget="8steps", **OPTIONS | {"seed": 4})
    with pytest.raises(ConfigError, match="another config"):
        train(Denoise(width=5), out=tmp_path / "killed", budget="8steps", **OPTIONS)
    with pytest.raises(ConfigError, match="holds a training already"):
        train(Denoise(), out=tmp_path / "killed", budget="8steps", resume=False, **OPTIONS)
    path = tmp_path / "killed" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match=r"checkpoint .* cannot be read"):
        train(Denoise(), out=tmp_path / "killed", budget="8steps", **OPTIONS)


def load_checkpoint_of(folder):
    from hsgeo.nn.checkpoint import load_checkpoint

    parts, _ = load_checkpoint(folder / "checkpoint.safetensors")
    assert set(parts) == {"model", "ema", "adam", "best"}
    return {f"{group}/{name}": tensor for group, members in parts.items() for name, tensor in members.items()}


def test_bad_steps_are_skipped_and_counted_and_many_of_them_end_it(tmp_path):
    result = train(Denoise(poison=(2, 5)), out=tmp_path / "some", budget="8steps", **OPTIONS)
    assert result.skipped_steps == 2
    assert result.steps == 8
    assert math.isfinite(result.score)
    assert [row["loss"] == "" for row in read(tmp_path / "some" / "loss.csv")] == [i in (2, 5) for i in range(8)]
    with pytest.raises(ConfigError, match="20 steps one after the other"):
        train(Denoise(poison=range(3, 99)), out=tmp_path / "all", budget="50steps", **OPTIONS)


def test_bfloat16_and_a_budget_of_time(tmp_path):
    options = OPTIONS | {"precision": "bfloat16"}
    result = train(Denoise(), out=tmp_path, budget="1s", **options)
    assert 1 <= result.seconds < 20
    assert result.steps > 3
    assert result.precision == "bfloat16"
    assert result.score < result.first_score
    assert load_weights(result.weights, architecture="denoise/1").tensors["0.weight"].dtype == "float32"


def test_an_error_of_the_batches_is_raised_and_their_thread_ends(tmp_path):
    class Broken(Denoise):
        def batch(self, step, device):
            if step == 3:
                raise ZeroDivisionError("step 3")
            return super().batch(step, device)

    with pytest.raises(ZeroDivisionError, match="step 3"):
        train(Broken(), out=tmp_path, budget="9steps", **OPTIONS)
    assert not [thread for thread in threading.enumerate() if thread.name == "hsgeo-batches"]


def test_ahead_keeps_the_order_and_no_more_than_its_depth():
    made = []
    with Ahead(lambda step: made.append(step) or step, start=5, depth=2) as items:
        assert [items.take() for _ in range(4)] == [5, 6, 7, 8]
        threading.Event().wait(0.05)
        assert made[-1] <= 8 + 3  # two wait, one is in the hand


@pytest.mark.parametrize(
    ("text", "steps", "seconds"),
    [("2000steps", 2000, None), ("1step", 1, None), ("90s", None, 90), ("30min", None, 1800), (" 1.5 h", None, 5400)],
)
def test_budgets(text, steps, seconds):
    assert Budget.parse(text) == Budget(steps, seconds)


@pytest.mark.parametrize("text", ["", "30", "0min", "0steps", "1.5steps", "-3min", "1e3steps", "nanh", "30 minutes"])
def test_bad_budgets(text):
    with pytest.raises(ConfigError, match="budget"):
        Budget.parse(text)


def test_the_learning_rate_rises_and_falls():
    rates = [learning_rate_at(f / 100, peak=2.0, warmup=0.1) for f in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == max(rates) == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[100] == 0
    assert learning_rate_at(0.0, peak=2.0, warmup=0.0) == 2.0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"device": "tpu"}, "the device is 'tpu'"),
        ({"precision": "float16"}, "the precision is 'float16'"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"warmup": 1.0}, "warmup is 1"),
        ({"threads": 0}, "threads is 0"),
        ({"ema": float("nan")}, "ema is nan"),
        ({"budget": "soon"}, "budget is 'soon'"),
    ],
)
def test_bad_arguments(changed, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        train(Denoise(), out=tmp_path / "new", **{"budget": "2steps", **OPTIONS, **changed})


def test_a_folder_that_cannot_be_is_told_before_the_training(tmp_path):
    (tmp_path / "file").touch()
    task = Denoise()
    with pytest.raises(ConfigError, match="cannot be the folder"):
        train(task, out=tmp_path / "file", budget="2steps", **OPTIONS)
    assert task.steps == []


def test_auto_precision_is_one_that_the_device_has():
    assert choose_precision("auto", device="cpu") in ("float32", "bfloat16")
    assert choose_precision("float32", device="cpu") == "float32"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_cuda_is_one_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="torch finds none"):
        train(Denoise(), out=tmp_path, budget="2steps", **OPTIONS | {"device": "cuda"})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_cuda(tmp_path):
    result = train(Denoise(), out=tmp_path, budget="30steps", **OPTIONS | {"device": "auto", "precision": "auto"})
    assert result.device.startswith("cuda")
    assert result.precision == "bfloat16"
    assert result.score < result.first_score

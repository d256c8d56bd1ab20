"""Fine-tuning: examples of the scene beside the usual ones, what is held out, and that it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hsgeo_diffusion.abundance.finetune import SceneTask
from hsgeo_diffusion.abundance.ground import grounds, lesson_of
from hsgeo_diffusion.abundance.learning import AbundanceTask
from hsgeo_diffusion.abundance.trainer import AbundancePriorTrainer

from hsgeo.errors import ConfigError
from hsgeo.nn import load_weights, train
from hsgeo.synthetic import random_spectra
from tests.plugins.hsgeo_diffusion.small import small_weights

BANDS = np.linspace(450, 2400, 16)
NOISE = 0.02


def striped(count=1, side=66, *, gain=None):
    """Patches of a ground that no landscape is like: three materials in slanted stripes three pixels wide."""
    rng = np.random.default_rng(4)
    E = random_spectra(rng, 3, BANDS, np.full(BANDS.size, 12.0))
    y, x = np.mgrid[:side, : count * side]
    A = np.moveaxis(np.eye(3)[((x + 0.4 * y) / 3).astype(int) % 3], -1, 0).astype(np.float32)
    A = np.stack(np.split(A, count, axis=2))
    A[:, :, :5, :5] = np.nan
    scale = 1 if gain is None else gain
    spectra = np.einsum("be,neyx->nbyx", E, A) * scale
    spectra += NOISE * rng.standard_normal(spectra.shape)
    maps = ("patch", "endmember", "y", "x")
    out = xr.Dataset(
        {
            "spectra": (("patch", "band", "y", "x"), spectra.astype(np.float32)),
            "abundance": (maps, A),
            "endmembers": (("endmember", "band"), E.T.astype(np.float32), {"scale": "peak" if gain else "physical"}),
        },
        {"wavelength": ("band", BANDS)},
        {"sensor": "toy", "product_id": "toy-1", "height": side, "width": side, "recipe": "hybridstu", "sha256": "0"},
    )
    return out if gain is None else out.assign(gain=(("patch", "y", "x"), np.full(A[:, 0].shape, gain)))


def test_what_is_judged_is_not_learnt_from():
    for count in (1, 3):
        patches = striped(count)
        learnt, held = grounds(patches)
        np.testing.assert_array_equal(np.concatenate([learnt.A, held.A], axis=0 if count > 1 else 2), patches.abundance)
    assert held.A.shape[0] == 1
    np.testing.assert_allclose(learnt.noise, NOISE, rtol=0.25)


def test_a_lesson_of_the_scene_has_its_mixture_its_noise_and_its_holes():
    ground, _ = grounds(striped(gain=2.0))
    first, again = (lesson_of(ground, np.random.default_rng(1), 96, factor=1.0) for _ in range(2))
    np.testing.assert_array_equal(first.noisy, again.noisy)
    valid = np.isfinite(first.noisy[0])
    assert valid.sum() == np.isfinite(ground.A[0, 0]).sum()  # the ground is smaller than the lesson
    assert first.peak
    np.testing.assert_allclose(first.A.sum(axis=0)[valid], 2, rtol=1e-5)
    np.testing.assert_allclose(np.std((first.noisy - first.clean)[:, valid], axis=1), ground.noise, rtol=0.1)
    np.testing.assert_allclose(first.noise, ground.noise, rtol=0.3)


def test_every_other_pair_of_batches_is_of_the_scene_and_the_others_are_as_before(tmp_path):
    weights = Path(small_weights(tmp_path / "w.safetensors"))
    straight, again = (SceneTask(striped(), weights=weights, channels=3) for _ in range(2))
    usual = AbundanceTask(channels=3)
    for step in (0, 2):
        straight.batch(step)
    one, two = straight.batch(3), again.batch(3)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["closed"].shape[1:] == (3, 96, 96)
    assert one["valid"].any()
    assert not one["valid"].all()  # the scene ends
    assert torch.equal(straight.batch(1)["maps"], usual.batch(1)["maps"])


def test_it_learns_the_scene_from_where_the_weights_were_and_the_card_says_which(tmp_path):
    weights = Path(small_weights(tmp_path / "w.safetensors"))
    task = SceneTask(striped(), weights=weights, channels=3)
    done = train(
        task, out=tmp_path / "out", budget="8steps", learning_rate=3e-2, ema=0.5, threads=1, device="cpu",
        validate_every=0.5, precision="float32", name="abundance-prior",
    )  # fmt: skip
    before = {name.removesuffix("_before"): value for name, value in done.metrics.items() if name.endswith("_before")}
    assert done.first_score == pytest.approx(np.mean(list(before.values())))
    assert done.score == pytest.approx((done.metrics["scene"] + done.metrics["generic"]) / 2)
    assert done.metrics["scene"] < 0.97 * before["scene"]
    card = load_weights(done.weights, architecture=task.architecture).card["data"]
    assert card["scene"]["product_id"] == "toy-1"
    assert card["start"] == {"weights": "w", "sha256": load_weights(weights, architecture=task.architecture).sha256}


def test_only_the_full_network_has_weights_to_start_from(tmp_path):
    with pytest.raises(ConfigError, match="size 'small' together with a scene"):
        AbundancePriorTrainer().train(
            out=tmp_path, budget="1steps", device="cpu", seed=0, size="small", precision="auto", threads=1,
            resume=False, command="", progress=lambda moment: None, finetune=striped(),
        )  # fmt: skip

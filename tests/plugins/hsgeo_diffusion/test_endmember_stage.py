"""The stage endmember-diffusion: corners, spectra, what it leaves alone, and what it says."""

import json

import numpy as np
import pytest
import torch
from hsgeo_diffusion.config import EndmemberDiffusionOptions
from hsgeo_diffusion.endmember.cloud import cloud_of
from hsgeo_diffusion.endmember.corners import are_pixels, better_corners, evidence
from hsgeo_diffusion.endmember.library import LibraryPrior, procedural_library
from hsgeo_diffusion.endmember.network import ARCHITECTURE, SpectrumDenoiser
from hsgeo_diffusion.endmember.reconstruct import reconstruct
from pydantic import ValidationError

import hsgeo
from hsgeo.errors import ConfigError
from hsgeo.nn import save_weights
from hsgeo.spectra.metrics import sad, sad_matrix
from hsgeo.synthetic import reflectance, synthetic_scene

WAVELENGTH = np.arange(420.0, 2450.0, 20.0)
WIDTH = np.full(len(WAVELENGTH), 20.0)
NAMES = ("green-vegetation", "soil", "water")
E = reflectance(NAMES, WAVELENGTH, WIDTH)


def image(snr, *, side=48, seed=0):
    """Return ``(bands, rows, cols)`` with noise: stripes of pure ground that run into each other."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 3, side, endpoint=False)
    A = np.stack([np.clip(1.5 - np.abs((x - 0.5 - k + 1.5) % 3 - 1.5) * 2, 0, 1) for k in range(3)])
    A = np.broadcast_to((A / A.sum(axis=0))[:, None], (3, side, side)).copy()
    Y = np.einsum("bp,pyx->byx", E, A)
    size = np.sqrt(np.mean(Y**2) * 10 ** (-snr / 10))
    return (Y + size * rng.standard_normal(Y.shape)).astype(np.float32)


def library():
    return LibraryPrior(procedural_library(WAVELENGTH, WIDTH, count=300), WAVELENGTH)


def pixels_as_endmembers(Y):
    """Take the purest pixel of every ground, noise and all, as VCA does, in the plane of the strongest directions."""
    flat = Y.reshape(len(Y), -1).astype(np.float64)
    basis = np.linalg.eigh(flat @ flat.T)[1][:, -3:]
    seen = basis.T @ flat
    unit = np.linalg.qr(basis.T @ E)[0]
    far = np.abs(unit.T @ seen)
    return basis @ seen[:, far.argmax(axis=1)]


@pytest.mark.parametrize("snr", [20.0, 10.0])
def test_single_pixels_become_means(snr):
    Y = image(snr)
    start = pixels_as_endmembers(Y)
    found = reconstruct(start, [Y], library(), rng=np.random.default_rng(0))
    assert are_pixels(start, found.cloud.pixels, found.cloud.noise)
    assert found.moved
    assert sad(found.E, E).mean() < 0.5 * sad(start, E).mean()
    np.testing.assert_allclose(np.linalg.norm(found.E, axis=0), np.linalg.norm(start, axis=0))  # lengths stay
    assert found.E.min() >= 0


def test_true_corners_stay_and_lose_their_noise():
    Y = image(20.0)
    start = E * (1 + 0.03 * np.random.default_rng(1).standard_normal(E.shape))
    found = reconstruct(E, [Y], library(), rng=np.random.default_rng(0))
    assert not found.moved
    noisy = reconstruct(start, [Y], library(), rng=np.random.default_rng(0))
    assert sad(noisy.E, E).mean() <= sad(start, E).mean()


def test_without_noise_nothing_is_touched():
    Y = image(80.0)
    start = E * (1 + 0.03 * np.random.default_rng(1).standard_normal(E.shape))
    found = reconstruct(start, [Y], library(), rng=np.random.default_rng(0))
    assert found.kept.all()
    np.testing.assert_array_equal(found.E, start)


def test_evidence_prefers_the_truth_to_wider_and_to_narrower_corners():
    cloud = cloud_of([image(20.0)], 5, rng=np.random.default_rng(0))
    true = cloud.inward(E)
    turned = true[:, [1, 0, 2]] * [1, 1, 0]  # vegetation and soil in each other's place, water in none
    found = [evidence(cloud, (1 - abs(share)) * true + share * turned) for share in (-0.2, 0.0, 0.2)]
    assert found[1] > max(found[0], found[2]) + 0.2
    assert evidence(cloud, 0 * true) == -np.inf


def test_corners_keep_their_order():
    cloud = cloud_of([image(10.0)], 5, rng=np.random.default_rng(0))
    given = cloud.inward(E)
    wrong = 0.6 * given + 0.4 * given.mean(axis=1, keepdims=True)
    for order in ([0, 1, 2], [2, 0, 1]):
        found = better_corners(cloud, wrong[:, order], margins=(0.0, 0.0), rng=np.random.default_rng(0))
        assert found.moved
        assert found.gain > 0
        assert sad_matrix(found.c, given[:, order]).argmin(axis=0).tolist() == [0, 1, 2]


def test_the_cloud_tells_its_error():
    errors, told = [], []
    for seed in range(4):
        cloud = cloud_of([image(10.0, seed=seed)], 5, rng=np.random.default_rng(0))
        clean = cloud_of([image(90.0)], 5, rng=np.random.default_rng(0))
        assert cloud.snr == pytest.approx(10.4, abs=0.5)  # noise counts to the pixels
        own = clean.basis[:, :3] * clean.noise[:, None] / clean.noise.mean()
        missed = own - cloud.basis @ (cloud.basis.T @ own)
        errors.append(np.sqrt(np.mean(missed**2)))
        told.append(np.sqrt(np.mean(cloud.wrong[:3])))
        assert cloud.left < 0.6  # a third of the noise's variance, or less, is left by the neighbours
    assert 0.3 < np.mean(errors) / np.mean(told) < 3


@pytest.mark.parametrize("broken", ["all missing", "black", "one pixel", "dead band", "constant band"])
def test_poor_samples_have_an_answer(broken):
    Y = image(20.0, side=16)
    if broken == "all missing":
        Y[:] = np.nan
    elif broken == "black":
        Y[:] = 0
    elif broken == "one pixel":
        Y = Y[:, :1, :1]
    elif broken == "dead band":
        Y[7] = 0
    else:
        Y[7] = 0.2
    found = reconstruct(E, [Y], library(), rng=np.random.default_rng(0))
    assert np.isfinite(found.E).all()
    if broken in ("all missing", "black", "one pixel"):
        np.testing.assert_array_equal(found.E, E)


def test_twins_and_zeros_among_the_endmembers():
    Y = image(20.0, side=24)
    twins = reconstruct(E[:, [0, 0, 1]], [Y], library(), rng=np.random.default_rng(0))
    assert np.isfinite(twins.E).all()
    zero = np.where(np.arange(3) == 1, 0.0, E)
    np.testing.assert_array_equal(reconstruct(zero, [Y], library(), rng=np.random.default_rng(0)).E, zero)
    one = reconstruct(E[:, :1], [Y], library(), rng=np.random.default_rng(0))
    assert np.isfinite(one.E).all()


def fitted(snr, *, start=None, **options):
    made = synthetic_scene(40, 40, names=("green-vegetation", "soil", "water"), snr_db=snr, seed=2)
    stages = [start or {"use": "vca", "with": {"count": 3}}, {"use": "endmember-diffusion", "with": options}, "fcls"]
    return made, hsgeo.fit(made.scene, stages=stages, options={"scene.bad_bands": [], "scene.screen": False}, seed=0)


@pytest.mark.parametrize("options", [{}, {"prior": "library"}])
def test_in_a_chain(options):
    _, state = fitted(15.0, **options)
    after = state["endmember-diffusion"]
    assert after["endmembers"].dtype == np.float32
    assert list(after["endmember"].values) == list(state["vca"]["endmember"].values)
    assert after.attrs["told"].startswith("endmembers made again")
    assert float(after.attrs["snr_db"]) == pytest.approx(15, abs=1)
    assert ("weights_sha256" in after.attrs) == (not options)
    again = fitted(15.0, **options)[1]["endmember-diffusion"]
    np.testing.assert_array_equal(again["endmembers"], after["endmembers"])


def test_a_clean_chain_is_untouched_in_every_bit():
    _, state = fitted(70.0)
    after = state["endmember-diffusion"]
    np.testing.assert_array_equal(after["endmembers"], state["vca"]["endmembers"])
    assert json.loads(after.attrs["kept"]) == list(after["endmember"].values)
    assert "left as they are" in after.attrs["told"]


def test_the_scale_stays():
    made, state = fitted(15.0, start={"use": "vca", "with": {"count": 3, "scale": "peak"}})
    E = state["endmember-diffusion"]["endmembers"]
    np.testing.assert_allclose(np.abs(E).max("band"), 1, rtol=1e-6)
    product = hsgeo.unmix(made.scene, state=state)
    assert "gain" in product


def test_a_users_library(tmp_path):
    grid = np.arange(380.0, 2520.0, 5.0)
    spectra = reflectance(["green-vegetation", "soil", "water"], grid, np.full(len(grid), 5.0))
    rows = ["wavelength," + ",".join(NAMES)]
    rows += [f"{w}," + ",".join(f"{v:.6f}" for v in line) for w, line in zip(grid, spectra, strict=True)]
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n")
    _, state = fitted(15.0, prior="library", library=str(tmp_path / "mine.csv"))
    assert state["endmember-diffusion"].attrs["prior"] == "library, 3 spectra"


def test_options_that_do_not_go_together():
    for wrong in ({"prior": "library", "weights": "w"}, {"library": "l.csv"}, {"seed": 1}, {"prior": "both"}):
        with pytest.raises(ValidationError):
            EndmemberDiffusionOptions(**wrong)


@pytest.mark.parametrize("wrong", ["missing", "truncated", "foreign", "reshaped"])
def test_bad_weights_are_one_clear_error(tmp_path, wrong):
    path = tmp_path / "w.safetensors"
    torch.manual_seed(0)
    config = {"widths": [8, 8, 16], "kernel": 3}
    tensors = SpectrumDenoiser(**config).state_dict()
    name = "hybridstu-zero/1" if wrong == "foreign" else ARCHITECTURE
    if wrong == "reshaped":
        config = {"widths": [8, 16, 16], "kernel": 3}
    save_weights(path, tensors, architecture=name, config=config, card={})
    if wrong == "missing":
        path.unlink()
    elif wrong == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match=str(path.name)):
        fitted(15.0, weights=str(path))

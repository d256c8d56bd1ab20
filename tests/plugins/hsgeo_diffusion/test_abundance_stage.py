"""The stage in a run: without noise nothing moves, shares are recorded, samples are there, bad weights are refused."""

import numpy as np
import pytest

import hsgeo
from hsgeo.cli import main
from hsgeo.synthetic import synthetic_scene
from tests.plugins.hsgeo_diffusion.small import CONFIG, small_weights
from tests.scenes import WAVELENGTH, endmembers, make_scene, save

NAMES = ("dry-vegetation", "soil", "asphalt", "concrete", "water")
AS_IT_IS = {"scene.bad_bands": [], "scene.screen": False}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return small_weights(tmp_path_factory.mktemp("weights") / "w.safetensors")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    rows = ["name," + ",".join(f"{w:.6f}" for w in WAVELENGTH)]
    rows += [f"m{k}," + ",".join(f"{v:.6f}" for v in e) for k, e in enumerate(endmembers())]
    path = tmp_path_factory.mktemp("library") / "e.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def land():
    """Return a landscape, not single pixels: there are neighbours to learn from."""
    return synthetic_scene(40, 36, names=NAMES, snr_db=10.0, seed=2)


def refined(scene, library, weights, *, before=(), **options):
    stages = [*before, {"use": "abundance-diffusion", "with": {"weights": weights, **options}}]
    return hsgeo.unmix(scene, stages=stages, endmembers=library, options=AS_IT_IS)


def closed_form(scene, library, names=slice(None)):
    found = hsgeo.unmix(scene, stages=[{"use": "fcls"}], endmembers=library, options=AS_IT_IS)
    return found["abundance"].sel(endmember=names).values


def test_without_noise_nothing_moves(library, weights):
    scene = make_scene(24, 20, noise=0)
    product = refined(scene, library, weights).compute()
    np.testing.assert_allclose(product["abundance"], closed_form(scene, library), atol=1e-4)
    assert float(product["prior_influence"].max()) < 1e-4


def test_one_estimate_alone_is_that_estimate(land, weights):
    found = refined(land.scene, land.truth, weights, choose="pixelwise")["abundance"].sel(endmember=list(NAMES)).values
    np.testing.assert_allclose(found, closed_form(land.scene, land.truth, list(NAMES)), atol=1e-6, equal_nan=True)
    smooth = refined(land.scene, land.truth, weights, choose="vector-tv")["abundance"].sel(endmember=list(NAMES)).values
    truth = land.abundance.sel(endmember=list(NAMES)).values
    assert np.nanmean((smooth - truth) ** 2) < 0.85 * np.nanmean((found - truth) ** 2)


def fitted(land, weights, *before):
    stages = [*before, {"use": "abundance-diffusion", "with": {"weights": weights}}]
    return hsgeo.fit(land.scene, stages=stages, endmembers=land.truth, options=AS_IT_IS)["abundance-diffusion"]


def test_the_shares_are_recorded_and_sum_to_one(land, weights):
    found = fitted(land, weights)
    assert list(found["candidate"].values) == ["pixelwise", "vector-tv", "first", "network"]
    shares = found["share"].values
    assert (shares >= 0).all()
    assert shares.sum() == pytest.approx(1)
    assert shares[3] < 0.5  # random weights are no good network: Stein's estimate says so without the truth
    assert np.isnan(found["risk"].values[2])  # there is no stage before


def test_an_earlier_stage_is_heard_if_it_says_more_than_the_pixel(land, weights):
    after_tv = fitted(land, weights, {"use": "vector-tv"})
    assert bool(after_tv["informed"])
    assert np.isfinite(after_tv["risk"].values).all()
    assert not bool(fitted(land, weights, {"use": "fcls"})["informed"])


def test_samples_make_spread_and_quantiles(library, weights):
    scene = make_scene(24, 20, noise=0.03)
    scene["spectra"].values[:, 3, 4] = np.nan
    options = {"samples": 5, "steps": 2, "quantiles": [0.2, 0.5, 0.8], "keep_samples": True}
    product = refined(scene, library, weights, **options).compute()
    samples = product["abundance_sample"].transpose("sample", "endmember", "y", "x").values
    known = np.isfinite(product["abundance"].values[0])
    assert not known[3, 4]
    np.testing.assert_allclose(samples.sum(axis=1)[:, known], 1, atol=1e-5)
    assert product["abundance_std"].values[:, known].max() > 1e-3
    quantiles = product["abundance_quantile"].transpose("quantile", ...).values[..., known]
    assert (np.diff(quantiles, axis=0) >= 0).all()
    again = refined(scene, library, weights, **options, choose="blend").compute()
    np.testing.assert_array_equal(again["abundance_sample"], product["abundance_sample"])


def test_missing_pixels_stay_missing(library, weights):
    scene = make_scene(16, 12, noise=0.01)
    scene["spectra"].values[:, 3, 4] = np.nan
    scene["spectra"].values[5:7, 8, 8] = np.nan
    missing = np.isnan(refined(scene, library, weights)["abundance"].values)
    assert missing[:, 3, 4].all()
    assert missing.sum() == len(missing)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "do not exist"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "truncated, corrupt"),
        (lambda path: small_weights(path, architecture="hybridstu-zero/1"), "architecture"),
        (lambda path: small_weights(path, config=CONFIG | {"widths": "wide"}), "makes no network"),
    ],
)
def test_bad_weights_are_one_clear_error(tmp_path, library, spoil, said, capsys):
    save(make_scene(16, 12, noise=0.01), tmp_path / "scene.zarr")
    small_weights(tmp_path / "w.safetensors")
    spoil(tmp_path / "w.safetensors")
    (tmp_path / "r.yaml").write_text("hsgeo: 1\nname: r\nstages: [{use: abundance-diffusion}]\n")
    call = ["unmix", "--input", tmp_path / "scene.zarr", "--out", tmp_path / "p.zarr", "--recipe", tmp_path / "r.yaml"]
    call += ["--endmembers", library, "-o", f"abundance-diffusion.weights={tmp_path / 'w.safetensors'}", "--quiet"]
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in call])
    assert stop.value.code == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert sum(line.startswith("Error:") for line in heard.splitlines()) == 1
    assert not (tmp_path / "p.zarr").exists()


@pytest.mark.parametrize("options", [{"samples": 1}, {"quantiles": [0.5, 0.1]}, {"turns": 3}, {"choose": "tv"}])
def test_bad_options_are_refused(library, weights, options):
    with pytest.raises(hsgeo.errors.ConfigError):
        refined(make_scene(8, 8), library, weights, **options)


@pytest.mark.parametrize("choose", ["blend", "network"])
def test_one_endmember_and_twins_are_no_error(weights, library, choose):
    scene = make_scene(16, 12, noise=0.01)
    known = hsgeo.open_library(library)
    for which, share in (([0], 1.0), ([0, 0], 0.5)):
        given = known.isel(spectrum=which).assign_coords(name=("spectrum", [f"a{k}" for k in range(len(which))]))
        found = refined(scene, given, weights, choose=choose)["abundance"].values
        np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
        if len(which) == 1:
            np.testing.assert_allclose(found, share, atol=1e-6)


def test_earlier_abundances_need_not_sum_to_one(land, weights):
    stages = [{"use": "nnls"}, {"use": "abundance-diffusion", "with": {"weights": weights}}]
    found = hsgeo.unmix(land.scene, stages=stages, endmembers=land.truth, options=AS_IT_IS)["abundance"].values
    known = np.isfinite(found[0])
    np.testing.assert_allclose(found.sum(axis=0)[known], 1, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_scene_that_is_mostly_empty_is_fitted_where_it_is_not(library, weights, seed):
    scene = make_scene(300, 300, noise=0.01)
    scene["spectra"].values[:, 40:] = np.nan
    stages = [{"use": "abundance-diffusion", "with": {"weights": weights, "choose": "pixelwise"}}]
    state = hsgeo.fit(scene, stages=stages, endmembers=library, options=AS_IT_IS, seed=seed)
    assert np.isfinite(state["abundance-diffusion"]["band_noise"]).all()

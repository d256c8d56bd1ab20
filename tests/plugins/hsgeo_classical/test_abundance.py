"""The abundance stages: what they declare is what they do."""

from functools import partial

import numpy as np
import pytest
import xarray as xr
from hsgeo_classical.abundance.bvls import Bvls
from hsgeo_classical.abundance.fcls import Fcls
from hsgeo_classical.abundance.nnls import Nnls
from hsgeo_classical.abundance.ucls import Ucls
from hsgeo_classical.config import AbundanceOptions, BvlsOptions, FclsOptions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import hsgeo
from hsgeo.errors import ConfigError
from hsgeo.plugin import Layout
from hsgeo.product.convention import check_product
from hsgeo.spectra import solvers
from hsgeo.spectra.noise import noise_std
from hsgeo.stages.context import Fitting
from hsgeo.testing.scenes import known_scene

BANDS = 12
LAYOUT = Layout(2, 3, tuple(np.linspace(500.0, 800.0, BANDS)), (10.0,) * BANDS, endmembers=("a", "b"))
CTX = Fitting(seed=0, stage="fcls")
PEAK = {"scale": "peak"}


def problem(seed=0, pixels=30):
    """Spectra ``(bands, pixels)`` and endmembers ``(bands, 2)``; a missing band, a missing and a black pixel."""
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.1, 0.9, (BANDS, 2)).astype(np.float32)
    Y = (E @ rng.dirichlet(np.ones(2), pixels).T * rng.uniform(0.4, 1, pixels)).astype(np.float32)
    Y += rng.normal(0, 1, Y.shape).astype(np.float32) * np.linspace(0.001, 0.02, BANDS, dtype=np.float32)[:, None]
    Y[:, 4], Y[3, 5], Y[:, 6] = np.nan, np.nan, 0
    return Y, E


def unmixed(stage, Y, E, attrs=None, layout=LAYOUT):
    """Fit on the pixels and apply to them, as the runner does."""
    given = xr.DataArray(E.T, dims=("endmember", "band"), coords={"endmember": ["a", "b"]}, attrs=attrs or {})
    windows = xr.Dataset({"spectra": (("band", "pixel"), Y)})
    state = stage.fit(windows.assign(endmembers=given), CTX)
    state = state if "endmembers" in state else state.assign(endmembers=given)
    out = stage.setup(state, "cpu").apply(windows, CTX)
    declared = stage.outputs(layout)
    assert set(out.data_vars) == {name for name, spec in declared.items() if spec.scope == "tile"}
    return out, declared


@pytest.mark.parametrize(
    ("stage", "solver", "total"),
    [
        (Fcls(FclsOptions()), solvers.fcls, "one"),
        (Nnls(AbundanceOptions()), solvers.nnls, "free"),
        (Ucls(AbundanceOptions()), solvers.ucls, "free"),
        (Bvls(BvlsOptions(upper=0.6)), partial(solvers.bvls, upper=0.6), "free"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_blocks_are_solved_as_declared(stage, solver, total):
    Y, E = problem()
    assert stage.fit_needs(LAYOUT) is None
    out, declared = unmixed(stage, Y, E)
    assert declared["abundance"].sum == total
    assert out["abundance"].dims == ("endmember", "pixel")
    np.testing.assert_array_equal(out["abundance"].values.T, solver(Y.T, E))
    assert np.flatnonzero(np.isnan(out["rmse"].values)).tolist() == [4]


def test_endmembers_of_unit_peak_bring_a_gain():
    Y, E = problem()
    peak = Layout(**{**vars(LAYOUT), "scale": "peak"})
    stage = Fcls(FclsOptions())
    assert "gain" not in stage.outputs(LAYOUT)
    out, _ = unmixed(stage, Y, E / E.max(axis=0), PEAK, peak)
    A, gain = solvers.scls(Y.T, E / E.max(axis=0))
    np.testing.assert_array_equal(out["abundance"].values.T, A)
    np.testing.assert_array_equal(out["gain"].values, gain)
    assert np.isnan(A[[4, 6]]).all()  # missing, and black
    always, _ = unmixed(Fcls(FclsOptions(gain="pixel")), Y, E / E.max(axis=0))
    assert always["gain"].equals(out["gain"])
    never, _ = unmixed(Fcls(FclsOptions(gain="none")), Y, E / E.max(axis=0), PEAK, peak)
    assert "gain" not in never


def test_shade_is_an_endmember_or_is_divided_out():
    Y, E = problem()
    explicit, declared = unmixed(Fcls(FclsOptions(shade="explicit")), Y, E)
    assert explicit["endmember"].values.tolist() == ["a", "b", "shade"]
    assert declared["abundance"].attrs["shade"] == "explicit"
    A = solvers.fcls(Y.T, np.c_[E, np.zeros(BANDS)]).T
    np.testing.assert_array_equal(explicit["abundance"].values, A)
    assert A[2, 6] == pytest.approx(1)  # a black pixel is all shade
    normalised, declared = unmixed(Fcls(FclsOptions(shade="normalised")), Y, E)
    assert declared["abundance"].attrs["shade"] == "normalised"
    np.testing.assert_allclose(normalised["gain"], 1 - A[2], atol=1e-6)
    assert np.isnan(normalised["abundance"].values[:, 6]).all()  # and has no composition without it
    A[:, 6] = np.nan
    np.testing.assert_allclose(normalised["abundance"], A[:2] / A[:2].sum(axis=0), atol=1e-6)


def test_weights_and_errors_come_from_the_noise():
    Y, E = problem(pixels=400)
    out, _ = unmixed(Fcls(FclsOptions(weights="noise", std=True)), Y, E)
    noise = noise_std(Y.T)
    assert np.corrcoef(noise, np.linspace(0.001, 0.02, BANDS))[0, 1] > 0.9
    A = solvers.gls(Y.T, E, noise)
    np.testing.assert_allclose(out["abundance"].values.T, A, atol=1e-5)
    np.testing.assert_allclose(out["rmse"], solvers.residual_rmse(Y, E, A.T), rtol=1e-4)
    std = solvers.abundance_std(E, A, noise=noise, weighted=True, valid=np.isfinite(Y.T))
    np.testing.assert_allclose(out["abundance_std"].values.T, std, atol=1e-6)
    plain, _ = unmixed(Fcls(FclsOptions(std=True)), Y, E)
    inside = np.isfinite(std).all(axis=1) & (std > 0).all(axis=1)
    assert (plain["abundance_std"].values.T[inside] > 0.999 * std[inside]).all()  # no weights are better than these


def test_a_dead_band_does_not_rule_the_weights():
    Y, E = problem(pixels=400)
    Y[2] = 0.25
    out, _ = unmixed(Fcls(FclsOptions(weights="noise", std=True)), Y, E)
    good = np.delete(np.arange(400), [4, 6])
    assert np.isfinite(out["abundance"].values[:, good]).all()
    assert np.isfinite(out["abundance_std"].values[:, good]).all()


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["none", "explicit", "normalised"]),
    st.sampled_from(["none", "noise"]),
    st.sampled_from(["physical", "peak"]),
)
def test_whatever_the_options_shares_are_shares(seed, shade, weights, scale):
    Y, E = problem(seed)
    layout = Layout(**{**vars(LAYOUT), "scale": scale})
    out, _ = unmixed(Fcls(FclsOptions(shade=shade, weights=weights, std=True)), Y, E, {"scale": scale}, layout)
    A, std = out["abundance"].values.astype(float), out["abundance_std"].values
    assert ((A >= 0) | np.isnan(A)).all()
    np.testing.assert_allclose(A.sum(axis=0)[np.isfinite(A).all(axis=0)], 1, atol=1e-5)
    np.testing.assert_array_equal(np.isnan(A), np.isnan(std))
    if "gain" in out:
        rebuilt = (out["gain"].values * (E @ A[:2]))[:, 7:]
        np.testing.assert_allclose(np.sqrt(np.mean((Y[:, 7:] - rebuilt) ** 2, axis=0)), out["rmse"][7:], rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "attrs", "names", "variables"),
    [
        ({}, ("one", "peak", "none"), 3, {"gain"}),
        ({"gain": "none", "std": True}, ("one", "peak", "none"), 3, {"abundance_std"}),
        ({"shade": "explicit"}, ("one", "peak", "explicit"), 4, set()),
        ({"shade": "normalised", "weights": "noise"}, ("one", "peak", "normalised"), 3, {"gain"}),
    ],
)
def test_the_product_says_what_its_numbers_mean(options, attrs, names, variables):
    scene = known_scene().scene
    scene["spectra"].values[:, 3, 4] = 0  # in every band: black
    stages = [{"use": "vca", "with": {"count": 3, "scale": "peak", "restarts": 2}}, {"use": "fcls", "with": options}]
    product = hsgeo.unmix(scene, stages=stages, notice=lambda text: None).compute()
    check_product(product, values=True)
    assert tuple(product.attrs[key] for key in ("sum", "scale", "shade")) == attrs
    assert product.sizes["endmember"] == names
    assert {"gain", "abundance_std"} & set(product.data_vars) == variables
    assert float(product["endmembers"].max()) == 1
    assert bool(np.isnan(product["abundance"].values[0, 3, 4])) == ("gain" in variables)


def test_given_endmembers_keep_their_scale():
    scene = known_scene().scene
    stages = [{"use": "vca", "with": {"count": 3, "scale": "peak", "restarts": 2}}, {"use": "fcls"}]
    first = hsgeo.unmix(scene, stages=stages, notice=lambda text: None).compute()
    again = hsgeo.unmix(scene, stages=stages[1:], endmembers=first, notice=lambda text: None).compute()
    assert again.attrs["scale"] == "peak"
    np.testing.assert_array_equal(again["gain"], first["gain"])


@pytest.mark.parametrize("options", [{}, {"gain": "pixel"}, {"shade": "normalised", "weights": "noise", "std": True}])
def test_a_gpu_finds_the_same(options):
    torch = pytest.importorskip("torch")  # an optional dependency
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    Y, E = problem(pixels=400)
    stage = Fcls(FclsOptions(**options))
    given = xr.DataArray(E.T, dims=("endmember", "band"), coords={"endmember": ["a", "b"]})
    windows = xr.Dataset({"spectra": (("band", "pixel"), Y)})
    state = stage.fit(windows.assign(endmembers=given), CTX).assign(endmembers=given)
    cpu, cuda = (stage.setup(state, device).apply(windows, CTX) for device in ("cpu", "cuda"))
    for name in cpu.data_vars:
        np.testing.assert_allclose(cuda[name], cpu[name], atol=stage.needs(LAYOUT).tolerance)


def test_options_that_contradict():
    with pytest.raises(ValidationError, match="either"):
        FclsOptions(gain="pixel", shade="explicit")
    with pytest.raises(ValidationError, match="below"):
        BvlsOptions(lower=1, upper=1)


def test_no_endmembers_and_shade_twice():
    with pytest.raises(ConfigError, match="no endmembers"):
        Fcls(FclsOptions()).setup(xr.Dataset(), "cpu")
    Y, E = problem()
    twice = xr.DataArray(E.T, dims=("endmember", "band"), coords={"endmember": ["a", "shade"]})
    sample = xr.Dataset({"spectra": (("band", "pixel"), Y), "endmembers": twice})
    with pytest.raises(ConfigError, match="already"):
        Fcls(FclsOptions(shade="explicit")).fit(sample, CTX)

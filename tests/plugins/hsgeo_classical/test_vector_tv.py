"""The stage vector-tv: what it learns, and that it is the function it names."""

import numpy as np
import pytest
import xarray as xr
from hsgeo_classical.abundance.vector_tv import VectorTv
from hsgeo_classical.config import VectorTvOptions

import hsgeo
from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.plugin import Layout
from hsgeo.spectra.calibrated import calibrated_noise
from hsgeo.spectra.solvers import vector_tv
from hsgeo.stages.context import Fitting
from hsgeo.synthetic import random_field, random_spectra

WAVELENGTH = np.linspace(420, 2400, 30)


def scene(size=40, *, peak=False):
    rng = np.random.default_rng(0)
    E = random_spectra(rng, 3, WAVELENGTH).astype(np.float64)
    E = E / E.max(axis=0) if peak else E
    A = np.asarray(random_field(rng, size, size, 3))
    Y = np.tensordot(E, A, 1) + 0.03 * rng.standard_normal((30, size, size))
    given = xr.DataArray(
        E.T, dims=("endmember", "band"), coords={"endmember": ["a", "b", "c"]}, attrs={"scale": "peak"} if peak else {}
    )
    return Y.astype(np.float32), given, A


def rmse(a, b):
    return float(np.sqrt(np.mean((a - b) ** 2)))


@pytest.mark.parametrize("peak", [False, True])
def test_it_learns_the_noise_and_a_weight_and_is_better_for_it(peak):
    Y, given, A = scene(peak=peak)
    stage = VectorTv(VectorTvOptions())
    sample = xr.Dataset({"spectra": (("patch", "band", "y", "x"), Y[None]), "endmembers": given})
    state = stage.fit(sample, Fitting(seed=0, stage="vector-tv"))
    assert np.sqrt(np.mean(state["band_noise"].values ** 2)) == pytest.approx(0.03, rel=0.03)
    assert float(state["tv_weight"]) in state["tv_weights"].values
    windows = xr.Dataset({"spectra": (("window", "band", "y", "x"), Y[None])})
    out = stage.setup(state.assign(endmembers=given), "cpu").apply(windows, None)
    layout = Layout(40, 40, tuple(WAVELENGTH), (10.0,) * 30, endmembers=("a", "b", "c"), scale=given.attrs.get("scale"))
    assert set(out.data_vars) == set(stage.outputs(layout))
    found = vector_tv(
        np.moveaxis(Y, 0, -1),
        given.values.T,
        noise=state["band_noise"].values,
        weight=float(state["tv_weight"]),
        peak=peak,
    )
    np.testing.assert_array_equal(out["abundance"][0].transpose("y", "x", "endmember"), found.A)
    alone = vector_tv(np.moveaxis(Y, 0, -1), given.values.T, noise=0.03, weight=0.0, peak=peak)
    truth = np.moveaxis(A, 0, -1)
    assert rmse(found.A, truth) < 0.7 * rmse(alone.A, truth)
    fitted = np.einsum("eb,eyx->byx", given, out["abundance"][0]) * (out["gain"][0].values if peak else 1)
    np.testing.assert_allclose(out["rmse"][0], np.sqrt(np.mean((Y - fitted) ** 2, axis=0)), rtol=1e-4)


def test_seeds_and_state_say_all_in_a_whole_run():
    Y, given, _ = scene()
    image = xr.Dataset({"spectra": (("band", "y", "x"), Y)}, {"wavelength": ("band", WAVELENGTH)})
    image = image.hsu.standardize(quantity="reflectance", fwhm=[10.0] * 30)
    library = xr.Dataset(
        {"spectra": (("spectrum", "band"), given.values)},
        {"name": ("spectrum", ["a", "b", "c"]), "wavelength": ("band", WAVELENGTH)},
    )
    stages = [{"use": "vector-tv", "with": {"core": 16, "margin": 8}}]
    with pytest.warns(HsgeoWarning, match="no CRS"):
        one, other = (hsgeo.unmix(image, stages=stages, endmembers=library, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one["abundance"], other["abundance"])
    assert float(one["abundance"].sum("endmember").min()) == pytest.approx(1, abs=1e-5)


def test_a_given_weight_needs_no_patches_and_no_endmembers_are_an_error():
    layout = Layout(40, 40, tuple(WAVELENGTH), (10.0,) * 30)
    assert VectorTv(VectorTvOptions()).fit_needs(layout).kind == "patches"
    stage = VectorTv(VectorTvOptions(weight=0.7))
    assert stage.fit_needs(layout).kind == "pixels"
    pixels = np.random.default_rng(0).random((30, 50)).astype(np.float32)
    state = stage.fit(xr.Dataset({"spectra": (("band", "pixel"), pixels)}), Fitting(seed=0, stage="vector-tv"))
    np.testing.assert_array_equal(state["band_noise"], calibrated_noise(pixels.T))
    with pytest.raises(ConfigError, match="no endmembers"):
        stage.setup(state, "cpu")

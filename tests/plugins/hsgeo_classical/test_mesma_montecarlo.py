"""Monte-Carlo SMA and MESMA: the published rules, written once more with scipy, and noise that belongs to pixels."""

import numpy as np
import pytest
from hsgeo_classical.mesma.classes import classed
from hsgeo_classical.mesma.montecarlo import draw_combinations, monte_carlo, pixel_keys
from scipy.optimize import lsq_linear

from hsgeo.errors import ConfigError
from hsgeo.spectra.library import read_library


@pytest.fixture(scope="module")
def berlin(data_dir):
    library = read_library(data_dir / "libraries" / "library_berlin.sli")
    with np.load(data_dir / "unmixing" / "enmap_berlin_simulated.npz") as cube:
        Y = (cube["image"].reshape(-1, 177) / cube["scale"]).astype(np.float32)
    return Y[::400], library["spectra"].values.T.astype(float), library["level_3"].values.astype(str), library


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(5)
    wavelength = np.linspace(400, 2400, 50)
    E = np.abs(np.cumsum(rng.normal(size=(50, 12)), axis=0)) * 0.03 + 0.05
    A = rng.dirichlet(np.full(12, 0.4), 40) * rng.uniform(0.4, 1.0, (40, 1))
    Y = (A @ E.T + 0.002 * rng.normal(size=(40, 50))).astype(np.float32)
    return Y, E, list("aabbbccccddd"), wavelength


def divided(spectrum, wavelength, normalization):
    if normalization == "none":
        return 1.0
    if normalization == "brightness":
        wet = ((wavelength >= 1300) & (wavelength <= 1500)) | ((wavelength >= 1800) & (wavelength <= 2000))
        return np.sqrt(np.mean(spectrum[~wet] ** 2))
    return spectrum[np.argmin(np.abs(wavelength - normalization))] / 0.5


def published(Y, E, classes, draws, wavelength, normalization, best):
    """EMIT's rules, one pixel, draw and combination after the other."""
    names = list(dict.fromkeys(classes))
    lengths = np.array([divided(e, wavelength, normalization) for e in E.T])
    out = []
    for y in Y.astype(float):
        target = y / divided(y, wavelength, normalization)
        rows, costs, sums = [], [], []
        for draw in draws:
            cost, x = np.inf, None
            for pick in draw:
                fit = lsq_linear(E[:, pick] / lengths[pick], target, (0, 1), method="bvls", tol=1e-12)
                if fit.cost < cost:
                    cost, x = fit.cost, (pick, fit.x)
            pick, values = x
            shares = [values[[classes[i] == name for i in pick]].sum() / values.sum() for name in names]
            rows.append(shares)
            costs.append(cost)
            sums.append(values.sum())
        rows = np.array(rows)
        chosen = int(np.argmin(costs))
        mean = rows[chosen] if best else rows.mean(axis=0)
        out.append((mean, rows.std(axis=0, ddof=1), sums[chosen] if best else np.mean(sums)))
    return tuple(np.array(part) for part in zip(*out, strict=True))


@pytest.mark.parametrize("normalization", ["none", "brightness", 1600.0])
@pytest.mark.parametrize(("mode", "best"), [("sma", True), ("sma", False), ("mesma", True), ("mesma", False)])
def test_the_published_rules(small, mode, best, normalization):
    Y, E, classes, wavelength = small
    draws = draw_combinations(
        classed(E, classes), np.random.default_rng(2), mode=mode, draws=4, num_endmembers=8, max_combinations=9
    )
    found = monte_carlo(Y, E, classes, draws, best=best, normalization=normalization, wavelength=wavelength)
    F, std, gain = published(Y, E, np.array(classes), draws, wavelength, normalization, best)
    np.testing.assert_allclose(found.fractions, F, atol=1e-5)
    np.testing.assert_allclose(found.std, std, atol=1e-5)
    np.testing.assert_allclose(found.gain, gain, rtol=1e-5)


@pytest.mark.parametrize("best", [True, False])
def test_the_published_rules_on_berlin(berlin, best):
    Y, E, classes, library = berlin
    wavelength = library["wavelength"].values
    draws = draw_combinations(classed(E, classes), np.random.default_rng(0), mode="sma", draws=5)
    found = monte_carlo(Y, E, classes, draws, best=best, wavelength=wavelength)
    F, std, _ = published(Y, E, classes, draws, wavelength, "brightness", best)
    np.testing.assert_allclose(found.fractions, F, atol=1e-3)
    np.testing.assert_allclose(found.std, std, atol=1e-3)


def test_rmse_is_that_of_the_reported_coefficients(small):
    Y, E, classes, wavelength = small
    every = np.arange(12)[None, None, :]
    found = monte_carlo(Y, E, classes, every, normalization="none")
    for y, rmse in zip(Y[:5].astype(float), found.rmse, strict=False):
        fit = lsq_linear(E, y, (0, 1), method="bvls", tol=1e-12)
        np.testing.assert_allclose(rmse, np.sqrt(np.mean((y - E @ fit.x) ** 2)), rtol=1e-5)
    scaled = monte_carlo(Y, E, classes, every, normalization="brightness", wavelength=wavelength)
    np.testing.assert_allclose(scaled.rmse, found.rmse, rtol=0.05)  # only the upper bound of 1 differs


def test_draws_deal_evenly_and_cross_once(small):
    _, E, classes, _ = small
    library = classed(E, classes)
    dealt = draw_combinations(library, np.random.default_rng(0), mode="sma", draws=30, num_endmembers=10)
    for row in dealt[:, 0]:
        assert len(set(row)) == 10
        assert np.bincount(library.member[row], minlength=4).tolist() == [2, 3, 3, 2]
    assert len({tuple(row) for row in dealt[:, 0]}) > 20
    assert draw_combinations(library, np.random.default_rng(0), mode="sma", num_endmembers=99).shape == (20, 1, 12)
    crossed = draw_combinations(library, np.random.default_rng(0), mode="mesma", draws=2, max_combinations=50)
    assert all(len({tuple(row) for row in draw}) == 50 for draw in crossed)
    assert (library.member[crossed] == np.arange(4)).all()
    whole = draw_combinations(library, np.random.default_rng(0), mode="mesma", draws=1, max_combinations=10**6 // 20)
    assert whole.shape == (1, 2 * 3 * 4 * 3, 4)


def test_noise_is_normal_and_belongs_to_the_pixel():
    bands, pixels = 40, 500
    Y = np.full((pixels, bands), 0.5, np.float32)
    row, col = np.divmod(np.arange(pixels), 25)
    every = np.arange(bands)[None, None, :]
    # an identity as library: the coefficients are the noised pixel itself
    names = [f"b{i}" for i in range(bands)]
    kwargs = {"normalization": "none", "uncertainty": 0.02}
    found = monte_carlo(Y, np.eye(bands), names, every, keys=pixel_keys(row, col, 3), **kwargs)
    noise = found.fractions * found.gain[:, None] - 0.5
    assert abs(noise.mean()) < 4 * 0.02 / np.sqrt(noise.size)
    np.testing.assert_allclose(noise.std(), 0.02, rtol=0.03)
    assert abs(np.mean((noise / 0.02) ** 4) - 3) < 0.2
    for turned in (noise[1:], noise[25:], np.roll(noise, 1, axis=1)):
        assert abs(np.corrcoef(noise[: len(turned)].ravel(), turned.ravel())[0, 1]) < 0.03
    order = np.random.default_rng(0).permutation(pixels)
    again = monte_carlo(Y, np.eye(bands), names, every, keys=pixel_keys(row[order], col[order], 3), **kwargs)
    assert again.fractions.tobytes() == found.fractions[order].tobytes()
    other = monte_carlo(Y, np.eye(bands), names, every, keys=pixel_keys(row, col, 4), **kwargs)
    assert not np.array_equal(other.gain, found.gain)
    spread = monte_carlo(Y, np.eye(bands), names, np.repeat(every, 200, axis=0), best=False, **kwargs)
    np.testing.assert_allclose(np.median(spread.std), 0.02 / (0.5 * bands), rtol=0.05)


def test_missing_bands_dark_pixels_and_single_draws(small):
    Y, E, classes, wavelength = small
    draws = draw_combinations(classed(E, classes), np.random.default_rng(2), mode="sma", draws=3, num_endmembers=8)
    holes = Y.copy()
    holes[1, 4], holes[2], holes[3] = np.nan, np.nan, 0.0
    found = monte_carlo(holes, E, classes, draws, wavelength=wavelength, uncertainty=0.001)
    assert np.isnan(found.rmse).nonzero()[0].tolist() == [2, 3]
    assert np.isnan(found.fractions[2:4]).all()
    clean = monte_carlo(holes[:2], E, classes, draws, normalization="none")
    keep = np.delete(np.arange(50), 4)
    alone = monte_carlo(Y[1:2, keep], E[keep], classes, draws, normalization="none")
    np.testing.assert_allclose(clean.fractions[1], alone.fractions[0], atol=1e-6)
    np.testing.assert_allclose(clean.std[1], alone.std[0], atol=1e-6)
    assert np.isnan(monte_carlo(Y, E, classes, draws[:1], normalization="none").std).all()


def test_what_cannot_be_done_is_said(small):
    Y, E, classes, wavelength = small
    draws = np.arange(12)[None, None, :]
    for given, said in (
        ({}, "wavelengths"),
        ({"wavelength": wavelength, "normalization": 9000.0}, "normalization=9000"),
        ({"wavelength": wavelength, "normalization": "sum"}, "normalization='sum'"),
        ({"normalization": "none", "uncertainty": -1.0}, "uncertainty"),
    ):
        with pytest.raises(ConfigError, match=said):
            monte_carlo(Y, E, classes, draws, **given)
    with pytest.raises(ConfigError, match="no brightness"):
        monte_carlo(Y, np.column_stack([E[:, :11], np.zeros(50)]), classes, draws, wavelength=wavelength)
    for wrong in ({"draws": 0}, {"num_endmembers": 0}, {"draws": 1000, "max_combinations": 1000}):
        with pytest.raises(ConfigError):
            draw_combinations(classed(np.tile(E, 9), classes * 9), np.random.default_rng(0), mode="mesma", **wrong)

"""MESMA: the models that the mesma package takes, the fractions that a plain search gives, and defined failures."""

from itertools import combinations, product

import numpy as np
import pytest
from hsgeo_classical.mesma.classes import classed, count_models
from hsgeo_classical.mesma.search import Limits, mesma, without_shade
from mesma.core.mesma import MesmaCore, MesmaModels

from hsgeo.errors import ConfigError
from hsgeo.spectra.library import read_library

OPEN = Limits(fraction=(-np.inf, np.inf), shade=(-np.inf, np.inf), rmse=np.inf)


@pytest.fixture(scope="module")
def berlin(data_dir):
    library = read_library(data_dir / "libraries" / "library_berlin.sli")
    with np.load(data_dir / "unmixing" / "enmap_berlin_simulated.npz") as cube:
        Y = (cube["image"].reshape(-1, 177) / cube["scale"]).astype(np.float32)
    return Y, library["spectra"].values.T, library["level_3"].values.astype(str)


def package(Y, E, classes, *, levels, limits=(-0.05, 1.05, 0.0, 0.8, 0.025, -9999, -9999), fusion=0.007, shade=None):
    """Run the mesma package; NaN where it says unmodelled, classes in our order."""
    models = MesmaModels()
    models.setup(classes)
    for level in range(2, models.n_classes + 2):
        models.select_level(level in levels, level)
        for k in range(models.n_classes):
            models.select_class(level in levels, k, level)
    core = MesmaCore(1)
    used, fractions, rmse, _ = core.execute(
        Y.T[:, :, None], E, models.return_look_up_table(), models.em_per_class, limits, fusion_value=fusion,
        shade_spectrum=None if shade is None else shade[:, None].astype(np.float32), log=lambda *text, **how: None,
    )  # fmt: skip
    core.pool.close()
    theirs = [str(name) for name in models.unique_classes]
    order = [theirs.index(name.lower()) for name in classed(E, classes).names]
    F = np.where(rmse[..., 0] < 9000, fractions[:, :, 0], np.nan).T[:, [*order, len(order)]]
    return F, used[:, :, 0].T[:, order], np.where(rmse[:, 0] < 9000, rmse[:, 0], np.nan)


@pytest.mark.parametrize(
    ("levels", "limits", "fusion", "pixels", "spectra"),
    [
        ((2, 3), (-0.05, 1.05, 0.0, 0.8, 0.025, -9999, -9999), 0.007, slice(0, None, 8), slice(None)),
        ((2, 3, 4), (-0.05, 1.05, 0.0, 0.8, 0.025, -9999, -9999), 0.0005, slice(0, None, 40), slice(0, None, 2)),
        ((3,), (0.0, 1.0, -0.1, 0.6, 0.004, -9999, -9999), 0.0, slice(3, None, 20), slice(0, None, 2)),
        ((2, 3), (-0.05, 1.05, 0.0, 0.8, 0.025, 0.004, 7), 0.001, slice(5, None, 20), slice(0, None, 2)),
    ],
)
def test_as_the_mesma_package(berlin, levels, limits, fusion, pixels, spectra):
    Y, E, classes = berlin[0][pixels], berlin[1][:, spectra], berlin[2][spectra]
    ours = Limits(limits[:2], limits[2:4], limits[4], None if limits[5] < 0 else limits[5], max(int(limits[6]), 1))
    found = mesma(Y, E, classes, levels=levels, limits=ours, fusion=fusion)
    F, used, rmse = package(Y, E, classes, levels=levels, limits=limits, fusion=fusion)
    np.testing.assert_array_equal(found.model, used)
    np.testing.assert_allclose(found.fractions, F, atol=1e-4)
    np.testing.assert_allclose(found.rmse, rmse, atol=1e-6)
    assert np.isfinite(found.rmse).any()


def test_a_spectrum_of_shade(berlin):
    Y, E, classes = berlin[0][::40], berlin[1][:, ::2], berlin[2][::2]
    shade = 0.2 * E[:, 5].astype(float)
    found = mesma(Y, E, classes, shade=shade)
    F, used, _ = package(Y, E, classes, levels=(2, 3), shade=shade)
    np.testing.assert_array_equal(found.model, used)
    np.testing.assert_allclose(found.fractions, F, atol=1e-4)


def plain(Y, E, classes, levels, limits, fusion):
    """Search every model with numpy's least squares, level by level."""
    names = list(dict.fromkeys(classes))
    groups = [[i for i, c in enumerate(classes) if c == name] for name in names]
    out = []
    for y in Y.astype(float):
        rows = []
        for level in levels:
            best = (np.inf, None, None)
            for sets in combinations(range(len(names)), level - 1):
                for pick in product(*(groups[k] for k in sets)):
                    a = np.linalg.lstsq(E[:, pick], y, rcond=None)[0]
                    rmse = np.sqrt(np.mean((y - E[:, pick] @ a) ** 2))
                    keeps = (
                        (a >= limits.fraction[0]).all()
                        and (a <= limits.fraction[1]).all()
                        and limits.shade[0] <= 1 - a.sum() <= limits.shade[1]
                        and rmse <= limits.rmse
                    )
                    if keeps and rmse < best[0]:
                        F = np.zeros(len(names) + 1)
                        F[list(sets)], F[-1] = a, 1 - a.sum()
                        best = (rmse, F, pick)
            rows.append(best)
        kept = [row for i, row in enumerate(rows) if i == 0 or not rows[i - 1][0] - row[0] < fusion]
        rmse, F, _ = min(kept, key=lambda row: row[0])
        out.append(np.full(len(names) + 1, np.nan) if F is None else F)
    return np.array(out)


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(3)
    E = np.abs(np.cumsum(rng.normal(size=(30, 9)), axis=0)) * 0.04 + 0.05
    A = rng.dirichlet(np.full(9, 0.3), 60) * rng.uniform(0.3, 1.0, (60, 1))
    Y = (A @ E.T + 0.003 * rng.normal(size=(60, 30))).astype(np.float32)
    return Y, E, ["a", "b", "a", "c", "b", "d", "c", "a", "d"]


@pytest.mark.parametrize("levels", [(2,), (2, 3, 4, 5), (5,)])
def test_as_a_plain_search(small, levels):
    Y, E, classes = small
    for limits in (Limits(), OPEN, Limits(fraction=(0.0, 1.0), shade=(0.05, 0.9), rmse=0.02)):
        found = mesma(Y, E, classes, levels=levels, limits=limits, fusion=0.002)
        np.testing.assert_allclose(found.fractions, plain(Y, E, classes, levels, limits, 0.002), atol=1e-6)
        valid = np.isfinite(found.rmse)
        assert (found.model[~valid] == -1).all()
        np.testing.assert_allclose(found.fractions[valid].sum(axis=1), 1, atol=1e-9)
    assert count_models(classed(E, classes), (2, 3)) == 9 + 3 * 2 + 3 * 2 + 3 * 2 + 3 * 4


def test_missing_bands_are_left_out(small):
    Y, E, classes = small
    holes = Y.copy()
    holes[7, [3, 11]] = np.nan
    holes[8, 0] = np.inf
    holes[9] = np.nan
    found = mesma(holes, E, classes, levels=(2, 3, 4))
    keep = np.setdiff1d(np.arange(30), [3, 11])
    alone = mesma(Y[7:8, keep], E[keep], classes, levels=(2, 3, 4))
    np.testing.assert_allclose(found.fractions[7], alone.fractions[0], atol=1e-9)
    np.testing.assert_array_equal(found.model[7], alone.model[0])
    np.testing.assert_allclose(found.rmse[7], alone.rmse[0], rtol=1e-6)
    alone = mesma(Y[8:9, 1:], E[1:], classes, levels=(2, 3, 4))
    np.testing.assert_allclose(found.fractions[8], alone.fractions[0], atol=1e-9)
    assert np.isnan(found.fractions[9]).all()
    assert (found.model[9] == -1).all()


def test_a_pixel_depends_on_itself_alone(small):
    Y, E, classes = small
    many = np.tile(Y, (6, 1))
    many[5] = np.nan
    whole = mesma(many, E, classes, levels=(2, 3, 4))
    for at in (0, 59, 255, 256, 359):
        alone = mesma(many[at : at + 1], E, classes, levels=(2, 3, 4))
        assert whole.fractions[at].tobytes() == alone.fractions[0].tobytes()
        assert whole.rmse[at].tobytes() == alone.rmse[0].tobytes()


def test_what_has_no_model(small):
    Y, E, classes = small
    odd = np.stack([np.zeros(30), np.where(np.arange(30) % 2, 0.9, 0.0), Y[0]]).astype(np.float32)
    found = mesma(odd, E, classes)
    assert np.isnan(found.rmse).tolist() == [True, True, False]  # nothing but shade, no fit, ordinary
    dark = mesma(odd[:1], E, classes, limits=OPEN)
    assert dark.fractions[0].tolist() == [0, 0, 0, 0, 1]
    assert np.isnan(without_shade(dark.fractions)).all()
    np.testing.assert_allclose(without_shade(found.fractions)[2].sum(), 1)


def test_collinear_models_are_left_out(small):
    Y, E, _ = small
    twins = np.column_stack([E[:, 0], E[:, 0], 2 * E[:, 0]])
    pair = mesma(Y, twins, ["a", "b", "c"], levels=(2, 3), limits=OPEN, fusion=0.0)
    single = mesma(Y, twins[:, :1], ["a"], levels=(2,), limits=OPEN)
    np.testing.assert_array_equal(pair.rmse, single.rmse)
    zero = mesma(Y, np.column_stack([E[:, 0], np.zeros(30)]), ["a", "b"], levels=(2, 3), limits=OPEN)
    np.testing.assert_array_equal(zero.rmse, single.rmse)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels": ()}, "levels"),
        ({"levels": (1, 2)}, "levels"),
        ({"levels": (6,)}, "levels"),
        ({"classes": ["a"] * 9, "levels": (3,)}, "1 classes"),
        ({"classes": ["a", ""] * 4 + ["b"]}, "4 spectra of the library have no class"),
        ({"classes": ["a"]}, "1 class labels"),
        ({"E": np.full((30, 9), np.nan)}, "NaN or infinite"),
        ({"Y": np.zeros((4, 29))}, "30 bands"),
        ({"fusion": -1.0}, "fusion"),
        ({"shade": np.zeros(4)}, "shade spectrum"),
    ],
)
def test_what_cannot_be_done_is_said(small, change, said):
    given = dict(zip(("Y", "E", "classes"), small, strict=True)) | change
    with pytest.raises(ConfigError, match=said):
        mesma(given.pop("Y"), given.pop("E"), given.pop("classes"), **given)


def test_limits_are_checked():
    for wrong in ({"fraction": (1.0, 0.0)}, {"shade": (0.9, 0.1)}, {"rmse": 0.0}, {"residual": -1.0}):
        with pytest.raises(ConfigError):
            Limits(**wrong)

"""Bundles: exact for any number of spectra, defined where spectra are copies or bands are few."""

import cvxpy
import numpy as np
import pytest
from hsgeo_classical.mesma.bundles import bundles
from scipy.optimize import nnls

from hsgeo.errors import ConfigError


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(7)
    base = np.abs(np.cumsum(rng.normal(size=(40, 4)), axis=0)) * 0.03 + 0.05
    E = np.repeat(base, 20, axis=1) * rng.uniform(0.7, 1.3, 80) + 0.004 * rng.normal(size=(40, 80))
    A = rng.dirichlet(np.full(80, 0.1), 25)
    Y = (A @ E.T + 0.002 * rng.normal(size=(25, 40))).astype(np.float32)
    return Y, E, [name for name in "abcd" for _ in range(20)]


def test_nnls_as_scipy(case):
    Y, E, classes = case
    found = bundles(Y, E, classes, constraint="nnls")
    for y, a, rmse in zip(Y.astype(float), found.A, found.rmse, strict=True):
        _, norm = nnls(E, y)
        assert (a >= 0).all()
        assert np.linalg.norm(y - E @ a) ** 2 <= norm**2 * (1 + 1e-8)
        np.testing.assert_allclose(rmse, norm / np.sqrt(40), rtol=1e-6)


@pytest.mark.parametrize("shade", [False, True])
def test_fcls_as_a_convex_solver(case, shade):
    Y, E, classes = case
    full = np.column_stack([E, np.zeros(40)]) if shade else E
    found = bundles(Y, E, classes, shade=shade)
    np.testing.assert_allclose(found.fractions.sum(axis=1), 1, atol=1e-9)
    for y, a in zip(Y[:8].astype(float), found.A, strict=False):
        x = cvxpy.Variable(full.shape[1], nonneg=True)
        problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(full @ x - y)), [cvxpy.sum(x) == 1])
        best = problem.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12)
        assert np.sum((y - E @ a) ** 2) <= best * (1 + 1e-6) + 1e-12
        assert (a >= 0).all()


def test_classes_are_summed_in_order_of_appearance(case):
    Y, E, classes = case
    turned = np.random.default_rng(1).permutation(80)
    found = bundles(Y, E[:, turned], [classes[i] for i in turned], constraint="nnls")
    names = list(dict.fromkeys(classes[i] for i in turned))
    straight = bundles(Y, E, classes, constraint="nnls")
    order = ["abcd".index(name) for name in names]
    np.testing.assert_allclose(found.fractions, straight.fractions[:, order], atol=1e-5)
    sums = [straight.A[:, [c == n for c in classes]].sum(axis=1) for n in "abcd"]
    np.testing.assert_allclose(straight.fractions, np.stack(sums, axis=1), atol=1e-12)


def test_copies_change_no_sum(case):
    Y, E, _ = case
    single = bundles(Y, E[:, [0, 20, 40]], ["a", "b", "c"])
    copied = bundles(Y, E[:, [0, 0, 20, 40, 40, 40]], ["a", "a", "b", "c", "c", "c"])
    np.testing.assert_allclose(copied.fractions, single.fractions, atol=1e-4)
    across = bundles(Y, E[:, [0, 20, 40, 0]], ["a", "b", "c", "copy of a"])
    np.testing.assert_allclose(across.fractions[:, :3], single.fractions, atol=1e-4)  # the first takes it


def test_more_spectra_than_bands_fit_exactly(case):
    _, E, classes = case
    inside = (np.full((1, 80), 1 / 80) @ E[:10].T).astype(np.float32)
    found = bundles(inside, E[:10], classes)
    assert found.rmse[0] < 1e-6
    np.testing.assert_allclose(found.fractions.sum(), 1)


def test_missing_bands_and_missing_pixels(case):
    Y, E, classes = case
    holes = Y.copy()
    holes[2, 5], holes[3] = np.nan, np.nan
    for constraint in ("fcls", "nnls"):
        found = bundles(holes, E, classes, constraint=constraint)
        keep = np.delete(np.arange(40), 5)
        alone = bundles(Y[2:3, keep], E[keep], classes, constraint=constraint)
        np.testing.assert_allclose(found.rmse[2], alone.rmse[0], rtol=1e-6)
        np.testing.assert_allclose(found.fractions[2], alone.fractions[0], atol=1e-4)
        assert np.isnan(found.fractions[3]).all()
        assert np.isnan(found.rmse[3])
        one = bundles(holes[4:5], E, classes, constraint=constraint)
        assert one.A[0].tobytes() == found.A[4].tobytes()


def test_a_dark_pixel(case):
    _, E, classes = case
    dark = np.zeros((1, 40), np.float32)
    assert bundles(dark, E, classes, constraint="nnls").fractions[0].tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(bundles(dark, E, classes, shade=True).fractions[0], [0, 0, 0, 0, 1], atol=1e-12)


def test_what_cannot_be_done_is_said(case):
    Y, E, classes = case
    with pytest.raises(ConfigError, match="constraint"):
        bundles(Y, E, classes, constraint="bvls")
    with pytest.raises(ConfigError, match="shade"):
        bundles(Y, E, classes, constraint="nnls", shade=True)

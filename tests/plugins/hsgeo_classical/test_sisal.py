"""SISAL: a minimum that a convex solver cannot improve, and endmembers of scenes without pure pixels."""

from itertools import combinations

import cvxpy as cp
import numpy as np
import pytest
from hsgeo_classical.config import SisalOptions, VcaOptions
from hsgeo_classical.extraction.faces import face_edge
from hsgeo_classical.extraction.nfindr import largest_of_restarts
from hsgeo_classical.extraction.sisal import Sisal
from hsgeo_classical.extraction.smallest import sisal, snug_simplex
from hsgeo_classical.extraction.vca import Vca

from hsgeo.errors import ConfigError
from hsgeo.spectra.metrics import armse, match, msad, sad
from hsgeo.spectra.solvers import fcls
from hsgeo.synthetic import MATERIALS, reflectance


def truncated(count, alpha, snr_db, seed=0, pixels=6000, most=0.75):
    """Pixels without a pure one among them: ``Y (bands, pixels)``, ``E`` and ``A``."""
    rng = np.random.default_rng(seed)
    wavelength = np.arange(400.0, 2500.0, 20.0)
    E = reflectance(MATERIALS[:count], wavelength, np.full(wavelength.size, 20.0))
    A = rng.dirichlet(np.full(count, alpha), 30 * pixels)
    A = A[A.max(axis=1) <= most][:pixels]
    Y = E @ A.T
    noise = np.sqrt(np.mean(Y**2)) * 10 ** (-snr_db / 20)
    return (Y + noise * rng.standard_normal(Y.shape)).astype(np.float32), E, A


def simplex_data(count=4, pixels=400, noise=0.02, seed=0):
    """Pixels in affine coordinates and the corners they were mixed from."""
    rng = np.random.default_rng(seed)
    M = np.hstack([np.zeros((count - 1, 1)), np.eye(count - 1)]) * np.arange(1, count)[:, None]
    A = rng.dirichlet(np.ones(count), 20 * pixels)
    X = M @ A[A.max(axis=1) < 0.8][:pixels].T
    return X + noise * rng.standard_normal(X.shape), M


def start_of(X):
    count = len(X) + 1
    return X[:, largest_of_restarts(X, np.random.default_rng(0).standard_normal((4, count, count - 1)))]


def inverse(corners):
    return np.linalg.inv(np.vstack([corners, np.ones(corners.shape[1])]))


@pytest.mark.parametrize("weight", [20.0, 200.0])
def test_no_exchange_between_two_rows_lowers_the_objective(weight):
    """The determinant is linear in ``d`` when ``d`` goes from one row to another: that problem is convex, and exact."""
    X, _ = simplex_data(pixels=150)
    found = sisal(X, start_of(X), weight=weight)
    assert found.converged
    Z = np.vstack([X, np.ones(X.shape[1])])
    Q = inverse(found.corners)
    A = Q @ Z
    value = -np.linalg.slogdet(Q)[1] + weight * np.maximum(-A, 0).sum() / X.shape[1]
    for i, j in combinations(range(len(Q)), 2):
        d = cp.Variable(len(Q))
        # det(Q + (e_i - e_j) d^T) = det(Q) (1 + d^T Q^-1 (e_i - e_j))
        slope = np.linalg.inv(Q)[:, i] - np.linalg.inv(Q)[:, j]
        others = [k for k in range(len(Q)) if k not in (i, j)]
        hinge = cp.sum(cp.neg(A[i] + Z.T @ d)) + cp.sum(cp.neg(A[j] - Z.T @ d)) + np.maximum(-A[others], 0).sum()
        problem = cp.Problem(cp.Minimize(-cp.log(1 + slope @ d) + weight * hinge / X.shape[1]))
        best = problem.solve(solver=cp.CLARABEL) - np.linalg.slogdet(Q)[1]
        assert best >= value - 2e-3  # 0.2 % of the volume


@pytest.mark.parametrize(("count", "alpha", "snr_db"), [(4, 1.0, 30.0), (6, 1.0, 40.0), (6, 0.3, 30.0)])
def test_no_pure_pixels(ctx, sample_of, count, alpha, snr_db):
    Y, E, A = truncated(count, alpha, snr_db)
    sample = sample_of(Y, 100)
    state = Sisal(SisalOptions(count=count)).fit(sample, ctx)
    assert state.attrs["rule"] == "sisal"
    found, vca = (
        state["endmembers"].values.T.astype(float),
        Vca(VcaOptions(count=count)).fit(sample, ctx)["endmembers"].values.T.astype(float),
    )
    found, vca = (M[:, match(M, E).order] for M in (found, vca))
    assert msad(found, E) < 0.35 * msad(vca, E)
    floor = armse(fcls(Y.T, E), A)
    assert armse(fcls(Y.T, found), A) < 1.5 * floor


@pytest.mark.parametrize(("snr_db", "angle", "excess"), [(np.inf, 0.005, 0), (30.0, 0.01, 1.1)])
def test_sim1(data_dir, ctx, sample_of, snr_db, angle, excess):
    """A public scene without pure pixels; VCA stays 0.06 rad away at any noise."""
    with np.load(data_dir / "unmixing" / "misicnet_sim1.npz") as cube:
        image, E, A = cube["image"], cube["endmembers"].astype(float), cube["abundances"].reshape(-1, 6)
    Y = image.reshape(-1, image.shape[-1]).T.astype(float)
    noise = np.sqrt(np.mean(Y**2)) * 10 ** (-snr_db / 20)
    Y = (Y + noise * np.random.default_rng(0).standard_normal(Y.shape)).astype(np.float32)
    found = Sisal(SisalOptions(count=6)).fit(sample_of(Y, image.shape[1]), ctx)["endmembers"].values.T.astype(float)
    found = found[:, match(found, E).order]
    assert sad(found, E).mean() < angle
    assert armse(fcls(Y.T, found), A) < excess * armse(fcls(Y.T, E), A) + 2e-3


@pytest.mark.parametrize("snr_db", [30.0, 20.0])
def test_faces_full_of_pixels_do_not_push_the_simplex_out(landscape, snr_db):
    scene = landscape(4, snr_db)
    mean = scene.Y.mean(axis=1, keepdims=True, dtype=float)
    basis = np.linalg.eigh(np.cov(scene.Y.astype(float)))[1][:, -3:]
    X = basis.T @ (scene.Y - mean)
    noise = np.sqrt(np.mean((scene.Y - scene.E @ scene.A.T) ** 2))
    start = start_of(X)
    floor = armse(fcls(scene.Y.T, scene.E), scene.A)

    def error(corners):
        E = basis @ corners + mean
        return armse(fcls(scene.Y.T, E[:, match(E, scene.E).order]), scene.A)

    assert error(snug_simplex(X, start, noise=noise).corners) < 1.25 * floor
    assert error(sisal(X, start, noise=noise).corners) > 2.5 * floor  # as published: what the faces are for


@pytest.mark.parametrize("edge", [-1.0, 0.0, 2.0])
def test_the_edge_of_noisy_values(edge):
    rng = np.random.default_rng(0)
    on = np.zeros(6000)
    behind = rng.uniform(0, 30, 20_000)
    # the band that is looked at reaches 4.7 above the edge: 3100 of the 20,000 values behind it
    for share, values in ((1.0, on), (6000 / 9100, np.concatenate([on, behind])), (0.0, behind)):
        found = face_edge(values + edge + rng.standard_normal(values.size))
        assert found.share == pytest.approx(share, abs=0.15)
        assert found.at == pytest.approx(edge, abs=0.1 if share else 0.6)  # a face nothing lies in is a soft edge
    assert face_edge(np.zeros(10)) == (0.0, 0.0)


def test_units_mean_nothing():
    X, _ = simplex_data()
    start = start_of(X)
    shift = np.array([[5.0], [-3.0], [1.0]])
    plain = sisal(X, start, noise=0.02)
    scaled = sisal(1e4 * X + shift, 1e4 * start + shift, noise=200.0)
    np.testing.assert_allclose(scaled.corners, 1e4 * plain.corners + shift, rtol=1e-5)
    same = sisal(X, start, noise=0.02**2 * np.eye(3))
    np.testing.assert_allclose(same.corners, plain.corners, rtol=1e-9)


@pytest.mark.parametrize("make", [sisal, snug_simplex])
def test_what_has_no_volume_gives_the_start_back(make):
    X, M = simplex_data()
    flat = np.vstack([X[:2], np.zeros(X.shape[1])])
    for data, start in ((flat, M), (X, np.zeros((3, 4))), (X[:, :1], M)):
        found = make(data, start, noise=0.01)
        assert not found.converged
        np.testing.assert_array_equal(found.corners, start)
    with pytest.raises(ConfigError, match="one dimension less"):
        make(X, M[:, :3], noise=0.01)
    with pytest.raises(ConfigError, match="not finite"):
        make(np.where(np.arange(X.shape[1]) < 3, np.nan, X), M, noise=0.01)


def test_noise_alone_does_not_explode():
    rng = np.random.default_rng(0)
    for X in (rng.standard_normal((3, 500)), rng.standard_t(2, (3, 500)), rng.standard_normal((3, 5))):
        found = snug_simplex(X, start_of(X), noise=1.0)
        assert np.isfinite(found.corners).all()
        assert np.abs(found.corners).max() < 40 * np.abs(X).max()

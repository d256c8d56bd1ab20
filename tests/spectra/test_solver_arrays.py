"""What every solver makes of what it is given: masks, types, byte orders, and values beyond all bounds."""

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import (
    abundance_std,
    at_most_one,
    bvls,
    fcls,
    gls,
    nnls,
    scls,
    solve_block,
    solve_bounded_block,
    solve_sparse_block,
    split_gain,
    sunsal,
    sunsal_tv,
    ucls,
    whiten,
)
from hsgeo.spectra.solvers.bounded import bounded_model
from hsgeo.spectra.solvers.model import mixing_model
from hsgeo.spectra.solvers.sunsal import sparse_model

rng = np.random.default_rng(0)
E = rng.uniform(0.1, 0.8, (12, 3))
Y = rng.dirichlet(np.ones(3), 6) @ E.T + rng.normal(0, 0.02, (6, 12))
HOLES = np.zeros(Y.shape, bool)
HOLES[1, 3] = HOLES[2, 5:9] = HOLES[4] = True
S = np.diag(np.linspace(0.01, 0.04, 12)) + 0.001

SOLVERS = {
    "fcls": fcls,
    "nnls": nnls,
    "ucls": ucls,
    "at_most_one": at_most_one,
    "bvls": bvls,
    "scls": lambda Y, E: np.column_stack(scls(Y, E)),
    "gls": lambda Y, E: gls(Y, E, S),
    "gls, diagonal": lambda Y, E: gls(Y, E, np.diag(S)),
    "whiten": lambda Y, E: whiten(Y, E, np.diag(S))[0],
    "sunsal": lambda Y, E: sunsal(Y, E, lam=1e-3),
    "sunsal_tv": lambda Y, E: sunsal_tv(np.expand_dims(Y, 0), E, lam_tv=1e-3).A[0],
    "solve_block": lambda Y, E: solve_block(Y.T, mixing_model(E))[0].T,
    "solve_bounded_block": lambda Y, E: solve_bounded_block(Y.T, bounded_model(E))[0].T,
    "solve_sparse_block": lambda Y, E: solve_sparse_block(Y.T, sparse_model(E))[0].T,
}
every = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS.keys())


@every
def test_masked_values_are_missing(solver):
    filled = np.where(HOLES, 1e300, Y)  # what lies under a mask is nobody's business
    found = solver(np.ma.array(filled, mask=HOLES), E)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, solver(np.where(HOLES, np.nan, Y), E))
    np.testing.assert_array_equal(solver(np.ma.array(Y), E), solver(Y, E))
    with pytest.raises(ConfigError, match="masked"):
        solver(Y, np.ma.array(E, mask=E > 0.7))


def test_masked_integers_are_missing():
    counts = np.round(Y * 1e4)
    for kind, wanted in ((np.int16, np.float32), (np.int32, np.float64), (">u2", np.float32)):
        found = fcls(np.ma.array(counts.astype(kind), mask=HOLES), E * 1e4)
        np.testing.assert_array_equal(found, fcls(np.where(HOLES, np.nan, counts).astype(wanted), E * 1e4))


def test_masked_abundances_and_noise():
    A = fcls(Y, E)
    std = abundance_std(E, np.ma.array(A, mask=np.arange(6)[:, None] == [2, 2, 2]), noise=0.01)
    assert np.isnan(std).all(axis=1).tolist() == [False, False, True, False, False, False]
    with pytest.raises(ConfigError, match="not positive"):
        gls(Y, E, np.ma.array(np.ones(12), mask=np.arange(12) == 4))
    lost = np.isnan(fcls(Y, E, rho=1.0, prior=np.ma.array(A, mask=np.arange(18).reshape(6, 3) == 7)))
    assert lost.all(axis=1).tolist() == [False, False, True, False, False, False]


@every
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_the_byte_order_changes_nothing(solver, kind):
    expected = solver(Y.astype(f"={kind}"), E)
    for order in "<>":
        found = solver(Y.astype(order + kind), E.astype(f"{order}f8"))
        assert found.dtype == expected.dtype
        assert found.dtype.isnative
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("solver", [fcls, nnls, ucls, at_most_one, bvls])
@pytest.mark.parametrize(("kind", "wanted"), [("f2", "f4"), (">f4", "f4"), (">f8", "f8"), ("i2", "f4"), (">i4", "f8")])
def test_one_rule_for_the_type_of_the_answer(solver, kind, wanted):
    assert solver(Y.astype(kind), E).dtype == np.dtype(wanted)


@every
@pytest.mark.parametrize("kind", [str, object, complex, "M8[s]"])
def test_only_real_numbers(solver, kind):
    with pytest.raises(ConfigError, match=r"Y holds .* Accepted: real numbers"):
        solver(np.round(Y).astype(int).astype(kind), E)
    with pytest.raises(ConfigError, match=r"E holds .* Accepted: real numbers"):
        solver(Y, np.round(E).astype(int).astype(kind))


@every
@pytest.mark.parametrize("size", [1e20, 1e140, 1e200])
def test_huge_values_are_solved_or_refused_without_a_warning(solver, size):
    if solver in (SOLVERS["sunsal"], SOLVERS["sunsal_tv"], SOLVERS["solve_sparse_block"]) and size > 1e38:
        with pytest.raises(ConfigError, match=r"float32|overflow"):
            solver(Y * size, E)
    else:
        assert np.isfinite(solver(Y * size, E)).all()
    with pytest.raises(ConfigError, match=r"up to 1e"):
        solver(Y, E * 1e200)


@pytest.mark.parametrize("solver", [fcls, at_most_one, nnls, ucls, bvls])
@pytest.mark.parametrize("size", [1e14, 1e16, 1e20, 1e36, 1e140, 1e200])
def test_a_fill_value_sees_no_neighbour_either(solver, size):
    # the sum of one is lost to rounding here, and sets run empty
    huge = np.where(HOLES[:, ::-1], -1.0, Y) * size
    huge = np.vstack([huge, Y, -huge, np.full((1, 12), size)])
    found = solver(huge, E)
    for pixel, alone in zip(huge, found, strict=True):
        assert solver(pixel[None], E).tobytes() == alone.tobytes()
    assert np.isfinite(found).all()


def test_squares_beyond_the_type_of_the_rounds_are_said():
    with pytest.raises(ConfigError, match="overflow float32"):
        sunsal_tv(Y[None] * 1e30, E, lam_tv=1e-3, dtype=np.float32)


@pytest.mark.parametrize("solver", [fcls, nnls, ucls, at_most_one, bvls])
def test_the_units_do_not_matter(solver):
    np.testing.assert_allclose(solver(Y * 1e90, E * 1e90), solver(Y, E), atol=1e-6)


def test_a_gain_beyond_float32_is_infinite():
    A, gain = split_gain(np.full((2, 1), 3e38, np.float32))
    np.testing.assert_allclose(A, 0.5)
    assert np.isinf(gain)


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("threads", lambda: fcls(Y, E, threads="a")),
        ("threads", lambda: nnls(Y, E, threads=1.5)),
        ("rho", lambda: fcls(Y, E, rho="x", prior=Y[:, :3])),
        ("prior", lambda: fcls(Y, E, rho=1.0, prior=np.full((6, 3), "x"))),
        ("lower", lambda: bvls(Y, E, lower="a")),
        ("upper", lambda: bvls(Y, E, upper=[0.1, 1j, 1])),
        ("bounds", lambda: bvls(Y, E, lower=[0.1, 0.2])),
        ("noise", lambda: gls(Y, E, "a")),
        ("lam", lambda: sunsal(Y, E, lam="x")),
        ("lam", lambda: sunsal(Y, E, lam=None)),
        ("lam", lambda: sunsal(Y, E, lam=[0.1])),
        ("Y", lambda: fcls([[1.0, 2.0], [1.0]], E)),
        ("lam_tv", lambda: sunsal_tv(Y[None], E, lam_tv="x")),
        ("tolerance", lambda: sunsal_tv(Y[None], E, lam_tv=1.0, tolerance="x")),
        ("iterations", lambda: sunsal_tv(Y[None], E, lam_tv=1.0, iterations=0)),
        ("iterations", lambda: sunsal_tv(Y[None], E, lam_tv=1.0, iterations=2.5)),
        ("dtype", lambda: sunsal_tv(Y[None], E, lam_tv=1.0, dtype=int)),
        ("dtype", lambda: sunsal_tv(Y[None], E, lam_tv=1.0, dtype="what")),
    ],
)
def test_an_error_names_the_argument(what, call):
    with pytest.raises(ConfigError, match=rf"\b{what}\b.*Accepted: "):
        call()


@pytest.mark.parametrize("count", [1, 3, 64])
def test_what_equals_shade_is_shade(count):
    nothing = np.zeros((12, count))
    np.testing.assert_allclose(at_most_one(Y, nothing), 0, atol=1e-12)
    np.testing.assert_allclose(at_most_one(np.where(HOLES, np.nan, Y)[:4], nothing), 0, atol=1e-12)
    np.testing.assert_allclose(fcls(Y, nothing), 1 / count, atol=1e-6)  # a sum of one has to go somewhere
    dark = np.c_[E, np.zeros(12)]
    found = at_most_one(Y * 0.4, dark)
    np.testing.assert_allclose(found, np.c_[at_most_one(Y * 0.4, E), np.zeros(6)], atol=1e-5)

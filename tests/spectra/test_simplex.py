"""The projection is the nearest point of the simplex."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.spectra.simplex import project_simplex
from hsgeo.spectra.solvers import fcls


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_it_is_fcls_with_unit_endmembers(seed, count):
    X = np.random.default_rng(seed).normal(0, 2, (10, count)).astype(np.float32)
    P = project_simplex(X)
    assert P.dtype == np.float32
    np.testing.assert_allclose(P, fcls(X, np.eye(count)), atol=1e-5)


def test_axis_nan_and_fixed_points():
    A = np.array([[0.2, np.nan, 1e9], [0.8, 1.0, 0.0], [0.0, 0.0, 0.0]])
    P = project_simplex(A, axis=0)
    np.testing.assert_allclose(P[:, 0], A[:, 0])
    assert np.isnan(P[:, 1]).all()
    np.testing.assert_allclose(P[:, 2], [1, 0, 0])

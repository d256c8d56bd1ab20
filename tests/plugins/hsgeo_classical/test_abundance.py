"""The abundance stages: what they declare is what they do."""

import numpy as np
import pytest
import xarray as xr
from hsgeo_classical.abundance.fcls import Fcls
from hsgeo_classical.abundance.nnls import Nnls
from hsgeo_classical.abundance.ucls import Ucls

from hsgeo.errors import ConfigError
from hsgeo.plugin import Layout
from hsgeo.spectra import solvers

LAYOUT = Layout(2, 3, (500.0, 600.0, 700.0, 800.0), (10.0,) * 4, endmembers=("a", "b"))


@pytest.mark.parametrize(
    ("stage", "name", "total"), [(Fcls, "fcls", "one"), (Nnls, "nnls", "free"), (Ucls, "ucls", "free")]
)
def test_blocks_are_solved_as_declared(stage, name, total, ctx):
    made = stage(None)
    rng = np.random.default_rng(0)
    E = rng.random((4, 2))
    Y = rng.random((4, 6)).astype(np.float32)
    Y[:, 4] = np.nan
    state = xr.Dataset({"endmembers": (("endmember", "band"), E.T)}, {"endmember": ["a", "b"]})
    windows = xr.Dataset({"spectra": (("band", "pixel"), Y)})
    out = made.setup(state, "cpu").apply(windows, ctx)
    assert made.fit_needs(LAYOUT) is None
    declared = made.outputs(LAYOUT)
    assert set(out.data_vars) == set(declared)
    assert declared["abundance"].sum == total
    assert out["abundance"].dims == ("endmember", "pixel")
    np.testing.assert_array_equal(out["abundance"].values.T, getattr(solvers, name)(Y.T, E))
    assert np.isnan(out["rmse"].values).tolist() == [False] * 4 + [True, False]


def test_no_endmembers():
    with pytest.raises(ConfigError, match="no endmembers"):
        Fcls(None).setup(xr.Dataset(), "cpu")

"""`check_product` names every violation at once, and its fixes work."""

from __future__ import annotations

import numpy as np
import pytest

from hsgeo.errors import ProductError
from hsgeo.product.convention import check_product
from tests.product.helpers import make_product

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def whole():
    product, _ = make_product(extra=False)
    return product.load()


def test_all_violations_at_once():
    ds = whole().drop_vars(["rmse", "fwhm"])
    ds["quality"] = ds["quality"].astype("i4").assign_attrs(ds["quality"].attrs)
    ds["abundance"].attrs.pop("grid_mapping")
    ds.attrs["sum"] = "1"
    ds = ds.drop_indexes("wavelength").assign_coords(wavelength=ds["wavelength"] / 1000)
    with pytest.raises(ProductError) as caught:
        check_product(ds)
    text = str(caught.value)
    assert "6 violations" in text
    for said in ("'rmse' is missing", "'quality' is int32", "grid_mapping", "'sum' is '1'", "fwhm(band)", "nanometres"):
        assert said in text
    assert "ds['quality'].astype('uint16')" in text


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda ds: ds["abundance"].values.__setitem__((0, 1, 1), np.nan), "1 pixels are NaN in some endmembers only"),
        (lambda ds: ds["abundance"].values.__setitem__((slice(None), 1, 1), np.nan), "NaN but quality lacks"),
        (lambda ds: ds["quality"].values.__setitem__((1, 1), 2048), "have abundances but quality says"),
        (lambda ds: ds["abundance"].values.__setitem__((slice(None), 1, 1), [1.5, -0.5, 0]), "outside 0..1"),
        (lambda ds: ds["abundance"].values.__setitem__((slice(None), 1, 1), [0.5, 0.5, 2e-5]), "by 2e-05 at worst"),
        (lambda ds: ds["rmse"].values.__setitem__((1, 1), np.nan), "no rmse"),
    ],
)
def test_values_are_read_when_asked(break_it, said):
    ds = whole()
    check_product(ds, values=True)
    break_it(ds)
    check_product(ds)
    with pytest.raises(ProductError, match="1 violation") as caught:
        check_product(ds, values=True)
    assert said in str(caught.value)


def test_sums_mean_what_is_said():
    ds = whole()
    ds["abundance"] = ds["abundance"] * 0.5
    with pytest.raises(ProductError, match="break sum='one'"):
        check_product(ds, values=True)
    ds.attrs["sum"] = "at_most_one"
    check_product(ds, values=True)
    ds["abundance"] = ds["abundance"] * 8
    ds.attrs["sum"] = "free"
    check_product(ds, values=True)

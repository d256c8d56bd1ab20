"""Samples, quantiles, std and prior influence: from a windowed one-file stage into every kind of product and back."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

import hsgeo
from hsgeo.errors import ProductError
from hsgeo.plugin.registry import registry, reset
from hsgeo.product.convention import check_product
from hsgeo.product.picture import picture
from hsgeo.product.stated import STATED
from hsgeo.synthetic import synthetic_scene

NAMES = ("soil", "green-vegetation", "water")
LEVELS = (0.05, 0.5, 0.95)


@pytest.fixture(scope="module", autouse=True)
def _sampler():
    registry((Path(__file__).parents[1] / "fakes" / "sampler.py",))
    yield
    reset()


def lazy(tile):
    """A product of 30 x 26 pixels with a hole, windows of 12 x 12 that overlap and disagree."""
    made = synthetic_scene(30, 26, wavelength=np.arange(420.0, 2400, 60), names=NAMES, snr_db=30)
    made.scene["spectra"][:, 3:6, 4:7] = np.nan
    given = xr.Dataset(
        {"spectra": (("spectrum", "band"), made.endmembers.values)},
        {"name": ("spectrum", list(NAMES)), "wavelength": ("band", made.scene["wavelength"].values)},
    )
    options = {"samples": 5, "noise": made.noise_std, "quantiles": LEVELS, "blur": True}
    return hsgeo.unmix(made.scene, stages=[{"use": "fake-sampler", "with": options}], endmembers=given, tile=tile)


@pytest.fixture(scope="module")
def product():
    return lazy(30).compute()


def test_samples_keep_their_sum_across_windows_and_tiles(product):
    check_product(product, values=True)
    hole = np.s_[3:6, 4:7]
    for name in STATED:
        assert np.isnan(product[name].values[(..., *hole)]).all()
    A = product["abundance_sample"].values
    assert A.shape == (5, 3, 30, 26)
    assert np.nanmax(np.abs(A.sum(axis=1, dtype=float) - 1)) < 1e-6
    # what is stated of a pixel fits together, also where windows were blended
    np.testing.assert_allclose(A.mean(axis=0), product["abundance"].values, atol=1e-6)
    assert (product["abundance_std"].values >= A.std(axis=0) - 1e-6)[np.isfinite(A[0])].all()
    tiled = lazy(9)
    assert tiled["abundance_sample"].data.chunksize == (5, 3, 9, 9)
    tiled = tiled.compute()
    for name in STATED:
        np.testing.assert_array_equal(tiled[name].values, product[name].values)


@pytest.mark.parametrize(
    ("name", "options"), [("p.zarr", {}), ("p.zarr", {"zarr_format": 3}), ("p.tif", {})], ids=["v2", "v3", "cog"]
)
def test_all_comes_back(product, tmp_path, name, options):
    hsgeo.write(lazy(16), tmp_path / name, options=options)
    opened = hsgeo.open_product(tmp_path / name)
    check_product(opened, values=True)
    assert opened["quantile"].dtype == np.float64
    for key in STATED:
        assert opened[key].dims == product[key].dims
        assert opened[key].attrs["long_name"]
        np.testing.assert_array_equal(opened[key].values, product[key].values)
    for key in ("quantile", "sample"):
        assert opened[key].attrs["long_name"] == product[key].attrs["long_name"]
    water = opened["abundance_quantile"].sel(quantile=0.95, endmember="water")
    np.testing.assert_array_equal(water.values, product["abundance_quantile"].values[2, 2])
    figure = picture(opened)
    assert [ax.get_title(loc="left").split("  ")[0] for ax in figure.axes if ax.images][-2:] == [
        "prior influence",
        "quality",
    ]


def test_bands_of_geotiffs_are_named(tmp_path):
    hsgeo.write(lazy(16), tmp_path / "p.tif")
    with rasterio.open(tmp_path / "p_abundance_sample.tif") as file:
        assert file.descriptions[:4] == (*(f"sample 0 {name}" for name in NAMES), "sample 1 soil")
        assert file.count == 15
    with rasterio.open(tmp_path / "p_abundance_quantile.tif") as file:
        assert file.descriptions[-1] == "quantile 0.95 water"
    with rasterio.open(tmp_path / "p_prior_influence.tif") as file:
        assert file.descriptions == ("prior_influence",)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda ds: ds["abundance_sample"].values.__setitem__((0, 0, 9, 9), 0.7), "break sum='one'"),
        (lambda ds: ds["abundance_sample"].values.__setitem__((0, slice(None), 9, 9), (-1, 1, 1)), "outside 0..1"),
        (lambda ds: ds["abundance_quantile"].values.__setitem__((0, 0, 9, 9), 2), "1 pixels have quantiles that fall"),
        (lambda ds: ds["abundance_std"].values.__setitem__((0, 9, 9), -0.1), "below 0"),
        (lambda ds: ds["abundance_std"].values.__setitem__((0, 9, 9), np.nan), "no abundance_std"),
        (lambda ds: ds["abundance_std"].values.__setitem__((0, 4, 5), 0.1), "have abundance_std but no abundances"),
        (lambda ds: ds["prior_influence"].values.__setitem__((9, 9), 1.5), "prior_influence outside"),
    ],
)
def test_contradictions_are_found(product, break_it, said):
    ds = product.copy(deep=True)
    break_it(ds)
    check_product(ds)
    with pytest.raises(ProductError, match="1 violation") as caught:
        check_product(ds, values=True)
    assert said in str(caught.value)


def test_layout_is_checked_without_reading(product):
    ds = product.assign_coords(quantile=[5.0, 50.0, 95.0])
    ds["abundance_std"] = ds["abundance_std"].transpose("y", "x", "endmember").astype("f8")
    with pytest.raises(ProductError, match="3 violations") as caught:
        check_product(ds)
    assert "ds.assign_coords(quantile=" in str(caught.value)

"""The picture shows what is there, thins what is big, and needs no pyplot."""

from __future__ import annotations

import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from rasterio.transform import Affine

from hsgeo.errors import ProductError
from hsgeo.product.picture import picture
from hsgeo.product.template import assemble
from tests.product.helpers import NAMES, NORTH_UP, ROTATED, make_fixed, make_product, make_scene

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def panel(figure, start):
    return next(ax for ax in figure.axes if ax.get_title(loc="left").strip().startswith(start))


def test_picture_with_truth_and_scene(tmp_path):
    product, values = make_product(12, 9)
    truth = values[["abundance"]].isel(endmember=[2, 0, 1]).assign_coords(endmember=["c", "a", "b"])
    figure = picture(product, tmp_path / "p.png", scene=make_scene(12, 9), truth=truth)
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    shown = panel(figure, NAMES[0]).images[0]
    np.testing.assert_array_equal(shown.get_array().filled(np.nan), values["abundance"][0])
    assert shown.get_clim() == (0, 1)
    # the truth comes in another order under other names and still lies beside what it is the truth of
    for own, true in zip(NAMES, "abc", strict=True):
        below = panel(figure, f"truth: {true}  (rmse 0.000)")
        np.testing.assert_array_equal(below.images[0].get_array(), panel(figure, own).images[0].get_array())
    for title in ("scene", "rmse", "quality", "endmembers"):
        assert panel(figure, title)
    assert np.isnan(panel(figure, "endmembers").lines[0].get_ydata()).any()  # a gap at the bad band


def test_big_products_are_thinned_while_read():
    rows, cols = 3000, 1400
    largest = []

    def block(block_info):
        shape = block_info[None]["chunk-shape"]
        largest.append(shape[1] * shape[2])
        return np.full(shape, 1 / 3, "f4")

    A = da.map_blocks(block, chunks=((3,), (500,) * 6, (700,) * 2), dtype="f4", meta=np.empty((0, 0, 0), "f4"))
    tiles = {"abundance": xr.DataArray(A, dims=("endmember", "y", "x"))}
    figure = picture(assemble(make_scene(rows, cols), tiles, make_fixed(), attrs={}))
    assert panel(figure, NAMES[0]).images[0].get_array().shape == (600, 280)
    assert "every 5th" in figure.get_suptitle()
    assert max(largest) == 500 * 700  # piece by piece


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (40, 3)])
def test_odd_products_are_drawn(shape):
    product, _ = make_product(*shape, crs=None, transform=None)
    empty = product.load().copy()
    empty["abundance"][:] = np.nan
    empty["rmse"][:] = np.nan
    assert "no data" in panel(picture(empty), NAMES[0]).get_title(loc="left")
    picture(empty[["abundance"]])


def test_pixels_have_their_shape_on_the_ground_and_a_turned_grid_says_so():
    fine = Affine(0.0005, 0, 8, 0, -0.0005, 60.003)  # 12 rows: the middle is at 60 degrees, where cos is a half
    figure = picture(make_product(12, 9, crs="EPSG:4326", transform=fine)[0])
    assert panel(figure, NAMES[0]).get_aspect() == pytest.approx(2)
    assert "not north up" not in figure.get_suptitle()
    figure = picture(make_product(12, 9, transform=ROTATED)[0])
    assert figure.get_suptitle().endswith("EPSG:32633   |   not north up")
    assert panel(figure, NAMES[0]).get_aspect() == pytest.approx(np.hypot(5, 20) / np.hypot(20, 6))


def test_bad_calls_are_clear(tmp_path):
    product, values = make_product()
    with pytest.raises(ProductError, match=r"the scene has \(7, 4\) pixels, the product \(7, 5\)"):
        picture(product, scene=make_scene(7, 4))
    with pytest.raises(ProductError, match=r"begins at \(512375, 5812340\).*up to 30 apart"):
        picture(product, scene=make_scene(transform=NORTH_UP @ Affine.translation(1, 0)))
    picture(product, scene=make_scene(crs=None, transform=None))  # nothing says that it lies elsewhere
    with pytest.raises(ProductError, match="no abundance"):
        picture(product[["rmse"]])
    with pytest.raises(ProductError, match="the truth has"):
        picture(product, truth=values.isel(y=slice(3)))
    with pytest.raises(ProductError, match="cannot be saved"):
        picture(product, tmp_path / "no" / "p.png")
    with pytest.raises(ProductError, match="cannot be saved"):
        picture(product, tmp_path / "p.docx")


def test_no_pyplot_and_no_matplotlib_before_it_is_needed():
    code = (
        "import sys, hsgeo.product.picture, hsgeo.product.writing, hsgeo.product.opening, hsgeo.product.template\n"
        "assert not {'matplotlib', 'rasterio', 'rioxarray', 'torch'} & set(sys.modules)\n"
        "from tests.product.helpers import make_product\n"
        "hsgeo.product.picture.picture(make_product()[0])\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Product and truth on different grids: what is compared is the area average, and nothing else is invented."""

import numpy as np
import pytest

import hsgeo
from hsgeo.errors import ConfigError
from hsgeo.evaluation.grids import align
from tests.evaluation.helpers import LEFT, SIDE, TOP, placed, smooth


def blocks(A, step):
    count, rows, cols = A.shape
    return A.reshape(count, rows // step, step, cols // step, step).mean(axis=(2, 4))


def test_a_finer_truth_is_averaged_onto_the_product():
    fine = smooth(60, 50)
    truth = placed(fine, side=SIDE / 5)
    found = hsgeo.evaluate(placed(blocks(fine, 5)), truth)
    assert found.overall["armse"] < 1e-5
    assert found.pixels["scored"] == 12 * 10
    assert any("truth averaged" in note for note in found.notes)


def test_a_coarser_truth_takes_the_product_to_its_pixels():
    fine = smooth(60, 50)
    found = hsgeo.evaluate(placed(fine), placed(blocks(fine, 5), side=5 * SIDE))
    assert found.overall["armse"] < 1e-5
    assert found.pixels["scored"] == 12 * 10
    assert any("product averaged" in note for note in found.notes)


def test_pixels_that_the_truth_covers_in_part_do_not_count():
    fine = smooth(60, 50)
    truth = placed(fine, side=SIDE / 5).isel(x=slice(2, None), y=slice(0, 53))
    truth["abundance"][:, 0, 30] = np.nan
    _, on_product, _ = align(placed(blocks(fine, 5)), truth)
    known = np.isfinite(on_product["abundance"].values).all(axis=0)
    expected = np.zeros((12, 10), bool)
    expected[:10, 1:] = True
    expected[0, 6] = False
    np.testing.assert_array_equal(known, expected)
    np.testing.assert_allclose(on_product["abundance"].values[:, known], blocks(fine, 5)[:, known], atol=1e-5)


def test_one_grid_and_another_extent_is_cut_exactly():
    A = smooth()
    truth = placed(A[:, 4:, 3:], left=LEFT + 3 * SIDE, top=TOP - 4 * SIDE)
    found = hsgeo.evaluate(placed(A), truth)
    assert found.overall["armse"] == 0
    assert found.pixels["scored"] == 20 * 17
    bigger = hsgeo.evaluate(placed(A).isel(y=slice(5, 9)), placed(A))
    assert bigger.pixels["scored"] == 80
    assert bigger.overall["armse"] == 0


def test_another_reference_system():
    # a plane of abundances over the ground, so that its value is known wherever the pixels of the other grid lie
    from rasterio.warp import transform

    def plane(ds):
        xx, yy = np.meshgrid(ds["x"].values, ds["y"].values)
        x, y = transform(ds.rio.crs, "EPSG:32633", xx.ravel().tolist(), yy.ravel().tolist())
        first = 0.5 + (np.array(x) - LEFT - 600) / 4000 + (np.array(y) - TOP + 600) / 5000
        first = first.reshape(xx.shape)
        return ds.assign(abundance=ds["abundance"].copy(data=np.stack([first, 1 - first]).astype(np.float32)))

    product = plane(placed(smooth(40, 40, ("a", "b")), ("a", "b")))
    x, y = transform("EPSG:32633", "EPSG:32634", [LEFT - 200], [TOP + 200])
    truth = plane(placed(smooth(120, 120, ("a", "b")), ("a", "b"), left=x[0], top=y[0], side=15, crs="EPSG:32634"))
    found = hsgeo.evaluate(product, truth)
    assert found.pixels["scored"] > 1000
    assert found.overall["armse"] < 2e-3  # half a fine pixel along the plane's slope


def test_no_overlap_and_no_place():
    A = smooth()
    far = placed(A, left=LEFT + 1e5)
    with pytest.raises(ConfigError, match="do not overlap"):
        align(placed(A), far)
    with pytest.raises(ConfigError, match="do not overlap"):
        align(placed(A), placed(A, left=LEFT + 1e5 + 7, side=10))
    with pytest.raises(ConfigError, match="no place on the Earth"):
        align(placed(A), placed(A[:, 1:], crs=None))
    assert align(placed(A), placed(A, crs=None))[2] == "same pixels, by position"

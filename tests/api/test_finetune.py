"""Patches for fine-tuning: spread, of valid ground, bounded; and what is refused."""

import numpy as np
import pytest
import xarray as xr

from hsgeo.api.finetune import _places, unmixed_patches
from hsgeo.errors import SceneError
from hsgeo.synthetic import synthetic_scene

BANDS = np.linspace(450, 2400, 24)


def scene(height, width):
    made = synthetic_scene(
        height, width, wavelength=BANDS, fwhm=np.full(BANDS.size, 12.0), names=("soil", "water", "green-vegetation"),
        snr_db=30, seed=1, crs=None,
    ).scene  # fmt: skip
    return made.assign_attrs(sensor="toy", product_id="toy-1")


def quiet(text):
    """Hear nothing."""


def test_patches_are_what_a_run_finds_and_nothing_where_it_finds_nothing():
    made = scene(50, 110)
    made["spectra"][:, :40, :44] = np.nan  # most of the left half
    patches = unmixed_patches(made, notice=quiet, side=48)
    assert [patches.sizes[dim] for dim in ("patch", "y", "x")] == [1, 48, 48]
    A, known = patches["abundance"], np.isfinite(patches["abundance"]).all("endmember")
    assert known.all()
    np.testing.assert_allclose(A.sum("endmember"), 1, atol=1e-5)
    assert (np.isfinite(patches["spectra"]).all("band") == known).all()
    mixed = xr.dot(A, patches["endmembers"], dim="endmember")
    assert float(np.abs(mixed - patches["spectra"]).mean()) < 0.02
    facts = {"sensor": "toy", "product_id": "toy-1", "height": 50, "width": 110, "recipe": "hybridstu"}
    assert facts.items() <= patches.attrs.items()


def test_a_scene_with_hardly_a_valid_pixel_is_refused():
    made = scene(50, 50)
    made["spectra"][:, :20] = np.nan
    with pytest.raises(SceneError, match="more than 600 valid pixels within 30 x 30"):
        unmixed_patches(made, notice=quiet, side=30)


@pytest.mark.parametrize(("height", "width", "count"), [(95, 100, 1), (300, 300, 1), (384, 384, 4), (5000, 3000, 24)])
def test_places_lie_in_the_scene_and_apart(height, width, count):
    places = list(_places(height, width, 192))
    assert len(places) == count
    for k, (y, x) in enumerate(places):
        assert 0 <= y <= max(height - 192, 0)
        assert 0 <= x <= max(width - 192, 0)
        assert all(abs(y - v) >= 192 or abs(x - u) >= 192 for v, u in places[:k])

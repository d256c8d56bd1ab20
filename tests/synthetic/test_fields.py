import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from hsgeo.errors import ConfigError
from hsgeo.synthetic import FIELD_KINDS, random_field
from hsgeo.synthetic.fields import MOST_ENDMEMBERS
from hsgeo.synthetic.grf import gaussian_fields
from hsgeo.synthetic.mosaics import area_mean_of_regions, ragged_regions, split_regions, voronoi_regions
from hsgeo.synthetic.overlays import line_cover, spot_cover


@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    endmembers=st.integers(1, MOST_ENDMEMBERS),
    kind=st.sampled_from(FIELD_KINDS),
)
def test_every_field_lies_in_the_simplex_and_repeats(seed, height, width, endmembers, kind):
    A = random_field(np.random.default_rng(seed), height, width, endmembers, kind=kind)
    assert A.shape == (endmembers, height, width)
    assert A.dtype == np.float32
    assert A.min() >= 0
    np.testing.assert_allclose(A.sum(0), 1, atol=1e-5)
    assert A[A > 0].min() > 1e-3, "absent is exactly 0"
    again = random_field(np.random.default_rng(seed), height, width, endmembers, kind=kind)
    np.testing.assert_array_equal(A, again)
    if kind == "mixed" and endmembers > 1:
        assert A.max() < 0.8


def test_what_is_drawn_without_a_kind_is_one_of_the_kinds_and_all_are_met():
    class Choice(np.random.Generator):
        def choice(self, options, *args, **kwargs):
            drawn = super().choice(options, *args, **kwargs)
            if options == len(FIELD_KINDS) and np.ndim(drawn) == 0:
                met.add(FIELD_KINDS[int(drawn)])
            return drawn

    met = set()
    for seed in range(120):
        random_field(Choice(np.random.PCG64(seed)), 6, 6, 3)
    assert met == set(FIELD_KINDS)


def test_zeros_are_as_common_as_in_real_truths():
    rng = np.random.default_rng(0)
    # four endmembers: Jasper Ridge has 43 % zeros, Urban 33 %
    zeros = np.array([(random_field(rng, 40, 40, 4) == 0).mean() for _ in range(80)])
    assert 0.25 < zeros.mean() < 0.5
    assert zeros.std() > 0.1, "some scenes are mixed throughout, some are mosaics"


def test_materials_have_no_favourite_place_in_the_order():
    rng = np.random.default_rng(1)
    share = np.mean([random_field(rng, 24, 24, 5).mean((1, 2)) for _ in range(250)], axis=0)
    np.testing.assert_allclose(share, 0.2, atol=0.05)


def test_flat_grounds_are_flat_and_land_is_not():
    steps = {}
    for kind in ("flat", "fractal", "softmax"):
        fields = (random_field(np.random.default_rng(seed), 48, 48, 4, kind=kind) for seed in range(25))
        steps[kind] = np.median([(np.abs(np.diff(A, axis=2)).max(0) < 1e-6).mean() for A in fields])
    assert steps["flat"] > 0.6
    assert max(steps["fractal"], steps["softmax"]) < 0.9 * steps["flat"]


def test_point_targets_are_small():
    A = random_field(np.random.default_rng(3), 64, 64, 4, kind="points")
    rare = A[A.mean((1, 2)).argmin()]
    labels, count = ndimage.label(rare > 0.3)
    assert count > 1
    assert np.bincount(labels.ravel())[1:].max() <= 25


@pytest.mark.parametrize("slope", [1.0, 2.0, 3.5])
def test_a_gaussian_field_has_the_slope_that_was_asked_for(slope):
    fields = gaussian_fields(np.random.default_rng(0), 12, 128, 128, slope=slope)
    np.testing.assert_allclose(fields.std((1, 2)), 1, atol=1e-4)
    window = np.hanning(128)[:, None] * np.hanning(128)
    power = np.square(np.abs(np.fft.fft2(fields * window))).mean(0)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    some = (f > 0.05) & (f < 0.4)
    measured = np.polyfit(np.log(f[some]), np.log(power[some]), 1)[0]
    assert measured == pytest.approx(-slope, abs=0.15)


def test_voronoi_gives_every_cell_to_the_nearest_weighted_centre():
    # the same draws as the function makes, and all distances instead of those nearby
    rng = np.random.default_rng(5)
    centres = rng.uniform(0, 1, (30, 2)) * (60, 90)
    weight = rng.uniform(0, 0.5 * 60 * 90 / 30, 30)
    y, x = np.mgrid[:60, :90]
    far = np.square(y - centres[:, 0, None, None]) + np.square(x - centres[:, 1, None, None]) - weight[:, None, None]
    region = voronoi_regions(np.random.default_rng(5), 60, 90, count=30)
    assert (region == far.argmin(0)).mean() > 0.999


def test_ragged_classes_have_the_sizes_that_were_asked_for():
    rng = np.random.default_rng(0)
    sizes = np.array([0.5, 0.25, 0.15, 0.1])
    region = ragged_regions(rng, gaussian_fields(rng, 2, 120, 120, slope=3.0), sizes=sizes)
    np.testing.assert_allclose(np.bincount(region.ravel(), minlength=4) / region.size, sizes, atol=0.03)


def test_split_regions_are_convex():
    region = split_regions(np.random.default_rng(2), 90, 90, depth=4, skew=0.2)
    for index in np.unique(region):
        mask = region == index
        rows = [np.flatnonzero(row) for row in mask if row.any()]
        assert all(len(row) == row[-1] - row[0] + 1 for row in rows), "no row leaves a region and comes back"


def test_edges_are_area_averages():
    fine = np.zeros((6, 6), int)
    fine[:, 4:] = 1
    palette = np.array([[1, 0, 0], [0, 0.5, 0.5]], np.float32)
    A = area_mean_of_regions(fine, palette, oversample=3)
    np.testing.assert_allclose(A[0], [[1, 1 / 3], [1, 1 / 3]], atol=1e-6)
    np.testing.assert_allclose(A[2], [[0, 1 / 3], [0, 1 / 3]], atol=1e-6)


def test_a_disc_covers_its_area_wherever_its_centre_lies():
    for y, x in ((10.0, 10.0), (10.3, 9.6), (9.5, 10.5)):
        (rows, columns), cover = spot_cover(20, 20, y=y, x=x, radius=3.0, square=False, oversample=8)
        assert cover.shape == (rows.stop - rows.start, columns.stop - columns.start)
        assert cover.sum() == pytest.approx(np.pi * 9, rel=0.02)
    assert spot_cover(20, 20, y=0.0, x=0.0, radius=2.0, square=True)[1].sum() == pytest.approx(4)


def test_roads_narrower_than_a_cell_are_seen_but_never_pure():
    covers = [line_cover(np.random.default_rng(seed), 40, 40, oversample=3, river=False) for seed in range(40)]
    assert all(c.min() >= 0 and c.max() <= 1 for c in covers)
    assert sum(c.max() > 0.05 for c in covers) > 35
    assert sum(0.05 < c.max() < 0.9 for c in covers) > 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 5, 3), "0 x 5"), ((5, 5, 0), "0 endmembers"), ((5, 5, 17), "17 endmembers")],
)
def test_sizes_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        random_field(np.random.default_rng(0), *arguments)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match=r"swamp.*voronoi"):
        random_field(np.random.default_rng(0), 5, 5, 2, kind="swamp")

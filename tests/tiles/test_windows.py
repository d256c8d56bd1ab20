"""The lattice is absolute: no box, order or tiling changes what a pixel gets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsgeo.errors import PluginError
from hsgeo.plugin import Window
from hsgeo.tiles.grid import Box, TileGrid, auto_tile
from hsgeo.tiles.windows import Blend, cover, cut, grow

windows = st.builds(lambda stride, margin: Window(stride + 2 * margin, stride), st.integers(1, 12), st.integers(0, 9))


@given(windows, st.integers(1, 40), st.integers(1, 40), st.data())
def test_a_region_gets_every_window_that_touches_it(window, height, width, data):
    y0 = data.draw(st.integers(0, height - 1))
    x0 = data.draw(st.integers(0, width - 1))
    box = Box(y0, data.draw(st.integers(y0 + 1, height)), x0, data.draw(st.integers(x0 + 1, width)))
    every = list(cover(window, Box(0, height, 0, width), height, width))
    touching = [w for w in every if w.y0 < box.y1 and w.y1 > box.y0 and w.x0 < box.x1 and w.x1 > box.x0]
    assert list(cover(window, box, height, width)) == touching
    outer = grow(window, box, height, width)
    assert all(w.clip(height, width).clip(outer.y1, outer.x1) == w.clip(height, width) for w in touching)
    assert outer.y0 == min(w.clip(height, width).y0 for w in touching)
    assert outer.x1 == max(w.clip(height, width).x1 for w in touching)


@given(windows, st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_blending_does_not_depend_on_the_tiles(window, height, width, tile):
    values = np.random.default_rng(0).random((2, height, width), np.float32)
    whole = _blend(window, values, Box(0, height, 0, width))
    np.testing.assert_allclose(whole, values, rtol=1e-5)  # partition of unity: identity windows give the input back
    for box in TileGrid(height, width, tile):
        assert np.array_equal(_blend(window, values, box), whole[(..., *box.region)])


def _blend(window, values, box):
    _, height, width = values.shape
    outer = grow(window, box, height, width)
    blend = Blend(window, box, values.shape[:1], "float32")
    for place in cover(window, box, height, width):
        blend.add(place, np.nan_to_num(cut(values[(..., *outer.region)], outer, place)))
    return blend.result()


def test_integers_are_taken_from_the_core_not_blended():
    window = Window(6, 2)
    blend = Blend(window, Box(0, 4, 0, 4), (), "int16")
    for number, place in enumerate(cover(window, Box(0, 4, 0, 4), 4, 4)):
        blend.add(place, np.full((6, 6), number, np.int16))
    assert blend.result().tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]


def test_windows_beyond_the_scene_are_padded_with_nan():
    piece = cut(np.ones((1, 3, 3), np.float32), Box(0, 3, 0, 3), Box(-1, 2, 2, 5))
    assert np.isnan(piece[0, 0]).all()
    assert piece[0, 1:, 0].tolist() == [1, 1]
    assert np.isnan(piece[0, :, 1:]).all()


@pytest.mark.parametrize(("size", "stride"), [(4, 5), (5, 4), (4, 0)])
def test_impossible_windows_are_refused(size, stride):
    with pytest.raises(PluginError, match="stride"):
        Window(size, stride)


def test_automatic_tiles_fit_the_budget():
    side = auto_tile(5000, 5000, bytes_per_pixel=3000, budget=200 * 2**20)
    assert side % 64 == 0
    assert side * side * 3000 <= 200 * 2**20 < (side + 64) ** 2 * 3000
    assert auto_tile(40, 30, 3000, 200 * 2**20) == 40

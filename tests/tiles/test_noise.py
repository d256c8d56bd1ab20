"""Noise belongs to the pixel, not to the window that asks for it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hsgeo.tiles.noise import pixel_noise

FIELD = pixel_noise(3, "refine", 2, -40, -40, 160, 150, 2)


@given(st.integers(-40, 60), st.integers(-40, 60), st.integers(1, 50), st.integers(1, 40))
def test_overlapping_windows_agree(row, col, height, width):
    part = pixel_noise(3, "refine", 2, row, col, height, width, 2)
    assert np.array_equal(part, FIELD[:, row + 40 : row + 40 + height, col + 40 : col + 40 + width])


def test_keys_give_independent_normal_fields():
    others = [
        pixel_noise(4, "refine", 2, -40, -40, 160, 150, 2),
        pixel_noise(3, "other", 2, -40, -40, 160, 150, 2),
        pixel_noise(3, "refine", 3, -40, -40, 160, 150, 2),
    ]
    for other in [*others, FIELD[::-1]]:
        assert abs(np.corrcoef(FIELD[0].ravel(), other[0].ravel())[0, 1]) < 0.03  # 4.6 sigma for 24,000 pixels
    assert abs(FIELD.mean()) < 0.02
    assert abs(FIELD.std() - 1) < 0.02
    shifted = np.corrcoef(FIELD[0, :-32].ravel(), FIELD[0, 32:].ravel())[0, 1]
    assert abs(shifted) < 0.03  # neighbouring blocks do not repeat


def test_more_channels_leave_the_first_as_they_were():
    assert np.array_equal(pixel_noise(3, "refine", 2, -40, -40, 160, 150, 1)[0], FIELD[0])

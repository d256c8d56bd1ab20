"""Unpacking: every type, axis and kind of scale gives what plain arithmetic gives, rounded once."""

import numpy as np
import pytest
from hsgeo_sensors.common.decoding import decode_cube

RNG = np.random.default_rng(0)
SCALES = {
    "per band": (RNG.uniform(0.1, 2, 7), RNG.uniform(-1, 1, 7)),
    "gain": (np.full(7, 1e-4), np.zeros(7)),
    "offset": (np.ones(7), np.full(7, 0.3)),
    "none": (np.ones(7), np.zeros(7)),
}


@pytest.mark.parametrize("dtype", ["u1", "u2", ">i2", "i4", "f4", ">f4", "f8"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_against_arithmetic(dtype, scale, axis):
    gain, offset = SCALES[scale]
    shape, along = [300, 50], [1, 1, 1]
    shape.insert(axis, 7)
    along[axis] = 7
    raw = RNG.uniform(0, 250, shape).astype(dtype)
    raw.flat[::97] = 3
    expected = (raw.astype("f8") * gain.reshape(along) + offset.reshape(along)).astype("f4")
    expected[(raw == 3) | (raw > 200)] = np.nan
    found = decode_cube(
        raw.copy(), axis=axis, gain=gain, offset=offset, nodata=(3.0, -9999.0, 1e20), valid=(-np.inf, 200.0)
    )
    assert found.dtype == np.float32
    assert np.array_equal(found, expected, equal_nan=True)


def test_wild_numbers():
    raw = np.array([[3e38, 3e38, 3e38, np.inf, -np.inf, np.nan, 1.0]], "f4")
    found = decode_cube(raw.copy(), axis=0, gain=np.array([2.0]), offset=np.zeros(1))
    assert np.isnan(found[0, :6]).all()  # beyond what float32 can hold, too
    assert found[0, 6] == 2
    assert np.array_equal(
        decode_cube(raw.copy(), axis=0, gain=np.ones(1), offset=np.zeros(1))[0, [0, 6]], raw[0, [0, 6]]
    )
    assert decode_cube(np.zeros((0, 3), "i2"), axis=1, gain=np.ones(3), offset=np.zeros(3)).shape == (0, 3)

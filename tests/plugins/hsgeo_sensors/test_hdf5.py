"""Windows of bands in chunked files: the same numbers as plain indexing, whatever bands are asked for."""

import h5py
import numpy as np
import pytest
from hsgeo_sensors.common.hdf5 import open_hdf5, read_bands, text_of_value

from hsgeo.errors import SceneError


@pytest.fixture
def cubes(tmp_path):
    values = np.arange(40 * 13 * 17, dtype=np.int32).reshape(40, 13, 17)
    with h5py.File(tmp_path / "cubes.h5", "w") as file:
        first = file.create_dataset("first", data=values, chunks=(7, 5, 4), compression="gzip")
        last = file.create_dataset("last", data=values.transpose(1, 2, 0), chunks=(5, 4, 7), compression="gzip")
        plain = file.create_dataset("plain", data=values)
        yield values, first, last, plain


@pytest.mark.parametrize("bands", [[3], [39, 0], [5, 6, 7, 30, 31], [20, 20, 2], list(range(40)), [0, 13, 14, 28]])
def test_bands_in_any_order(bands, cubes):
    values, first, last, plain = cubes
    wanted = np.array(bands)
    want = values[wanted, 2:9, 3:16]
    assert np.array_equal(read_bands(first, wanted, (2, 9), (3, 16), axis=0), want)
    assert np.array_equal(read_bands(plain, wanted, (2, 9), (3, 16), axis=0), want)
    assert np.array_equal(read_bands(last, wanted, (2, 9), (3, 16), axis=2), want.transpose(1, 2, 0))


def test_texts():
    texts = (b"UTM\0\0", np.bytes_("UTM"), np.array([b"UTM"]), "UTM ", np.str_("UTM"))
    assert {text_of_value(text) for text in texts} == {"UTM"}
    assert text_of_value(np.int64(32613)) == "32613"


@pytest.mark.parametrize("locking", [True, False, None])
def test_a_file_that_is_open_elsewhere_in_the_process(locking, tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with h5py.File(path, "r", locking=locking), open_hdf5(path, "anything") as again:
        assert again["x"][()] == 1
    path.write_bytes(b"no HDF5 at all")
    with pytest.raises(SceneError, match="not a complete HDF5 file"):
        open_hdf5(path, "anything")

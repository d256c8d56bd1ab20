"""Chunks of Zarr stores that were cut short: never read as if they were whole."""

import pickle

import numcodecs
import numpy as np
import pytest
import zarr
from hsgeo_sensors.common.chunks import whole_chunks
from zarr.codecs import BloscCodec, ZstdCodec

VALUES = np.random.default_rng(0).integers(0, 30000, (12, 20, 20)).astype("i2")  # Blosc stores it as it is
LAYOUTS = {
    "format 2": {"zarr_format": 2, "compressors": numcodecs.Blosc()},
    "format 2, folders": {
        "zarr_format": 2,
        "compressors": numcodecs.Blosc(),
        "chunk_key_encoding": {"name": "v2", "separator": "/"},
    },
    "format 3": {"compressors": BloscCodec()},
    "format 3, shards": {"compressors": BloscCodec(), "shards": (12, 20, 20)},
    "format 3, zstd": {"compressors": ZstdCodec()},
    "format 3, plain": {"compressors": None},
}


def read(path):
    store = pickle.loads(pickle.dumps(whole_chunks(path)))
    return zarr.open_array(store, path="in/cube", mode="r")[...]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_chunk_is_shorter_than_it_says(layout, tmp_path):
    array = zarr.create_array(
        tmp_path, name="in/cube", shape=VALUES.shape, dtype="i2", chunks=(6, 10, 10), **LAYOUTS[layout]
    )
    array[...] = VALUES
    assert np.array_equal(read(tmp_path), VALUES)
    chunk = max((file for file in tmp_path.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    whole = chunk.read_bytes()
    for end in (1, 15, 100, len(whole) // 2, len(whole) - 1):
        chunk.write_bytes(whole[:end])
        with pytest.raises((OSError, ValueError, RuntimeError)):
            read(tmp_path)

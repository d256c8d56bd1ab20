"""Every format cut short, with a damaged chunk, or without a measurement: one clear error, and nothing is written."""

import h5py
import numpy as np
import pytest

from hsgeo.cli import main
from hsgeo.plugin import Quality
from hsgeo.scene import open_scene
from tests.plugins.hsgeo_sensors.hdf5_case import LAYOUT, put
from tests.plugins.hsgeo_sensors.refused_case import FORMATS, assert_refused, cube, duplicate, listing, pixels


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))


def run(*args):
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in args])
    return stop.value.code


def unmix(path, out):
    radiance = ("-o", "scene.radiance=true") if path.name.startswith("EO1H") else ()
    return run("unmix", "--input", path, "--out", out, "--quiet", *radiance)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("name", FORMATS)
def test_cut_short(name, part, whole, tmp_path):
    path = duplicate(whole(name), tmp_path)
    file = pixels(path, name)
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    assert_refused(path, "complete|cut short|could not be read|is not a readable|unpack")


@pytest.mark.parametrize("name", FORMATS)
def test_commands_say_it_in_one_line(name, whole, tmp_path, capsys):
    path = duplicate(whole(name), tmp_path)
    file = pixels(path, name)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    before = listing(path.parent)
    codes = [run("info", path), unmix(path, tmp_path / "abund.zarr")]
    assert codes == [0 if path.suffix == ".zarr" else 2, 2]  # a chunk is not looked at before it is read
    said = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(said) == codes.count(2), said
    assert all(line.startswith("Error: ") and "Accepted: " in line for line in said)
    assert listing(path.parent) == before
    assert not (tmp_path / "abund.zarr").exists()


@pytest.mark.parametrize("name", LAYOUT)
def test_damage_within_a_compressed_chunk(name, whole, tmp_path):
    path = duplicate(whole(name), tmp_path)
    with h5py.File(path, "r+") as file:
        where = LAYOUT[name].cube
        half = tuple(max(1, (n + 1) // 2) for n in file[where].shape)
        written = put(file, where, file[where][()], chunks=half, compression="gzip")
        file.flush()
        chunk = written.id.get_chunk_info(written.id.get_num_chunks() // 2)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset + chunk.size // 2)
        raw.write(b"\xa5" * 64)
    assert_refused(path, "filter returned failure")
    assert unmix(path, tmp_path / "abund.zarr") == 2
    assert not (tmp_path / "abund.zarr").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_without_a_measurement(name, tmp_path, capsys):
    path = FORMATS[name](tmp_path, cube(np.nan))
    before = listing(tmp_path)
    scene = open_scene(path, chunks=None)
    assert scene.spectra.isnull().all()
    if "quality" in scene:
        assert (scene.quality == Quality.NODATA).all()
    assert (run("info", path), unmix(path, tmp_path / "abund.zarr")) == (0, 2)
    assert "no pixel of the sample has a value" in capsys.readouterr().err
    assert listing(tmp_path).keys() - before.keys() == {name for name in listing(tmp_path) if name.startswith("cache/")}

"""open_scene chooses the reader, and says what is wrong in three parts."""

import numpy as np
import pytest
import xarray as xr
from hsgeo_sensors.envi.writer import write_envi

from hsgeo.errors import ConfigError, PluginError, SceneError
from hsgeo.plugin import ReaderRecord
from hsgeo.plugin.registry import Registry, registry
from hsgeo.scene import find_reader, open_scene


@pytest.fixture
def image(tmp_path):
    values = np.random.default_rng(0).uniform(0, 1, (3, 300, 20)).astype("f4")
    return write_envi(tmp_path / "scene.img", values, wavelength=[450, 550, 650])


class Yes:
    """A reader that claims everything."""

    def score(self, path):
        return 2

    def open(self, path, *, options, chunks):
        raise KeyError("no such group 'HDFEOS'")


class Also(Yes):
    """Another one."""


class Unloadable:
    """Never made."""

    def __init__(self):
        raise AssertionError("asked although its pattern does not fit")


def add(monkeypatch, *records):
    """Let the process's registry have more readers."""
    own = dict(registry().readers)
    own.update({record.name: record for record in records})
    monkeypatch.setattr(Registry, "readers", property(lambda self: own))
    monkeypatch.setattr(Registry, "reader", lambda self, name: own[name])
    load = Registry.load
    ours = {"Yes": Yes, "Also": Also, "Unloadable": Unloadable}

    def loaded(self, record, part="target"):
        name = record.target.rpartition(":")[2]
        return ours[name] if name in ours else load(self, record, part)

    monkeypatch.setattr(Registry, "load", loaded)


def test_automatic_chunks(image):
    scene = open_scene(image)
    assert scene.spectra.chunks == ((3,), (256, 44), (20,))
    assert open_scene(image, chunks={"y": 100}).spectra.chunks == ((3,), (100, 100, 100), (20,))
    assert open_scene(image, chunks=None).chunks == {}
    assert open_scene(str(image)).sel(wavelength=560, method="nearest").wavelength == 550


def test_highest_score_wins_and_a_tie_is_an_error(image, monkeypatch):
    assert find_reader(image)[0] == "envi"
    add(monkeypatch, ReaderRecord("sure", "here:Yes", "claims all"))
    assert find_reader(image)[0] == "sure"
    assert find_reader(image, reader="envi")[0] == "envi"
    add(
        monkeypatch,
        ReaderRecord("sure", "here:Yes", "claims all"),
        ReaderRecord("too", "here:Also", "claims all"),
        ReaderRecord("shy", "here:Unloadable", "wants .xyz", patterns=("*.xyz",)),
    )
    with pytest.raises(PluginError, match=r"'sure' and 'too'.*--reader"):
        open_scene(image)
    assert open_scene(image, reader="envi").sizes["band"] == 3


def test_what_a_reader_raises_is_translated(image, monkeypatch):
    add(monkeypatch, ReaderRecord("sure", "here:Yes", "claims all"))
    with pytest.raises(SceneError) as caught:
        open_scene(image)
    error = caught.value
    assert "'sure'" in error.found
    assert "no such group 'HDFEOS'" in error.found
    assert error.accepted
    assert error.do
    assert isinstance(error.__cause__, KeyError)


def test_unknown_reader_and_option(image):
    with pytest.raises(PluginError, match="envi"):
        open_scene(image, reader="envy")
    with pytest.raises(ConfigError, match="colour"):
        open_scene(image, options={"colour": 1})


def test_missing_path_names_a_near_one(image):
    with pytest.raises(SceneError, match=r"does not exist; 'scene\.img' does"):
        open_scene(image.with_name("scene.jmg"))


def make_empty(folder):
    (folder / "PRS_L2D_empty.he5").touch()
    return folder / "PRS_L2D_empty.he5"


def make_text(folder):
    (folder / "notes.txt").write_text("nothing")
    return folder / "notes.txt"


def make_truncated(folder):
    path = folder / "PRS_L2D_STD.he5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    return path


def make_library(folder):
    path = folder / "library.sli"
    path.write_bytes(bytes(40))
    (folder / "library.hdr").write_text(
        "ENVI\nsamples = 5\nlines = 2\nbands = 1\ndata type = 4\nfile type = ENVI Spectral Library\n"
    )
    return path


def make_foreign_hdf(folder):
    import h5py

    with h5py.File(folder / "other.he5", "w") as file:
        file["a"] = 1
    return folder / "other.he5"


def make_foreign_netcdf(folder):
    xr.Dataset({"t2m": ("x", [1.0])}).to_netcdf(folder / "era.nc", engine="h5netcdf")
    return folder / "era.nc"


def make_not_a_zip(folder):
    (folder / "PRS_L2D_STD.zip").write_bytes(b"PK\x03\x04 and no more")
    return folder / "PRS_L2D_STD.zip"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_empty, "is empty"),
        (lambda folder: folder, r"a folder that no reader knows.*hsgeo list readers.*Give the file inside it"),
        (make_text, r"not a scene.*hsgeo list readers.*--reader"),
        (make_truncated, "not a complete HDF5 file"),
        (make_library, "spectral library.*endmembers"),
        (make_foreign_hdf, "no PRISMA Processing_Level"),
        (make_foreign_netcdf, "no variable with bands, rows, columns"),
        (make_not_a_zip, "cut short or damaged"),
    ],
)
def test_bad_inputs(make, words, tmp_path):
    before = make(tmp_path)
    names = {path.name for path in tmp_path.rglob("*")}
    with pytest.raises(SceneError, match=words) as caught:
        open_scene(before)
    assert caught.value.accepted
    assert {path.name for path in tmp_path.rglob("*")} == names  # nothing left behind

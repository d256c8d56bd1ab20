"""Bad targets: one clear error each, nothing created, nothing removed."""

from __future__ import annotations

import os

import pytest

from hsgeo.errors import ConfigError, PluginError, ProductError
from hsgeo.product.writing import check_target, choose_writer


def test_writer_by_suffix_and_by_name():
    assert choose_writer("a/b.ZARR").name == "zarr"
    assert choose_writer("b.tiff").name == "cog"
    assert choose_writer("b.anything", "cog").name == "cog"
    for path in ("abund.nc", "abund"):
        with pytest.raises(ConfigError, match=r"\.zarr"):
            choose_writer(path)
    with pytest.raises(PluginError):
        choose_writer("a.zarr", "zar")


def make(tmp_path):
    scene = tmp_path / "in.zarr"
    (scene / "deep").mkdir(parents=True)
    (scene / ".zgroup").write_text("{}")
    (tmp_path / "there.tif").write_text("old")
    (tmp_path / "begun.tif.partial.json").write_text('{"tiles": 4}')
    (tmp_path / "begun.tif.partial.done").write_text("\n0 4 0 4.\n0 4 ")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.txt").write_text("years of work")
    begun = tmp_path / "begun.zarr"
    (begun / ".hsgeo" / "done").mkdir(parents=True)
    (begun / ".zattrs").write_text('{"hsgeo_status": "incomplete"}')
    (begun / ".hsgeo" / "run.json").write_text('{"tiles": 9}')


def listing(folder):
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("target", "flags", "said"),
    [
        ("there.tif", {}, "there.tif exists"),
        ("there.tif", {"resume": True}, "nothing to resume"),
        ("there.tif", {"overwrite": True, "resume": True}, "together"),
        ("there.tif/x.zarr", {}, "is a file, not a folder"),
        ("missing/x.zarr", {}, "mkdir -p"),
        ("begun.tif", {}, "1 of 4 tiles"),
        ("begun.zarr", {}, "0 of 9 tiles"),
        ("in.zarr", {"overwrite": True}, "is the input"),
        ("in.zarr/deep/x.zarr", {}, "inside the input"),
        (".", {"overwrite": True}, "inside the output"),
        ("notes", {"overwrite": True}, "no Zarr store"),
    ],
)
def test_bad_targets(tmp_path, target, flags, said):
    make(tmp_path)
    before = listing(tmp_path)
    with pytest.raises((ProductError, ConfigError), match=said):
        check_target(
            tmp_path / target, **({"overwrite": False, "resume": False} | flags), inputs=[tmp_path / "in.zarr"]
        )
    assert listing(tmp_path) == before


def test_unwritable_folder():
    # root may write anywhere but here, where the kernel makes no files
    folder = "/proc/self" if os.path.isdir("/proc/self") else "/"
    if folder == "/" and os.access("/", os.W_OK):
        pytest.skip("no folder on this system refuses the user")
    with pytest.raises(ProductError, match="cannot be written to"):
        check_target(f"{folder}/x.zarr", overwrite=False, resume=False)


def test_good_targets(tmp_path):
    make(tmp_path)
    (tmp_path / "half.tif.partial.json").write_text('{"tiles": 4}')
    before = listing(tmp_path)
    source = tmp_path / "in.zarr"
    check_target(tmp_path / "new.zarr", overwrite=False, resume=False, inputs=[source])
    check_target(tmp_path / "new.zarr", overwrite=False, resume=True, inputs=[source])
    check_target(tmp_path / "there.tif", overwrite=True, resume=False)
    check_target(tmp_path / "begun.tif", overwrite=False, resume=True)
    check_target(tmp_path / "in.zarr2", overwrite=False, resume=False, inputs=[source])
    check_target(tmp_path / "half.zarr", overwrite=False, resume=False)  # what is left of one is not in another's way
    check_target(tmp_path / "half.tiff", overwrite=False, resume=False)
    check_target(source, overwrite=True, resume=False, inputs=[tmp_path / "there.tif"])
    assert listing(tmp_path) == before

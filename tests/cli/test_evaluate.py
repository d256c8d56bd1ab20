"""``hsgeo evaluate``: what it prints, what it writes, and exit code 2 for what cannot be compared."""

import json

import numpy as np
import pytest

from hsgeo.cli import main
from tests.evaluation.helpers import placed, smooth


@pytest.fixture
def product(tmp_path):
    placed(smooth(), scale="physical").assign_attrs(hsgeo_status="complete").to_zarr(tmp_path / "p.zarr", zarr_format=2)
    return tmp_path / "p.zarr"


@pytest.fixture
def truth(tmp_path):
    A = smooth() + np.array([0.05, -0.05, 0.0], np.float32)[:, None, None]
    np.savez(tmp_path / "t.npz", abundances=np.moveaxis(A, 0, 2), names=np.array(["soil", "tree", "water"]))
    return tmp_path / "t.npz"


def run(*args):
    with pytest.raises(SystemExit) as done:
        main(["evaluate", *map(str, args)])
    return done.value.code


def test_table_and_picture(product, truth, tmp_path, capsys):
    assert run(product, "--truth", truth, "--plot", tmp_path / "p.png", "--convention", "synthetic") == 0
    said = capsys.readouterr().out
    assert f"{np.sqrt(0.005 / 3):.4f}" in said
    assert "aRMSE (all pixels and classes)" in said
    assert "Truth: synthetic" in said
    assert (tmp_path / "p.png").exists()


def test_json(product, truth, capsys):
    assert run(product, "--truth", truth, "--json", "--match", "abundance") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["overall"]["armse"] == pytest.approx(np.sqrt(0.005 / 3), rel=1e-4)
    assert found["matching"]["by"] == "abundance"
    assert [row["truth"] for row in found["classes"]] == ["soil", "tree", "water"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["{tmp}/nowhere.zarr", "--truth", "{tmp}/t.npz"], "does not exist"),
        (["{tmp}/p.zarr", "--truth", "{tmp}/nowhere.npz"], "does not exist"),
        (["{tmp}/t.npz", "--truth", "{tmp}/t.npz"], "no product"),
        (["{tmp}/p.zarr", "--truth", "{tmp}/p.txt"], "raster"),
        (["{tmp}/p.zarr", "--truth", "{tmp}/small.npz"], "rows and columns"),
        (["{tmp}/p.zarr", "--truth", "{tmp}/t.npz", "--match", "sad"], "no spectra"),
        (["{tmp}/p.zarr", "--truth", "{tmp}/t.npz", "--match", "hand"], "hand"),
        (["{tmp}/p.zarr", "--truth", "{tmp}/t.npz", "--rename", "soil"], "old=new"),
        (["{tmp}/p.zarr", "--truth", "{tmp}/t.npz", "--plot", "{tmp}/no/where.png"], "cannot be saved"),
        (["{tmp}/p.zarr", "--truth", "{tmp}/t.npz", "--plot", "{tmp}/p.doc"], "no suffix of a picture"),
    ],
)
def test_bad_input_is_exit_2_and_one_message(args, words, product, truth, tmp_path, capsys):
    (tmp_path / "p.txt").write_text("text")
    np.savez(tmp_path / "small.npz", abundances=np.ones((5, 5, 3)) / 3)
    assert run(*(arg.format(tmp=tmp_path) for arg in args)) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error

"""``hsgeo unmix`` with labels or class names: from file to file, again by rerun, and nothing written on an error."""

import json

import numpy as np
import pytest
import rasterio

import hsgeo
from hsgeo.cli import main
from hsgeo.product.provenance import read_provenance
from hsgeo.synthetic import synthetic_scene
from hsgeo.testing.scenes import known_scene
from tests.scenes import save
from tests.vector.files import geopackage

STAGES = "stages: [{use: sunsal}]"


def run(*args, code=0):
    with pytest.raises(SystemExit) as done:
        main([str(arg) for arg in args])
    assert done.value.code == code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    known = known_scene(height=24, width=30)
    save(known.scene, folder / "scene.zarr")
    (folder / "recipe.yml").write_text(STAGES)
    shapes = []
    for k, (top, left) in enumerate([(0, 0), (7, 10), (14, 20)]):
        ring = [(top, left), (top, left + 5), (top + 5, left + 5), (top + 5, left), (top, left)]
        places = [[(600_000 + 30 * col, 5_200_000 - 30 * row) for row, col in ring]]
        shapes.append((f"plot-{k + 1}", {"type": "Polygon", "coordinates": places}))
    geopackage(folder / "plots.gpkg", {"plots": shapes})
    library = known.library()
    lines = ["name," + ",".join(f"{w:g}" for w in library["wavelength"].values)]
    lines += [f"{n}," + ",".join(f"{v:.6f}" for v in s) for n, s in zip("ABC", library["spectra"].values, strict=True)]
    (folder / "lib.csv").write_text("\n".join(lines))
    return folder


def again(folder, product, tmp_path, suffix):
    run("rerun", product, "--out", tmp_path / f"again{suffix}", "--quiet")
    first, second = hsgeo.open_product(product), hsgeo.open_product(tmp_path / f"again{suffix}")
    assert first.attrs["hsgeo_run_id"] == second.attrs["hsgeo_run_id"]
    assert first["abundance"].load().equals(second["abundance"].load())
    assert read_provenance(first)["given"] == read_provenance(second)["given"]
    return read_provenance(first)["given"]


@pytest.mark.parametrize("suffix", [".zarr", ".tif"])
def test_labels_from_file_to_file_and_again(folder, tmp_path, suffix):
    out = tmp_path / f"p{suffix}"
    run("unmix", "--input", folder / "scene.zarr", "--out", out, "--labels", folder / "plots.gpkg", "--label-field",
        "CLASS", "--recipe", folder / "recipe.yml", "--quiet")  # fmt: skip
    if suffix == ".tif":
        with rasterio.open(out) as image:
            assert image.descriptions[:3] == ("plot-1", "plot-2", "plot-3")
    given = again(folder, out, tmp_path, suffix)
    assert given["path"].endswith("plots.gpkg")
    assert given["classes"]["plot-2"] == {"labelled": 25, "read": 25, "used": 25}


def test_other_labels_are_another_run(folder):
    scene = hsgeo.open_scene(folder / "scene.zarr")
    pixels = {"a": [(0, 0)], "b": [(8, 11)]}
    ids = [
        hsgeo.unmix(scene, labels=labels, stages=["sunsal"]).attrs["hsgeo_run_id"]
        for labels in (pixels, pixels, {**pixels, "b": [(8, 12)]})
    ]
    assert ids[0] == ids[1] != ids[2]


def test_classes_of_a_library_and_again(folder, tmp_path):
    out = tmp_path / "p.zarr"
    run("unmix", "--input", folder / "scene.zarr", "--out", out, "--library", folder / "lib.csv", "--classes", "c, A",
        "--recipe", folder / "recipe.yml", "--quiet")  # fmt: skip
    given = again(folder, out, tmp_path, ".zarr")
    assert (given["by"], given["library"], given["names"]) == ("classes", "lib.csv", ["c", "A"])
    E = hsgeo.open_product(out)["endmembers"]
    np.testing.assert_allclose(E, known_scene(height=24, width=30).endmembers[[2, 0]], atol=1e-5)


def test_class_names_alone_give_procedural_spectra(capsys):
    made = synthetic_scene(24, 24, seed=1)
    names = [str(name) for name in made.abundance["endmember"].values]
    said = []
    wanted = [name.upper().replace("-", "_") for name in names]
    product = hsgeo.unmix(made.scene, classes=",".join(wanted), stages=["fcls"], notice=said.append).load()
    assert product["endmember"].values.tolist() == wanted
    assert any("procedural" in text for text in said)
    A, truth = product["abundance"].values, made.abundance.values
    seen = np.isfinite(A).all(axis=0) & np.isfinite(truth).all(axis=0)
    assert np.sqrt(np.square(A - truth)[:, seen].mean()) < 0.1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--labels", "none.gpkg"], "does not exist"),
        (["--labels", "plots.gpkg", "--label-field", "kind"], "no field 'kind'"),
        (["--labels", "plots.gpkg", "--endmembers", "lib.csv"], "--labels together with --endmembers"),
        (["--labels", "plots.gpkg", "--count", "3"], "--count together with --labels"),
        (["--labels", "plots.gpkg", "--name-from", "lib.csv"], "--name-from together"),
        (["--classes", "soil,water", "--state", "lib.csv"], "--state together"),
        (["--label-field", "kind"], "without --labels"),
        (["--classes", "soil,wood"], "nothing called 'wood'"),
        (["--classes", "A,D", "--library", "lib.csv"], "nothing called 'D'"),
        (["--classes", "soil"], "two or more"),
    ],
)
def test_an_error_writes_nothing(folder, tmp_path, capsys, given, says):
    args = [folder / arg if "." in arg else arg for arg in given]
    run("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "p.zarr", *args, code=2)
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_labels_are_not_overwritten(folder, tmp_path, capsys):
    labels = tmp_path / "p.zarr" / "plots.gpkg"
    labels.parent.mkdir()
    labels.write_bytes((folder / "plots.gpkg").read_bytes())
    run("unmix", "--input", folder / "scene.zarr", "--out", labels.parent, "--labels", labels, "--overwrite", code=2)
    assert labels.is_file()


LEARNER = '''"""A stage that learns from labels, so that a rerun needs them."""
import numpy as np
import xarray as xr
from hsgeo.plugin import FitNeeds, Needs, StageRecord, VarSpec, hookimpl, scene, tile


class Learner:
    def __init__(self, options):
        pass

    def needs(self, layout):
        return Needs()

    def outputs(self, layout):
        return {"abundance": VarSpec(("endmember", "y", "x"), sum="free")}

    def fit_needs(self, layout):
        return FitNeeds()

    def fit(self, sample, ctx):
        return xr.Dataset({"seen": ("class", [np.float32((sample["label"] == k).sum()) for k in range(3)])})

    def setup(self, state, device):
        self.seen = state["seen"].values
        return self

    def apply(self, data, ctx):
        values = np.repeat(self.seen[:, None], data.sizes["pixel"], 1)
        return xr.Dataset({"abundance": (("endmember", "pixel"), values)})

    def close(self):
        pass


@hookimpl
def hsgeo_stages():
    reads = (tile("spectra"), scene("endmembers"), tile("label"))
    return [StageRecord("cli-learner", "cli_learner:Learner", "learns", reads=reads, writes=(tile("abundance"),))]
'''


def test_what_a_stage_learnt_from_comes_again_from_the_product(folder, tmp_path, capsys):
    from hsgeo.plugin import registry

    (tmp_path / "cli_learner.py").write_text(LEARNER)
    (tmp_path / "r.yml").write_text("stages: [{use: cli-learner}]")
    plugin = ["--plugin", tmp_path / "cli_learner.py", "--quiet"]
    job = ["unmix", "--input", folder / "scene.zarr", "--labels", folder / "plots.gpkg", "--recipe", tmp_path / "r.yml"]
    try:
        for name in ("p.zarr", "p.tif"):
            run(*job, "--out", tmp_path / name, *plugin)
        run("rerun", tmp_path / "p.zarr", "--out", tmp_path / "q.zarr", *plugin)
        first, second = hsgeo.open_product(tmp_path / "p.zarr"), hsgeo.open_product(tmp_path / "q.zarr")
        assert first["abundance"].load().equals(second["abundance"].load())
        assert float(first["abundance"].max()) == 25
        assert json.loads(first.attrs["hsgeo_provenance"]) == json.loads(second.attrs["hsgeo_provenance"])
        run("rerun", tmp_path / "p.tif", "--out", tmp_path / "q.tif", *plugin, code=2)
        assert "does not hold them" in capsys.readouterr().err
        run("unmix", "--input", folder / "scene.zarr", "--endmembers", folder / "lib.csv", "--recipe",
            tmp_path / "r.yml", "--out", tmp_path / "r.zarr", *plugin, code=2)  # fmt: skip
        assert "reads 'label', which nothing before it writes" in capsys.readouterr().err
    finally:
        registry.reset()

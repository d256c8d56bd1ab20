"""Bad inputs and calls: each gives one clear message and exit code 2, no traceback, and leaves nothing behind.

The table is the specification; a case is a function that prepares a folder and returns the arguments.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from hsgeo.cli import main
from hsgeo.plugin.registry import reset
from tests.scenes import make_scene, save

CASES = {}


def case(said):
    def keep(function):
        CASES[function.__name__] = (function, said)
        return function

    return keep


def unmix(tmp, *more, scene="scene.zarr", out="out.zarr"):
    return ["unmix", "--input", str(tmp / scene), "--out", str(tmp / out), *map(str, more)]


def scene_with(tmp, change):
    scene = make_scene()
    changed = change(scene)
    save(scene if changed is None else changed, tmp / "bad.zarr")
    return unmix(tmp, scene="bad.zarr")


def spectra_with(tmp, values):
    def change(scene):
        scene["spectra"] = scene["spectra"].copy(data=values(scene["spectra"].values))

    return scene_with(tmp, change)


# --- the input -----------------------------------------------------------------------------------------------


@case("does not exist")
def missing(tmp):
    return unmix(tmp, scene="nowhere.he5")


@case("empty")
def empty_file(tmp):
    (tmp / "empty.he5").touch()
    return unmix(tmp, scene="empty.he5")


@case("")
def truncated(tmp):
    import h5py

    with h5py.File(tmp / "whole.he5", "w") as file:
        file["HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"] = np.zeros((50, 60, 70), np.uint16)
    data = (tmp / "whole.he5").read_bytes()
    (tmp / "whole.he5").unlink()
    (tmp / "cut.he5").write_bytes(data[: len(data) // 2])
    return unmix(tmp, scene="cut.he5")


@case("")
def text_named_he5(tmp):
    (tmp / "text.he5").write_text("this is no HDF5")
    return unmix(tmp, scene="text.he5")


@case("")
def empty_folder(tmp):
    (tmp / "folder").mkdir()
    return unmix(tmp, scene="folder")


@case("")
def picture(tmp):
    (tmp / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return unmix(tmp, scene="a.png")


@case("spectra")
def zarr_without_spectra(tmp):
    return scene_with(tmp, lambda scene: scene.drop_vars("spectra"))


@case("spectra")
def wrong_shape(tmp):
    return scene_with(tmp, lambda scene: scene.assign(spectra=scene["spectra"].isel(y=0, drop=True)))


@case("wavelength")
def no_wavelengths(tmp):
    return scene_with(tmp, lambda scene: scene.drop_vars("wavelength"))


@case("nodata")
def all_nodata(tmp):
    return spectra_with(tmp, lambda Y: Y * np.nan)


@case("nodata")
def all_infinite(tmp):
    return spectra_with(tmp, lambda Y: Y * 0 + np.inf)


@case("pixel")
def one_valid_pixel(tmp):
    def only_one(Y):
        out = Y * np.nan
        out[:, 3, 4] = Y[:, 3, 4]
        return out

    return spectra_with(tmp, only_one)


@case("pixel")
def one_by_one(tmp):
    return scene_with(tmp, lambda scene: scene.isel(y=[0], x=[0]))


@case("band")
def no_good_band(tmp):
    return scene_with(tmp, lambda scene: scene.assign_coords(good=("band", np.zeros(scene.sizes["band"], bool))))


@case("")
def constant_scene(tmp):
    return spectra_with(tmp, lambda Y: np.full_like(Y, 0.25))


@case("radiance")
def radiance(tmp):
    def change(scene):
        scene["spectra"].attrs |= {"quantity": "radiance", "units": "W m-2 sr-1 um-1"}

    return scene_with(tmp, change)


@case("")
def product_as_input(tmp):
    make_product(tmp)
    return unmix(tmp, scene="product.zarr")


@case("hidden")
def unknown_reader(tmp):
    return unmix(tmp, "--reader", "hidden")


@case("equally")
def readers_tied(tmp):
    plugin = """
        from hsgeo.plugin import ReaderRecord, hookimpl

        class Greedy:
            def score(self, path):
                return 2
            def open(self, path, *, options, chunks):
                raise AssertionError

        @hookimpl
        def hsgeo_readers():
            yield ReaderRecord("greedy-one", "greedy:Greedy", "claims all")
            yield ReaderRecord("greedy-two", "greedy:Greedy", "claims all")
    """
    return unmix(tmp, "--plugin", plugin_file(tmp, "greedy", plugin))


# --- the output ----------------------------------------------------------------------------------------------


@case("exists")
def output_exists(tmp):
    (tmp / "out.zarr").mkdir()
    (tmp / "out.zarr" / "mine.txt").write_text("keep me")
    return unmix(tmp)


@case("")
def output_inside_input(tmp):
    return unmix(tmp, out="scene.zarr/abund.zarr")


@case("")
def output_is_input(tmp):
    return unmix(tmp, "--overwrite", out="scene.zarr")


@case("")
def output_holds_input(tmp):
    shutil.move(tmp / "scene.zarr", tmp / "inner.zarr")
    (tmp / "out.zarr").mkdir()
    shutil.move(tmp / "inner.zarr", tmp / "out.zarr" / "inner.zarr")
    return unmix(tmp, "--overwrite", scene="out.zarr/inner.zarr")


@case("folder")
def parent_missing(tmp):
    return unmix(tmp, out="no/such/folder/out.zarr")


@case("")
def parent_is_a_file(tmp):
    (tmp / "file").touch()
    return unmix(tmp, out="file/out.zarr")


@case("suffix")
def no_suffix(tmp):
    return unmix(tmp, out="abundances")


@case(".xyz")
def unknown_suffix(tmp):
    return unmix(tmp, out="abund.xyz")


@case("together")
def overwrite_and_resume(tmp):
    return unmix(tmp, "--overwrite", "--resume")


@case("complete")
def resume_of_a_complete_product(tmp):
    make_product(tmp)
    return unmix(tmp, "--resume", out="product.zarr")


@case("chunk")
def chunk_that_does_not_divide_the_tile(tmp):
    return unmix(tmp, "--tile", 16, "-o", "output.chunk=7")


# --- recipe and options --------------------------------------------------------------------------------------


def recipe_file(tmp, text):
    (tmp / "r.yaml").write_text(text)
    return tmp / "r.yaml"


@case("no recipe")
def unknown_recipe(tmp):
    return unmix(tmp, "--recipe", "clasical")


@case("fclss")
def unknown_stage(tmp):
    return unmix(tmp, "--recipe", recipe_file(tmp, "stages: [{use: archetypes}, {use: fclss}]"))


@case("counts")
def unknown_option(tmp):
    return unmix(tmp, "-o", "archetypes.counts=3")


@case("count")
def option_of_wrong_type(tmp):
    return unmix(tmp, "-o", "archetypes.count=many")


@case("nowhere")
def option_of_no_step(tmp):
    return unmix(tmp, "-o", "nowhere.count=3")


@case("step.key=value")
def malformed_option(tmp):
    return unmix(tmp, "-o", "count")


@case("before it")
def wrong_order(tmp):
    return unmix(tmp, "--recipe", recipe_file(tmp, "stages: [{use: fcls}, {use: archetypes}]"))


@case("replaces the endmembers")
def stale_abundance(tmp):
    return unmix(tmp, "--recipe", recipe_file(tmp, "stages: [{use: archetypes}, {use: fcls}, {use: vca}]"))


@case("")
def not_yaml(tmp):
    return unmix(tmp, "--recipe", recipe_file(tmp, "stages: ["))


@case("band")
def more_endmembers_than_bands(tmp):
    return unmix(tmp, "--count", 60)


@case("pixel")
def more_endmembers_than_pixels(tmp):
    args = scene_with(tmp, lambda scene: scene.isel(y=slice(0, 2), x=slice(0, 3)))
    return [*args, "--count", "20"]


@case("count")
def negative_count(tmp):
    return unmix(tmp, "--count", -1)


@case("--tile")
def tile_zero(tmp):
    return unmix(tmp, "--tile", 0)


@case("--seed")
def negative_seed(tmp):
    return unmix(tmp, "--seed", -3)


@case("--cluster")
def unknown_cluster(tmp):
    return unmix(tmp, "--cluster", "cloud")


# --- plugins -------------------------------------------------------------------------------------------------

STAGE = """
    import xarray as xr
    from hsgeo.plugin import FitNeeds, Needs, StageRecord, VarSpec, hookimpl, scene, tile

    class Bad:
        def __init__(self, options):
            pass
        def needs(self, layout):
            return Needs()
        def outputs(self, layout):
            return {{"abundance": VarSpec(("endmember", "y", "x"))}}
        def fit_needs(self, layout):
            return FitNeeds(pixels=100) if {fits} else None
        def fit(self, sample, ctx):
            raise RuntimeError("the fit went wrong")
        def setup(self, state, device):
            return self
        def apply(self, windows, ctx):
            {apply}
        def close(self):
            pass

    @hookimpl
    def hsgeo_stages():
        yield StageRecord("bad", "{name}:Bad", "fails", reads=(tile("spectra"), scene("endmembers")),
                          writes=(tile("abundance"),))
"""


def plugin_file(tmp, name, text):
    import textwrap

    (tmp / f"{name}.py").write_text(textwrap.dedent(text))
    return tmp / f"{name}.py"


def failing(tmp, name, *, fits=False, apply="raise RuntimeError('the kernel went wrong')"):
    plugin = plugin_file(tmp, name, STAGE.format(name=name, fits=fits, apply=apply))
    recipe = recipe_file(tmp, "stages: [{use: archetypes, with: {count: 3}}, {use: bad}]")
    return unmix(tmp, "--plugin", plugin, "--recipe", recipe)


@case("nowhere.py")
def plugin_missing(tmp):
    return unmix(tmp, "--plugin", tmp / "nowhere.py")


@case("broken on purpose")
def plugin_raises_on_import(tmp):
    return unmix(tmp, "--plugin", plugin_file(tmp, "breaks", "raise RuntimeError('broken on purpose')"))


@case("the fit went wrong")
def plugin_raises_in_fit(tmp):
    return failing(tmp, "fit_fails", fits=True)


@case("the kernel went wrong")
def plugin_raises_in_kernel(tmp):
    return failing(tmp, "kernel_fails")


@case("did not return it")
def plugin_returns_nothing(tmp):
    return failing(tmp, "returns_nothing", apply="return xr.Dataset()")


@case("with dims")
def plugin_returns_wrong_dims(tmp):
    return failing(tmp, "wrong_dims", apply="return xr.Dataset({'abundance': ('pixel', [0.0])})")


# --- endmembers and states -----------------------------------------------------------------------------------


def library(tmp, low=400, high=2500):
    wavelength = np.linspace(low, high, 30)
    rows = [
        "wavelength,soil,water",
        *(f"{w:.1f},{0.2 + i / 100:.3f},{0.05 - i / 1000:.3f}" for i, w in enumerate(wavelength)),
    ]
    (tmp / "lib.csv").write_text("\n".join(rows))
    return tmp / "lib.csv"


@case("overlap|share no band|no band")
def library_without_overlap(tmp):
    return unmix(tmp, "--endmembers", library(tmp, 8000, 12000))


@case("nowhere.sli")
def library_missing(tmp):
    return unmix(tmp, "--endmembers", tmp / "nowhere.sli")


@case("")
def library_is_nonsense(tmp):
    (tmp / "lib.csv").write_text("hello\nworld")
    return unmix(tmp, "--endmembers", tmp / "lib.csv")


@case("snow")
def drop_of_an_unknown_name(tmp):
    return unmix(tmp, "--endmembers", library(tmp), "--drop", "snow")


@case("")
def everything_dropped(tmp):
    return unmix(tmp, "--endmembers", library(tmp), "--drop", "soil", "--drop", "water")


@case("old=new")
def malformed_rename(tmp):
    return unmix(tmp, "--endmembers", library(tmp), "--rename", "soil")


@case("soil")
def rename_to_a_name_that_is_there(tmp):
    return unmix(tmp, "--endmembers", library(tmp), "--rename", "water=soil")


@case("--endmembers")
def drop_without_endmembers(tmp):
    return unmix(tmp, "--drop", "soil")


@case("--count")
def count_with_endmembers(tmp):
    return unmix(tmp, "--endmembers", library(tmp), "--count", 2)


@case("")
def state_is_no_product(tmp):
    return unmix(tmp, "--state", tmp / "scene.zarr")


@case("--state")
def state_with_recipe(tmp):
    make_product(tmp)
    return unmix(tmp, "--state", tmp / "product.zarr", "--recipe", "classical")


@case("bands")
def state_of_other_bands(tmp):
    make_product(tmp)
    args = scene_with(tmp, lambda scene: scene.isel(band=slice(0, 30)))
    return [*args, "--state", str(tmp / "product.zarr")]


# --- the other commands --------------------------------------------------------------------------------------


@case("does not exist")
def info_of_nothing(tmp):
    return ["info", str(tmp / "nowhere.zarr")]


@case("does not exist")
def rerun_of_nothing(tmp):
    return ["rerun", str(tmp / "nowhere.zarr"), "--out", str(tmp / "out.zarr")]


@case("mesmerise")
def show_of_nothing(tmp):
    return ["show", "mesmerise"]


@case("[Nn]o such command")
def unknown_command(tmp):
    return ["unmixx"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    save(make_scene(), folder / "scene.zarr")
    with pytest.raises(SystemExit) as done:
        main(unmix(folder, "--count", 3, "--quiet", out="product.zarr"))
    assert done.value.code == 0
    return folder


PREPARED = {}


def make_product(tmp):
    shutil.copytree(PREPARED["folder"] / "product.zarr", tmp / "product.zarr")


def listing(folder):
    return {
        (str(path.relative_to(folder)), path.stat().st_size if path.is_file() else None) for path in folder.rglob("*")
    }


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name, tmp_path, prepared, capsys):
    PREPARED["folder"] = prepared
    shutil.copytree(prepared / "scene.zarr", tmp_path / "scene.zarr")
    make, said = CASES[name]
    args = make(tmp_path)
    before = listing(tmp_path)
    try:
        with pytest.raises(SystemExit) as stop:
            main(args)
    finally:
        reset()
    printed = capsys.readouterr()
    import re

    assert stop.value.code == 2, printed.err
    assert re.search(said, printed.err), printed.err
    assert "Traceback" not in printed.err
    assert len([line for line in printed.err.splitlines() if line.startswith("Error:")]) == 1, printed.err
    assert {entry for entry in listing(tmp_path) if "__pycache__" not in entry[0]} == before


def test_the_table_is_long_enough():
    assert len(CASES) >= 40

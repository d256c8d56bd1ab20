"""Bad libraries and states, and bad calls of the other commands."""

import numpy as np

from tests.cli.bad.table import case, make_product, scene_with, unmix

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

"""The table of bad calls, and what its cases are made with.

A case is a function that prepares a folder, in which there is a good ``scene.zarr``, and returns the arguments.
"""

import shutil
import textwrap

from tests.scenes import make_scene, save

CASES = {}  # by name: the function, and what the message must say
PREPARED = {}  # the folder with a product made once


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


def recipe_file(tmp, text):
    (tmp / "r.yaml").write_text(text)
    return tmp / "r.yaml"


def plugin_file(tmp, name, text):
    (tmp / f"{name}.py").write_text(textwrap.dedent(text))
    return tmp / f"{name}.py"


def make_product(tmp):
    shutil.copytree(PREPARED["folder"] / "product.zarr", tmp / "product.zarr")

"""The run id counts what decides a result and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hsgeo.errors import ProductError
from hsgeo.product.provenance import identify, provenance, provenance_attrs, read_provenance, run_id
from tests.product.helpers import make_scene

RECIPE = {"name": "n", "stages": [{"use": "vca", "with": {"count": 3}}, {"use": "fcls"}], "output": {"use": "zarr"}}


def record(**changes):
    scene = make_scene().assign_attrs(product_id="P1")
    scene.encoding["source"] = "granules/a.he5"
    given = {
        "recipe": RECIPE,
        "seed": 1,
        "tile": (64, 64),
        "source": identify(scene, np.arange(4.0)),
        "weights": {"net": {"name": "w", "sha256": "abc"}},
        "versions": {"classical": "0.1"},
    }
    return provenance(**(given | changes))


def test_run_id_counts_what_decides():
    base = record()
    same = [
        record(tile=(128, 32)),
        record(recipe=RECIPE | {"name": "other", "output": {"use": "cog", "with": {"blocksize": 256}}}),
        record(source=base["source"] | {"path": "/elsewhere/b.he5", "name": "b.he5"}),
        record(weights={"net": {"name": "moved/w.safetensors", "sha256": "abc"}}),
    ]
    other = [
        record(seed=2),
        record(weights={"net": {"name": "w", "sha256": "abd"}}),
        record(versions={"classical": "0.2"}),
        record(source=base["source"] | {"sample": "0"}),
        record(recipe=RECIPE | {"stages": RECIPE["stages"][:1]}),
        record(recipe=RECIPE | {"output": {"use": "zarr", "grid": "swath"}}),
    ]
    assert {run_id(r) for r in same} == {run_id(base)}
    assert len({run_id(r) for r in [base, *other]}) == 1 + len(other)
    moved = {**base, "versions": {**base["versions"], "python": "9.9", "numpy": "9.9"}, "volatile": {}}
    assert run_id(moved) == run_id(base)


def test_only_the_volatile_block_differs_between_equal_runs():
    first, second = provenance_attrs(record()), provenance_attrs(record(tile=(8, 8)))
    assert {key for key in first if first[key] != second[key]} == {"hsgeo_volatile"}
    assert "vca > fcls" in first["history"]
    assert all(isinstance(value, str) for value in first.values())
    assert json.loads(first["hsgeo_provenance"])["versions"]["numpy"] == np.__version__


def test_record_comes_back():
    scene = make_scene()
    scene.attrs = provenance_attrs(record())
    assert read_provenance(scene) == record() | {"volatile": read_provenance(scene)["volatile"]}
    scene.attrs = {}
    with pytest.raises(ProductError, match="no provenance"):
        read_provenance(scene)


def test_identity_is_of_the_values():
    scene = make_scene()
    a = identify(scene, np.array([[1.0, np.nan]]))
    assert a == identify(scene, np.array([[1.0, -np.nan]], "f4"))  # another NaN of the same meaning
    assert a["sample"] != identify(scene, np.array([1.0, np.nan]))["sample"]
    assert a["size"] == [5, 7, 5]
    assert a["path"] is None

"""What laws have in common: how they are listed, how bits are compared, what counts as heavy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin.records import ReaderRecord, StageRecord, WriterRecord

__all__ = ["HEAVY", "Law", "assert_light", "assert_options", "same_bits", "same_datasets"]

HEAVY = ("torch", "numba", "rasterio", "rioxarray", "h5py", "distributed", "matplotlib")
"""Packages that must not be loaded on the way to ``hsgeo list``."""


@dataclass(frozen=True)
class Law:
    """One law of the kit.

    Parameters
    ----------
    name : str
        Used as test id and in ``xfail=``.
    check : callable
        Called with the case; raises AssertionError.
    applies : callable
        Tells from the record alone whether the law says anything about it.
    """

    name: str
    check: Callable[[Any], None]
    applies: Callable[[Any], bool]


def same_bits(left: Any, right: Any) -> bool:
    """Tell whether two arrays agree in dtype, shape and every bit; any NaN equals any NaN."""
    left, right = np.asarray(left), np.asarray(right)
    if left.dtype != right.dtype or left.shape != right.shape:
        return (
            left.dtype.kind in "UOT"
            and right.dtype.kind in "UOT"
            and left.astype(str).tolist() == right.astype(str).tolist()
        )
    if left.dtype.kind != "f":
        return bool(np.array_equal(left, right))
    nan = np.isnan(left)
    if not np.array_equal(nan, np.isnan(right)):
        return False
    return np.where(nan, 0, left).tobytes() == np.where(nan, 0, right).tobytes()


def same_datasets(left: xr.Dataset | Mapping[str, Any], right: xr.Dataset | Mapping[str, Any]) -> str:
    """Return the name of the first variable that differs in a bit, or an empty string."""
    a: dict[Any, Any] = dict(left.variables if isinstance(left, xr.Dataset) else left)
    b: dict[Any, Any] = dict(right.variables if isinstance(right, xr.Dataset) else right)
    if set(a) != set(b):
        return str(sorted(map(str, set(a) ^ set(b)))[0])
    return next((str(name) for name in a if not same_bits(a[name].values, b[name].values)), "")


def assert_light(module: str, files: tuple[str, ...], what: str) -> None:
    """Assert that importing a plugin's module, in a fresh process, loads nothing heavy."""
    loaded = _loaded(module, files)
    assert not loaded, (
        f"importing the plugin of {what} loads {', '.join(loaded)}; plugin.py may import hsgeo.plugin only, "
        "the rest belongs inside the modules that records name by string"
    )


@cache
def _loaded(module: str, files: tuple[str, ...]) -> tuple[str, ...]:
    source = (
        "import importlib, sys\n"
        "from hsgeo.plugin.onefile import load_sources\n"
        f"load_sources({files!r})\n"
        f"importlib.import_module({module!r})\n"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    # a fresh interpreter with this one's path: what is loaded here already must not count.
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    command = [sys.executable, "-c", path + source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  made in the lines above
    assert done.returncode == 0, f"the plugin module {module} does not import alone:\n{done.stderr[-2000:]}"
    return tuple(done.stdout.rpartition("LOADED")[2].split())


def assert_options(model: type[Any] | None, values: Mapping[str, Any], what: str) -> None:
    """Assert that an options model is frozen, forbids extras, describes its fields and survives JSON and YAML."""
    if model is None:
        assert not values, f"{what} got options but names no model"
        return
    import yaml
    from pydantic import ValidationError

    assert model.model_config.get("frozen"), f"the options of {what} are not frozen: model_config = frozen=True"
    assert model.model_config.get("extra") == "forbid", f"the options of {what} accept unknown keys: extra='forbid'"
    options = model.model_validate(dict(values))
    try:
        model.model_validate({**values, "no_such_option": 1})
    except ValidationError:
        pass
    else:
        raise AssertionError(f"the options of {what} accept the unknown key 'no_such_option'")
    bare = [name for name, field in model.model_fields.items() if not field.description]
    assert not bare, f"the options {', '.join(bare)} of {what} have no description"
    plain = options.model_dump(mode="json", by_alias=True)
    assert model.model_validate(yaml.safe_load(yaml.safe_dump(plain))) == options, (
        f"{what}: options change through YAML"
    )
    as_json = options.model_dump_json(by_alias=True)
    assert model.model_validate_json(as_json) == options, f"{what}: options change through JSON"
    model.model_json_schema()


def tiles(record: ReaderRecord | StageRecord | WriterRecord) -> bool:
    """Tell whether a stage writes rasters, so that it has a kernel."""
    return isinstance(record, StageRecord) and any(var.scope == "tile" for var in record.writes)


def always(record: ReaderRecord | StageRecord | WriterRecord) -> bool:
    """Every record."""
    return True

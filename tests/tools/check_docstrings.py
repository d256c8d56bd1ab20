"""Validate the docstrings of hsgeo's public names with numpydoc.

Public is what the packages below (and the modules of those that are imported from by module) name in
``__all__``. The checks are those of ``[tool.numpydoc_validation]`` in pyproject.toml; methods of public
classes need at least a docstring.
"""

import importlib
import inspect
import pkgutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from numpydoc.validate import validate

CHECKS = set(tomllib.loads(Path("pyproject.toml").read_text())["tool"]["numpydoc_validation"]["checks"])
METHOD_CHECKS = {"GL08", "SS03"}  # a method may lean on its class for the meaning of its parameters
PACKAGES = ("hsgeo", "hsgeo.errors", "hsgeo.plugin", "hsgeo.synthetic", "hsgeo.testing")
BY_MODULE = ("hsgeo.spectra",)


def modules() -> Iterator[str]:
    """Name the modules whose ``__all__`` is public."""
    yield from PACKAGES
    for name in BY_MODULE:
        package = importlib.import_module(name)
        yield from (info.name for info in pkgutil.iter_modules(package.__path__, f"{name}."))


def names() -> Iterator[tuple[str, set[str]]]:
    """Name every public object once, with the checks that it has to pass."""
    seen = set()
    for module_name in modules():
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            home = getattr(item, "__module__", "")
            if id(item) in seen or not str(home).startswith("hsgeo") or not callable(item):
                continue
            seen.add(id(item))
            if inspect.isclass(item):
                checks = CHECKS - {"PR01"} if issubclass(item, BaseException) or is_declared(item) else CHECKS
                yield f"{home}.{item.__qualname__}", checks
                for method, function in vars(item).items():
                    if not method.startswith("_") and inspect.isfunction(function):
                        yield f"{home}.{item.__qualname__}.{method}", METHOD_CHECKS
            elif inspect.isfunction(item):
                yield f"{home}.{item.__qualname__}", CHECKS


def is_declared(item: type) -> bool:
    """Tell protocols, enums and named tuples: their constructors are not for the reader to call."""
    return bool(getattr(item, "_is_protocol", False)) or hasattr(item, "__members__")


def main() -> int:
    count, wrong = 0, 0
    for name, checks in names():
        count += 1
        for code, message in validate(name)["errors"]:
            if code in checks:
                wrong += 1
                sys.stderr.write(f"{name}: {code} {message}\n")
    sys.stdout.write(f"docstrings: {count} public names, {wrong} faults\n")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())

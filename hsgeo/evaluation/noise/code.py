"""What code a function hangs on: the modules it imports, and those they import, and no others.

A digest of whole packages would make hours of rows stale when a file is added beside the one that they used.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["imported_files", "imports_digest"]


@lru_cache(maxsize=16)
def imports_digest(modules: tuple[str, ...], within: tuple[str, ...]) -> str:
    """Digest modules and all that they import, directly or not, at the top or in functions.

    Parameters
    ----------
    modules : tuple of str
        To begin with.
    within : tuple of str
        Packages whose modules are followed; others count as given.

    Returns
    -------
    str
        Hexadecimal.
    """
    digest = hashlib.sha256()
    for name, file in imported_files(modules, within=within).items():
        digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def imported_files(modules: Sequence[str], *, within: Sequence[str]) -> dict[str, Path]:
    """Find modules and all that they import inside some packages.

    A name that a package takes from one of its modules leads to that module, not to all that the package holds.

    Parameters
    ----------
    modules : sequence of str
        Importable names, to begin with; they need not lie in the packages.
    within : sequence of str
        Packages whose modules are followed.

    Returns
    -------
    dict of str to pathlib.Path
        Files by module, sorted.
    """
    found: dict[str, Path] = {}
    left = list(modules)
    while left:
        name = left.pop()
        file = _file(name)
        if name in found or file is None:
            continue
        found[name] = file
        left += [other for other in _imports(name, file) if _inside(other, within)]
    return dict(sorted(found.items()))


def _inside(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@lru_cache(maxsize=256)
def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):  # a name in a module, not a module
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None and spec.has_location else None


def _imports(module: str, file: Path) -> Iterator[str]:
    """Name the modules that a file imports; hsgeo has absolute imports only."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (_home(node.module, alias.name) for alias in node.names)


def _home(module: str, name: str) -> str:
    """Return the module that a name imported from a module is of."""
    inner = f"{module}.{name}"
    file = _file(module)
    if file is None or file.name != "__init__.py":
        return module
    if _file(inner) is not None:
        return inner
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _home(node.module, alias.name)
    return module

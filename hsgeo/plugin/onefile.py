"""One-file plugins: load ``./mine.py`` so that its classes can be pickled to any worker."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import pickle
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from hsgeo.errors import PluginError

__all__ = ["file_digest", "load_file", "load_sources", "module_name", "reduce_with_sources"]

_lock = threading.RLock()


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles from source each time: no ``__pycache__`` beside the user's file, none that is stale read."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def file_digest(path: Path) -> str:
    """Return the blake2b-128 hex digest of a plugin file, as kept in the provenance."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def module_name(path: Path, digest: str) -> str:
    """Return the module name of a plugin file: the same in every process that sees the same content."""
    stem = re.sub(r"\W", "_", path.stem)
    return f"hsgeo_file_{stem}_{digest[:12]}"


def load_file(path: str | Path) -> tuple[ModuleType, str]:
    """Load a plugin file under a name made of its stem and content; a second call returns the same module.

    Parameters
    ----------
    path : str or pathlib.Path
        A Python file.

    Returns
    -------
    module : types.ModuleType
        Registered in ``sys.modules``, so that its classes pickle by reference.
    digest : str
        Content hash, see `file_digest`.

    Raises
    ------
    PluginError
        If the file is missing, is no ``.py`` file, or fails to import (the original error is the cause).
    """
    path = Path(path).expanduser().resolve()
    if not path.is_file() or path.suffix != ".py":
        raise PluginError(
            f"plugin file {path} {'is not a .py file' if path.exists() else 'does not exist'}",
            "the path of one Python file with hsgeo hooks",
            "Check the path given with --plugin",
        )
    with _lock:
        digest = file_digest(path)
        name = module_name(path, digest)
        if name in sys.modules:
            return sys.modules[name], digest
        spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, str(path)))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise PluginError(
                f"plugin file {path} fails to import: {type(error).__name__}: {error}",
                "a file that Python can import",
                "Repair the file, or leave it out",
            ) from error
        return module, digest


def load_sources(paths: Iterable[str]) -> None:
    """Load plugin files in a worker process before anything of them is unpickled.

    Parameters
    ----------
    paths : iterable of str
        What `Registry.sources` gave in the main process.

    Raises
    ------
    PluginError
        As `load_file`.
    """
    for path in paths:
        load_file(path)


def reduce_with_sources(
    make: Callable[..., Any], fields: Mapping[str, Any], sources: tuple[str, ...]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return what ``__reduce__`` of an object returns that holds instances of plugin files' classes.

    Such an object cannot simply be unpickled in another process: the classes are looked up before anybody could load
    the files. So the fields travel as bytes, and the files are loaded first.

    Parameters
    ----------
    make : callable
        Called as ``make(**fields)`` in the other process; usually the object's own class.
    fields : mapping
        Its arguments.
    sources : tuple of str
        `Registry.sources`; the other process must see the files at these paths.

    Returns
    -------
    tuple
        A callable and its arguments.
    """
    return _rebuild, (sources, make, pickle.dumps(dict(fields), protocol=pickle.HIGHEST_PROTOCOL))


def _rebuild(sources: tuple[str, ...], make: Callable[..., Any], data: bytes) -> Any:
    load_sources(sources)
    return make(**pickle.loads(data))  # noqa: S301  inside an unpickling that trusts its sender already

"""What one plugin says of itself, checked: its hooks and the records they return."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hsgeo.errors import PluginError
from hsgeo.plugin.records import CatalogRecord, ReaderRecord, StageRecord, WriterRecord

__all__ = [
    "HOOKS",
    "RECORDS",
    "PluginInfo",
    "Record",
    "check_hooks_known",
    "check_hooks_marked",
    "check_names_once",
    "checked_records",
    "localised",
]

Record = ReaderRecord | StageRecord | WriterRecord

RECORDS: dict[str, type[Record | CatalogRecord]] = {
    "hsgeo_readers": ReaderRecord,
    "hsgeo_stages": StageRecord,
    "hsgeo_writers": WriterRecord,
    "hsgeo_catalogs": CatalogRecord,
}
"""Hooks that return records, and the records they return."""

HOOKS = (*RECORDS, "hsgeo_commands")
_CATALOG_KINDS = ("sensors", "recipes", "weights", "spectra", "scenes")


@dataclass(frozen=True)
class PluginInfo:
    """A plugin as found, working or broken.

    Parameters
    ----------
    name : str
        Entry-point name, or the stem of a plugin file.
    distribution : str
        Installed distribution that provides it, or ``"file /path/mine.py"``.
    version : str
        Version of the distribution, or the content hash of the file.
    error : str or None
        One line saying why it is broken; None: it works.
    module : str
        Import name of the module with the hooks.
    """

    name: str
    distribution: str
    version: str
    error: str | None = None
    module: str = ""


def check_hooks_marked(plugin: Any) -> None:
    """Raise `PluginError` if the plugin has a hook that lacks ``@hookimpl``, which pluggy would pass over silently."""
    for hook in HOOKS:
        if hasattr(plugin, hook) and not hasattr(getattr(plugin, hook), "hsgeo_impl"):
            raise PluginError(f"{hook} lacks @hookimpl", "functions under @hsgeo.plugin.hookimpl")


def check_hooks_known(names: Iterable[str]) -> None:
    """Raise `PluginError` if there is no hook, or one that hsgeo does not know."""
    names = list(names)
    if not names:
        raise PluginError("it has no hook", ", ".join(HOOKS))
    for name in names:
        if name not in HOOKS:
            raise PluginError(f"{name} is no hook of hsgeo", ", ".join(HOOKS))


def checked_records(hook: str, answer: Any) -> Iterator[Record | CatalogRecord]:
    """Yield the records of one hook's answer.

    Parameters
    ----------
    hook : str
        A key of `RECORDS`.
    answer : object
        What the hook returned.

    Yields
    ------
    ReaderRecord, StageRecord, WriterRecord or CatalogRecord
        Each item, once it has been looked at.

    Raises
    ------
    PluginError
        If the answer, or an item of it, is not what the hook is to return.
    """
    wanted = RECORDS[hook]
    accepted = f"an iterable of {wanted.__name__}"
    if isinstance(answer, (str, bytes)) or not isinstance(answer, Iterable):
        raise PluginError(f"{hook} returned {answer!r}", accepted)
    for record in answer:
        if type(record) is not wanted:
            raise PluginError(f"{hook} returned an item {record!r}", accepted)
        if isinstance(record, CatalogRecord) and record.kind not in _CATALOG_KINDS:
            raise PluginError(f"{hook} names a catalog of kind {record.kind!r}", ", ".join(_CATALOG_KINDS))
        yield record


def check_names_once(records: Iterable[Record | CatalogRecord]) -> None:
    """Raise `PluginError` if one plugin names a reader, stage or writer twice."""
    seen: set[tuple[type, str]] = set()
    for record in records:
        if not isinstance(record, CatalogRecord):
            if (type(record), record.name) in seen:
                raise PluginError(f"it names {record.name!r} twice", "one record of a name")
            seen.add((type(record), record.name))


def localised(record: Any, stem: str, module: str) -> Any:
    """Point the targets that name the plugin file by its stem at the module it was loaded as."""
    parts = ("target", "options", "trainer")
    changes = {
        part: module + getattr(record, part)[len(stem) :]
        for part in parts
        if (getattr(record, part, None) or "").startswith(stem + ":")
    }
    return replace(record, **changes) if changes else record

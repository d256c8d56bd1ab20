"""The registry: which readers, stages, writers and catalogs there are, and who provides them. Loads no heavy code."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from hsgeo.errors import PluginError
from hsgeo.plugin.loaded import ERRORS, GROUP, LoadedPlugins
from hsgeo.plugin.loading import PluginInfo, Record
from hsgeo.plugin.lookup import DISABLE, provided_twice, provider_broken, unknown
from hsgeo.plugin.records import CatalogRecord, ReaderRecord, StageRecord, WriterRecord

__all__ = ["GROUP", "PluginInfo", "Registry", "registry", "reset"]

R = TypeVar("R", ReaderRecord, StageRecord, WriterRecord)


class Registry(LoadedPlugins):
    """Every record that the installed plugins, and the plugin files given, provide.

    Use `registry`, which keeps one for the process. A broken plugin is listed in `broken` and provides nothing. A name
    that two plugins provide is listed in `clashes`, is in none of the mappings, and raises when it is asked for; the
    rest stays usable.

    Parameters
    ----------
    disabled : iterable of str
        Names of plugins that are not loaded.
    """

    @property
    def readers(self) -> Mapping[str, ReaderRecord]:
        """Readers by name, sorted."""
        return self._unique(ReaderRecord)

    @property
    def stages(self) -> Mapping[str, StageRecord]:
        """Stages by name, sorted."""
        return self._unique(StageRecord)

    @property
    def writers(self) -> Mapping[str, WriterRecord]:
        """Writers by name, sorted."""
        return self._unique(WriterRecord)

    @property
    def catalogs(self) -> tuple[CatalogRecord, ...]:
        """Data folders, in the order of the plugins' names."""
        return tuple(
            record for name in self._working() for record in self._records[name] if isinstance(record, CatalogRecord)
        )

    @property
    def clashes(self) -> Mapping[str, tuple[str, ...]]:
        """Names that more than one plugin provides: ``"stage 'x'"`` to the distributions."""
        owners: dict[str, list[str]] = {}
        for plugin in self._working():
            for record in self._records[plugin]:
                if not isinstance(record, CatalogRecord):
                    what = f"{_kind(type(record))} {record.name!r}"
                    owners.setdefault(what, []).append(self._plugins[plugin].distribution)
        return {what: tuple(names) for what, names in sorted(owners.items()) if len(names) > 1}

    def trouble(self) -> tuple[str, ...]:
        """Return one line for each broken plugin, clash and disabled plugin: for messages when nothing fits."""
        lines = [f"plugin {name!r} is broken ({why})" for name, why in self.broken.items()]
        lines += [f"{what} is provided by {' and '.join(owners)}" for what, owners in self.clashes.items()]
        lines += [f"plugin {name!r} is disabled by {DISABLE}" for name in sorted(self.disabled)]
        return tuple(lines)

    def reader(self, name: str) -> ReaderRecord:
        """Return the reader of a name, or raise `PluginError` with suggestions."""
        return self._get(ReaderRecord, name)

    def stage(self, name: str) -> StageRecord:
        """Return the stage of a name, or raise `PluginError` with suggestions."""
        return self._get(StageRecord, name)

    def writer(self, name: str) -> WriterRecord:
        """Return the writer of a name, or raise `PluginError` with suggestions."""
        return self._get(WriterRecord, name)

    def load(self, record: Record, part: Literal["target", "options", "trainer"] = "target") -> type[Any]:
        """Import the class that a record names.

        Parameters
        ----------
        record : ReaderRecord, StageRecord or WriterRecord
            A record of this registry.
        part : {"target", "options", "trainer"}
            Which of the record's classes.

        Returns
        -------
        type
            The class.

        Raises
        ------
        PluginError
            If the record names none, or importing it fails; the original error is the cause.
        """
        target = getattr(record, part, None)
        what = f"{_kind(type(record))} {record.name!r}"
        if target is None:
            raise PluginError(f"{what} has no {part}", f"a {_kind(type(record))} whose record names a {part}")
        module, _, attribute = target.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ERRORS as error:
            owner = self.provider(record)
            raise PluginError(
                f"{what} of {owner.distribution} {owner.version} cannot be loaded from {target}: "
                f"{type(error).__name__}: {error}",
                "a plugin whose own dependencies are installed",
                f"Install what is missing or upgrade {owner.distribution}; "
                f"{DISABLE}={owner.name} switches the plugin off",
            ) from error
        if not isinstance(found, type):
            raise PluginError(f"{target}, named by {what}, is a {type(found).__name__}", "a class")
        return found

    def options(self, record: Record) -> type[Any] | None:
        """Import the options model (pydantic) of a record; None when it has no options.

        Parameters
        ----------
        record : ReaderRecord, StageRecord or WriterRecord
            A record of this registry.

        Returns
        -------
        type or None
            A subclass of ``pydantic.BaseModel``.

        Raises
        ------
        PluginError
            As `load`, or if the class is no pydantic model.
        """
        if record.options is None:
            return None
        model = self.load(record, "options")
        if not hasattr(model, "model_json_schema"):
            raise PluginError(f"{record.options}, named by {record.name!r}, is no model", "a pydantic BaseModel")
        return model

    def _claims(self, type_: type[R]) -> dict[str, list[tuple[str, R]]]:
        claims: dict[str, list[tuple[str, R]]] = {}
        for owner in self._working():
            for record in self._records[owner]:
                if isinstance(record, type_):
                    claims.setdefault(record.name, []).append((owner, record))
        return claims

    def _unique(self, type_: type[R]) -> Mapping[str, R]:
        return {name: claims[0][1] for name, claims in sorted(self._claims(type_).items()) if len(claims) == 1}

    def _get(self, type_: type[R], name: str) -> R:
        claims = self._claims(type_)
        mine = claims.get(name, [])
        if len(mine) == 1:
            return mine[0][1]
        kind = _kind(type_)
        if mine:
            raise provided_twice(kind, name, [self._plugins[owner] for owner, _ in mine])
        for owner, info in self._plugins.items():
            if info.error and any(isinstance(r, type_) and r.name == name for r in self._records.get(owner, ())):
                raise provider_broken(kind, name, info)
        raise unknown(kind, name, claims, self.trouble())


def _kind(type_: type) -> str:
    return {ReaderRecord: "reader", StageRecord: "stage", WriterRecord: "writer"}[type_]


_lock = threading.RLock()
_kept: Registry | None = None


def registry(files: Iterable[str | Path] = ()) -> Registry:
    """Return the registry of this process, with the given plugin files added.

    Parameters
    ----------
    files : iterable of str or pathlib.Path
        One-file plugins; a file that is there already is not loaded again.

    Returns
    -------
    Registry
        The same object on every call, until `reset`.

    Raises
    ------
    PluginError
        If one of the files is missing or broken. Installed plugins never raise here; see `Registry.broken`.
    """
    global _kept
    with _lock:
        if _kept is None:
            _kept = Registry(name for part in os.environ.get(DISABLE, "").split(",") if (name := part.strip()))
        for path in files:
            _kept.add_file(path)
        return _kept


def reset() -> None:
    """Forget the registry, so that the next call of `registry` looks again (tests, freshly installed plugins)."""
    global _kept
    with _lock:
        _kept = None

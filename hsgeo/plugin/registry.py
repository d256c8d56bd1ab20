"""The registry: which readers, stages, writers and catalogs there are, and who provides them. Loads no heavy code."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pluggy

from hsgeo.errors import HsgeoError, PluginError
from hsgeo.plugin import hooks
from hsgeo.plugin.loading import (
    RECORDS,
    PluginInfo,
    Record,
    check_hooks_known,
    check_hooks_marked,
    check_names_once,
    checked_records,
    localised,
)
from hsgeo.plugin.lookup import DISABLE, provided_twice, provider_broken, unknown
from hsgeo.plugin.onefile import load_file
from hsgeo.plugin.records import CatalogRecord, ReaderRecord, StageRecord, WriterRecord

if TYPE_CHECKING:
    import click

__all__ = ["GROUP", "PluginInfo", "Registry", "registry", "reset"]

GROUP = "hsgeo"
"""Entry-point group of plugins, bundled or not."""

R = TypeVar("R", ReaderRecord, StageRecord, WriterRecord)

_ERRORS = (Exception, SystemExit)  # SystemExit: a plugin that calls sys.exit() must not end the user's program


class Registry:
    """Every record that the installed plugins, and the plugin files given, provide.

    Use `registry`, which keeps one for the process. A broken plugin is listed in `broken` and provides nothing. A name
    that two plugins provide is listed in `clashes`, is in none of the mappings, and raises when it is asked for; the
    rest stays usable.

    Parameters
    ----------
    disabled : iterable of str
        Names of plugins that are not loaded.
    """

    def __init__(self, disabled: Iterable[str] = ()) -> None:
        self._manager = pluggy.PluginManager("hsgeo")
        self._manager.add_hookspecs(hooks)
        self._plugins: dict[str, PluginInfo] = {}
        self._records: dict[str, list[Record | CatalogRecord]] = {}
        self._files: dict[str, str] = {}
        self._commands_done: set[str] = set()
        self.disabled = frozenset(disabled)
        found = [
            (point.name, *((point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")), point)
            for point in entry_points(group=GROUP)
        ]
        for name, distribution, version, point in sorted(found, key=lambda item: item[:3]):
            if name in self.disabled:
                continue
            key = name if name not in self._plugins else f"{name}@{distribution}"
            self._plugins[key] = PluginInfo(key, distribution, version, module=point.module)
            try:
                self._register(key, point.load())
            except _ERRORS as error:
                self._break(key, error)

    # ---- loading -------------------------------------------------------------------------------------------------

    def _register(self, name: str, plugin: Any) -> None:
        """Register one plugin and take its records; raises whatever is wrong with it."""
        check_hooks_marked(plugin)
        self._manager.register(plugin, name)
        callers = self._manager.get_hookcallers(plugin) or []
        check_hooks_known(caller.name for caller in callers)
        taken = self._records[name] = []  # filled as we go: what was seen before a failure tells whom to blame later
        for caller in callers:
            if caller.name in RECORDS:
                for answer in self._call(caller.name, plugin):
                    for record in checked_records(caller.name, answer):
                        taken.append(record)  # noqa: PERF402  an extend could lose the records before a failure
        check_names_once(taken)

    def _call(self, hook: str, plugin: Any, **arguments: Any) -> list[Any]:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        return self._manager.subset_hook_caller(hook, others)(**arguments)

    def _break(self, name: str, error: BaseException) -> None:
        said = error.found if isinstance(error, HsgeoError) else f"{type(error).__name__}: {error}"
        text = " ".join(said.split())
        self._plugins[name] = replace(self._plugins[name], error=text)
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)

    def add_file(self, path: str | Path) -> PluginInfo:
        """Load a one-file plugin; a file that changed since replaces its earlier self.

        A target of the file's records may name the file's own module as ``__name__`` or by the file's stem.

        Parameters
        ----------
        path : str or pathlib.Path
            A Python file with hooks.

        Returns
        -------
        PluginInfo
            With the content hash as version.

        Raises
        ------
        PluginError
            If the file is missing, fails to import or its hooks are wrong; the original error is the cause.
        """
        path = Path(path).expanduser().resolve()
        module, digest = load_file(path)
        key = str(path)
        if self._files.get(key) == digest:
            return next(info for info in self._plugins.values() if info.distribution == f"file {key}")
        for name in [name for name, info in self._plugins.items() if info.distribution == f"file {key}"]:
            self._manager.unregister(name=name)
            del self._plugins[name], self._records[name]
        name = path.stem if path.stem not in self._plugins else f"{path.stem}@{path}"
        info = PluginInfo(name, f"file {key}", digest, module=module.__name__)
        try:
            self._register(name, module)
        except _ERRORS as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            self._records.pop(name, None)
            raise PluginError(
                f"plugin file {path} is broken: {type(error).__name__}: {error}",
                "hooks that return records (see hsgeo.plugin.hooks)",
                "Repair the file, or leave it out",
            ) from error
        self._records[name] = [localised(record, path.stem, module.__name__) for record in self._records[name]]
        self._plugins[name] = info
        self._files[key] = digest
        return info

    # ---- what there is -------------------------------------------------------------------------------------------

    @property
    def plugins(self) -> Mapping[str, PluginInfo]:
        """Every plugin found, broken ones too."""
        return MappingProxyType(self._plugins)

    @property
    def broken(self) -> Mapping[str, str]:
        """Broken plugins: name to ``"distribution: one-line error"``."""
        return {name: f"{info.distribution}: {info.error}" for name, info in self._plugins.items() if info.error}

    @property
    def files(self) -> Mapping[str, str]:
        """Plugin files given: absolute path to content hash (blake2b, 128 bits)."""
        return MappingProxyType(self._files)

    def sources(self) -> tuple[str, ...]:
        """Return the files a worker must load (`hsgeo.plugin.onefile.load_sources`) before it unpickles a stage."""
        return tuple(self._files)

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

    def provider(self, record: Record | CatalogRecord) -> PluginInfo:
        """Return the plugin that provides a record.

        Parameters
        ----------
        record : ReaderRecord, StageRecord, WriterRecord or CatalogRecord
            A record of this registry.

        Returns
        -------
        PluginInfo
            Its plugin.

        Raises
        ------
        PluginError
            If no plugin of this registry provides it.
        """
        for name, records in self._records.items():
            if record in records:
                return self._plugins[name]
        raise PluginError(f"no plugin provides {record}", "a record of this registry")

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
        except _ERRORS as error:
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

    def commands(self, cli: click.Group) -> None:
        """Let every plugin add its commands; one that fails or takes a name that is taken is broken, and adds none.

        Parameters
        ----------
        cli : click.Group
            The root group; the plugins get a group of their own that is merged into it.
        """
        import click

        taken = dict.fromkeys(cli.list_commands(click.Context(cli)), "hsgeo")
        for name in self._working():
            plugin = self._manager.get_plugin(name)
            if not hasattr(plugin, "hsgeo_commands") or name in self._commands_done:
                continue
            group = click.Group("hsgeo")
            try:
                self._call("hsgeo_commands", plugin, cli=group)
                for command in group.commands:
                    if command in taken:
                        raise PluginError(f"it adds the command {command!r}, which {taken[command]} has already")
            except _ERRORS as error:
                self._break(name, error)
                continue
            for command, body in group.commands.items():
                taken[command] = self._plugins[name].distribution
                cli.add_command(body, command)
            self._commands_done.add(name)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _working(self) -> list[str]:
        return [name for name, info in self._plugins.items() if info.error is None]

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

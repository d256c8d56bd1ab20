"""The plugins of a process: found, loaded, asked for their records; a broken one is kept with its error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

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
from hsgeo.plugin.onefile import load_file
from hsgeo.plugin.records import CatalogRecord, StageRecord

if TYPE_CHECKING:
    import click

__all__ = ["ERRORS", "GROUP", "LoadedPlugins"]

GROUP = "hsgeo"
"""Entry-point group of plugins, bundled or not."""

ERRORS = (Exception, SystemExit)
"""What a plugin may do wrong; ``SystemExit``: one that calls ``sys.exit()`` must not end the user's program."""


class LoadedPlugins:
    """The installed plugins and the plugin files given, and the records of those that work.

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
            except ERRORS as error:
                self._break(key, error)

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
        except ERRORS as error:
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

    def files_behind(self, stages: Iterable[StageRecord]) -> dict[str, str]:
        """Return those of `files` that may show in a product of these stages.

        All but those that bring nothing but other stages: what else was loaded in this process must not make equal runs
        differ. Files with a reader stay, as a scene does not say which one opened it.

        Parameters
        ----------
        stages : iterable of StageRecord
            The stages used.

        Returns
        -------
        dict of str to str
            Absolute path to content hash.
        """
        used = list(stages)
        behind = {
            info.distribution
            for name, info in self._plugins.items()
            if any(not isinstance(record, StageRecord) or record in used for record in self._records.get(name, ()))
        }
        return {path: digest for path, digest in self._files.items() if f"file {path}" in behind}

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
            except ERRORS as error:
                self._break(name, error)
                continue
            for command, body in group.commands.items():
                taken[command] = self._plugins[name].distribution
                cli.add_command(body, command)
            self._commands_done.add(name)

    def _working(self) -> list[str]:
        return [name for name, info in self._plugins.items() if info.error is None]

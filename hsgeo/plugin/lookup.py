"""What is said when a name leads to no plugin: twice provided, broken, or unknown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from hsgeo.errors import PluginError
from hsgeo.plugin.loading import PluginInfo

__all__ = ["DISABLE", "provided_twice", "provider_broken", "unknown"]

DISABLE = "HSGEO_DISABLE_PLUGINS"
"""Environment variable: plugin names, separated by commas, that are not loaded."""


def provided_twice(kind: str, name: str, owners: Sequence[PluginInfo]) -> PluginError:
    """Return the error of a name that several plugins provide; it names all of them."""
    return PluginError(
        f"{kind} {name!r} is provided twice: by "
        + " and by ".join(f"plugin {info.name!r} of {info.distribution} {info.version}" for info in owners),
        "one provider of a name",
        f"Uninstall one of them, or switch one off with {DISABLE}={owners[-1].name}",
    )


def provider_broken(kind: str, name: str, info: PluginInfo) -> PluginError:
    """Return the error of a name whose plugin is broken; it says why."""
    return PluginError(
        f"{kind} {name!r} belongs to the plugin {info.name!r} of {info.distribution} {info.version}, "
        f"which is broken: {info.error}",
        "a plugin that loads",
        f"Repair or upgrade {info.distribution}",
    )


def unknown(kind: str, name: str, known: Iterable[str], trouble: Iterable[str]) -> PluginError:
    """Return the error of a name that no plugin provides, with close ones and with what is broken or disabled."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3)
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return PluginError(
        f"there is no {kind} {name!r}",
        ", ".join(names) or f"no {kind} is installed",
        hint + "; ".join([f"See `hsgeo list {kind}s`", *(line for line in trouble if "provided by" not in line)]),
    )

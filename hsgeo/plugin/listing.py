"""What there is, as plain rows: behind ``hsgeo list``, ``hsgeo show`` and ``hsgeo schema``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hsgeo.errors import ConfigError, PluginError
from hsgeo.plugin.loading import Record
from hsgeo.plugin.records import ReaderRecord, StageRecord, Var, WriterRecord
from hsgeo.plugin.registry import Registry

__all__ = ["KINDS", "describe", "list_all", "options_of", "schema_all"]

KINDS = ("stages", "readers", "writers", "recipes", "plugins")


def list_all(reg: Registry, kind: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """List stages, readers, writers, recipes and plugins without loading any of them.

    Parameters
    ----------
    reg : Registry
        Where to look.
    kind : {"stages", "readers", "writers", "recipes", "plugins"}, optional
        Only these.

    Returns
    -------
    dict of str to list of dict
        Rows by kind; every row has ``name`` and ``plugin``. A name that two plugins provide, and a broken plugin,
        has a row with ``error``.

    Raises
    ------
    ConfigError
        If there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"there is nothing called {kind!r} to list", ", ".join(KINDS))
    rows: dict[str, list[dict[str, Any]]] = {}
    for wanted in KINDS if kind is None else (kind,):
        if wanted == "plugins":
            rows[wanted] = [
                {"name": info.name, "plugin": f"{info.distribution} {info.version}", "error": info.error}
                for info in reg.plugins.values()
            ] + [{"name": name, "plugin": "", "error": "disabled"} for name in sorted(reg.disabled)]
        elif wanted == "recipes":
            rows[wanted] = _recipes(reg)
        else:
            records: Mapping[str, Record] = getattr(reg, wanted)
            rows[wanted] = [_row(reg, record) for record in records.values()] + [
                {"name": name, "plugin": " and ".join(owners), "error": "provided twice"}
                for what, owners in reg.clashes.items()
                for found, _, name in [what.replace("'", "").partition(" ")]
                if found + "s" == wanted
            ]
    return rows


def describe(reg: Registry, name: str) -> list[dict[str, Any]]:
    """Describe the stages, readers and writers of a name with their options.

    Parameters
    ----------
    reg : Registry
        Where to look.
    name : str
        As listed.

    Returns
    -------
    list of dict
        Rows of `list_all`, each with ``kind``, ``target`` and ``options``: a list of dicts with ``name``, ``type``,
        ``default`` and ``description`` (units included).

    Raises
    ------
    PluginError
        If there is none of that name, or its options cannot be loaded.
    """
    found: list[tuple[str, Record]] = []
    mappings: dict[str, Mapping[str, Record]] = {"stage": reg.stages, "reader": reg.readers, "writer": reg.writers}
    for kind, records in mappings.items():
        if name in records:
            found.append((kind, records[name]))
        elif f"{kind} {name!r}" in reg.clashes:
            getattr(reg, kind)(name)  # raises, and names both providers
    if not found:
        _raise_unknown(reg, name, mappings)
    rows = []
    for kind, record in found:
        model = reg.options(record)
        options = [] if model is None else options_of(model.model_json_schema())
        rows.append(_row(reg, record) | {"kind": kind, "target": record.target, "options": options})
    return rows


def schema_all(reg: Registry) -> dict[str, Any]:
    """Return the JSON schemas of the options of every stage, reader and writer.

    Parameters
    ----------
    reg : Registry
        Where to look.

    Returns
    -------
    dict
        ``{"stages": {name: schema}, "readers": ..., "writers": ..., "errors": {name: why}}``; a record without options
        has the schema of an empty object.
    """
    empty = {"type": "object", "properties": {}, "additionalProperties": False}
    schemas: dict[str, Any] = {"stages": {}, "readers": {}, "writers": {}, "errors": {}}
    for kind in ("stages", "readers", "writers"):
        records: Mapping[str, Record] = getattr(reg, kind)
        for name, record in records.items():
            try:
                model = reg.options(record)
            except PluginError as error:
                schemas["errors"][name] = str(error)
                continue
            schemas[kind][name] = empty if model is None else model.model_json_schema()
    return schemas


def _raise_unknown(reg: Registry, name: str, mappings: Mapping[str, Mapping[str, Record]]) -> None:
    import difflib

    names = sorted({known for records in mappings.values() for known in records})
    close = difflib.get_close_matches(name, names, n=3)
    hints = [f"did you mean {' or '.join(map(repr, close))}?"] if close else []
    raise PluginError(
        f"there is no stage, reader or writer {name!r}",
        ", ".join(names) or "none is installed",
        "; ".join([*hints, "see `hsgeo list`", *reg.trouble()]),
    )


def _row(reg: Registry, record: Record) -> dict[str, Any]:
    info = reg.provider(record)
    row: dict[str, Any] = {
        "name": record.name,
        "summary": record.summary,
        "plugin": f"{info.name} ({info.distribution})",
    }
    if isinstance(record, StageRecord):
        row |= {"reads": [_var(var) for var in record.reads], "writes": [_var(var) for var in record.writes]}
        row["trains"] = None if record.trainer is None else record.trains or record.name
    elif isinstance(record, ReaderRecord):
        row["patterns"] = list(record.patterns)
    elif isinstance(record, WriterRecord):
        row["suffixes"] = list(record.suffixes)
    return row


def _var(var: Var) -> str:
    return f"{var.name} ({var.scope}{', optional' if var.optional else ''})"


def _recipes(reg: Registry) -> list[dict[str, Any]]:
    from importlib.resources import files

    rows = []
    for record in reg.catalogs:
        if record.kind == "recipes":
            plugin = reg.provider(record).name
            try:
                entries = list((files(record.package) / record.folder).iterdir())
            except (ImportError, OSError) as error:
                rows.append({"name": record.package, "plugin": plugin, "error": f"{type(error).__name__}: {error}"})
                continue
            for entry in sorted(entries, key=lambda item: item.name):
                stem, _, suffix = entry.name.rpartition(".")
                if suffix in ("yaml", "yml"):
                    first = entry.read_text(encoding="utf-8").partition("\n")[0]
                    summary = first.lstrip("# ") if first.startswith("#") else ""
                    rows.append({"name": stem, "summary": summary, "plugin": plugin})
    return rows


def options_of(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the options in the JSON schema of a pydantic model.

    Parameters
    ----------
    schema : mapping
        From ``model_json_schema()``.

    Returns
    -------
    list of dict
        ``name``, ``type``, ``default`` and ``description`` of each.
    """
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "type": _type(entry, schema.get("$defs", {})),
            "default": "(required)" if name in required else entry.get("default"),
            "description": entry.get("description", ""),
        }
        for name, entry in schema.get("properties", {}).items()
    ]


def _type(entry: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """Put the type of a JSON schema entry in words."""
    if "$ref" in entry:
        return _type(defs[entry["$ref"].rpartition("/")[2]], defs)
    for joint in ("anyOf", "oneOf"):
        if joint in entry:
            return " or ".join(dict.fromkeys(_type(part, defs) for part in entry[joint]))
    if "enum" in entry:
        return " or ".join(repr(value) for value in entry["enum"])
    if "const" in entry:
        return repr(entry["const"])
    words = str(entry.get("type", "any")).replace("null", "none")
    if words == "array":
        items = entry.get("items")
        words = f"list of {_type(items, defs)}" if isinstance(items, Mapping) else "list"
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return " ".join([words, *(f"{sign} {entry[key]}" for key, sign in bounds.items() if key in entry)])

"""What shipped weights a stage may have used: results of a benchmark hang on them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

from hsgeo.plugin.records import StageRecord
from hsgeo.plugin.registry import Registry

__all__ = ["weights_digest"]


def weights_digest(records: Sequence[StageRecord], known: Registry) -> str:
    """Digest the shipped weights of stages: those called as the stage or as what its trainer makes, else all.

    All, that is, where a stage with a trainer has none of its name: one of them may be its own.

    Parameters
    ----------
    records : sequence of StageRecord
        The stages.
    known : Registry
        Knows where weights are.

    Returns
    -------
    str
        Hexadecimal; empty where no stage has weights.
    """
    shipped: dict[str, Traversable] = {}
    for catalog in known.catalogs:
        folder = files(catalog.package).joinpath(catalog.folder)
        if catalog.kind == "weights" and folder.is_dir():
            shipped |= {file.name: file for file in folder.iterdir() if file.name.endswith(".safetensors")}
    used: set[str] = set()
    for record in records:
        own = {name for name in shipped if name.startswith((record.name, record.trains or record.name))}
        used |= own or (set(shipped) if record.trainer else set())
    if not used:
        return ""
    digest = hashlib.sha256()
    for name in sorted(used):
        digest.update(name.encode() + b"\0" + shipped[name].read_bytes())
    return digest.hexdigest()[:12]

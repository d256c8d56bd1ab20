"""Weights that installed packages ship, by name."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from hsgeo.errors import ConfigError
from hsgeo.plugin.registry import registry

__all__ = ["shipped_weights"]


def shipped_weights(name: str) -> Path:
    """Find the weights of a name in the folders that plugins register as catalogs of the kind ``"weights"``.

    Parameters
    ----------
    name : str
        File name without ``.safetensors``; the model card ``NAME.md`` lies beside it.

    Returns
    -------
    pathlib.Path
        For `hsgeo.nn.load_weights`.

    Raises
    ------
    ConfigError
        If no installed package ships them.
    """
    found: dict[str, Path] = {}
    for record in registry().catalogs:
        if record.kind == "weights":
            folder = Path(str(files(record.package).joinpath(record.folder)))
            for path in sorted(folder.glob("*.safetensors")):
                found.setdefault(path.stem, path)
    if name not in found:
        close = difflib.get_close_matches(name, found, n=1)
        raise ConfigError(
            f"no installed package ships the weights {name!r}",
            ", ".join(sorted(found)) or "a package that ships weights; none is installed",
            f"Did you mean {close[0]!r}?" if close else "Install hsgeo again, or give your own weights",
        )
    return found[name]

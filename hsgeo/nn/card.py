"""The model card: what weights are, what made them, how good they are, and how to make them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsgeo.nn.weights import write_whole

__all__ = ["write_card"]

_MADE = ("seed", "steps", "hours", "device", "precision", "threads", "skipped_steps", "optimizer")


def write_card(path: str | Path, card: Mapping[str, Any], *, weights: str, sha256: str, size: int) -> None:
    """Write the model card of a weights file as Markdown.

    Parameters
    ----------
    path : str or pathlib.Path
        Where to: beside the weights, with the suffix ``.md``.
    card : mapping
        As `hsgeo.nn.training.train` stores it in the weights: ``architecture``, ``parameters``, ``config``, ``data``,
        ``seed``, ``steps``, ``hours``, ``device``, ``precision``, ``threads``, ``skipped_steps``, ``optimizer``,
        ``versions``, ``metrics``, ``command`` and ``finished``.
    weights : str
        File name of the weights.
    sha256 : str
        Their hash.
    size : int
        Their bytes.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    lines = [
        f"# {card['architecture']}",
        "",
        f"Weights: `{weights}`, {size:,} bytes, {card['parameters']:,} parameters.",
        "",
        f"sha256: `{sha256}`",
        "",
    ]
    if not card["finished"]:
        lines += ["**Training was not finished when this was written.**", ""]
    lines += [
        "## Metrics",
        "",
        "Moving average of the weights, read back from the file, on fixed validation scenes.",
        "",
    ]
    lines += _table(("metric", "value"), card["metrics"])
    lines += ["## Training", "", *_table(("what", "value"), {key: card[key] for key in _MADE if key in card})]
    lines += ["Versions: " + ", ".join(f"{name} {number}" for name, number in card["versions"].items()) + ".", ""]
    lines += ["Again, in one command:", "", "```console", card["command"], "```", ""]
    for title, key in (("Training data", "data"), ("Configuration", "config")):
        lines += [f"## {title}", "", "```json", json.dumps(card[key], indent=2, sort_keys=True), "```", ""]
    write_whole(Path(path), "\n".join(lines).encode())


def _table(head: tuple[str, str], rows: Mapping[str, Any]) -> list[str]:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    for key, value in rows.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{name} {_text(item)}" for name, item in value.items())
        lines.append(f"| {key.replace('_', ' ')} | {_text(value)} |")
    return [*lines, ""]


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

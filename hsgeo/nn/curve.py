"""The curve of a training: loss and validation as tables, and as one picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hsgeo.nn.weights import write_whole

__all__ = ["draw_curve", "write_table"]

_SIZE = (7.0, 3.4)  # inches
_DPI = 110


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV; columns are all keys, in the order in which they come up.

    Parameters
    ----------
    path : pathlib.Path
        Where to.
    rows : sequence of mapping
        Numbers by name; None stays empty.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    table = csv.DictWriter(text, names, restval="", lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})
    write_whole(path, text.getvalue().encode())


def draw_curve(path: Path, losses: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, Any]]) -> None:
    """Draw loss and validation score over the steps.

    Parameters
    ----------
    path : pathlib.Path
        PNG to write.
    losses : sequence of mapping
        ``step`` and ``loss``.
    scores : sequence of mapping
        ``step`` and ``score``.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for axes, rows, key, title in (
        (left, losses, "loss", "training loss"),
        (right, scores, "score", "validation score"),
    ):
        points = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 40 else None, color="teal", linewidth=1.2)
            values = [value for _, value in points]
            if max(values) > 10 * min(values) > 0:  # below that a logarithmic axis has hardly a labelled tick
                axes.set_yscale("log")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step")
        axes.grid(visible=True, which="both", linewidth=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_whole(path, picture.getvalue())

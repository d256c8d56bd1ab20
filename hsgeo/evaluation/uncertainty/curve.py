"""The picture of the sparsification curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.evaluation.uncertainty.scenes import TRUTHS

__all__ = ["draw_curves"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito


def draw_curves(summary: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Draw a panel per noise level: what error is left when the most uncertain pixels are taken away.

    Parameters
    ----------
    summary : sequence of mapping
        From `hsgeo.evaluation.uncertainty.verdict.summarise`.
    path : pathlib.Path
        A PNG.

    Returns
    -------
    bool
        Whether there was a curve to draw; else nothing is written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [
        row
        for row in summary
        if row["truth"] == TRUTHS[0] and row["scene"] is None and row["snr_db"] is not None and row["stated_curve"]
    ]
    levels = sorted({float(row["snr_db"]) for row in rows}, reverse=True)
    if not rows:
        return False
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    figure = Figure(figsize=(3.0 * len(levels) + 0.6, 3.4), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, len(levels), sharey=True))
    for ax, level in zip(axes, levels, strict=True):
        for row in (row for row in rows if row["snr_db"] == level):
            colour = _COLOURS[methods.index(str(row["method"])) % len(_COLOURS)]
            taken = 100 * np.arange(len(row["stated_curve"])) / len(row["stated_curve"])
            ax.plot(taken, row["stated_curve"], color=colour, lw=1.6, label=str(row["method"]))
            ax.plot(taken, row["best_curve"], color=colour, lw=1.0, ls=(0, (4, 2)))
        ax.set_title(f"{level:g} dB", loc="left", fontsize=9)
        ax.set_xlabel("taken away, %", fontsize=9)
        ax.set_ylim(bottom=0)
        ax.grid(color="#e6e6e6", lw=0.7)
        ax.tick_params(labelsize=8)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[0].set_ylabel("RMSE left / RMSE of all", fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), fontsize=8, frameon=False)
    figure.savefig(path)
    return True

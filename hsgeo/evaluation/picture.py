"""A picture of a score: truth, estimate and difference of every class, side by side on one scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hsgeo.errors import ProductError
from hsgeo.evaluation.score import Evaluation
from hsgeo.product.panels import draw_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_picture", "score_picture"]

_ACROSS = 6  # classes beside each other: more are too small to see
_SIDE = 500  # pixels a map is thinned to
_WIDTH, _DPI = 12.0, 150
_SMALLEST = 0.01  # of abundance: a colour scale below it would show rounding
_FRAME = 2  # pixels kept around the pixels with a truth
_SUFFIXES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")


def check_picture(path: str | Path) -> None:
    """Check before the work where a picture is to go.

    Parameters
    ----------
    path : path
        Where to save.

    Raises
    ------
    ProductError
        No picture has this suffix, or the folder is not there.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ProductError(
            f"{path} has no suffix of a picture", ", ".join(_SUFFIXES), f"Write {path.with_suffix('.png').name} instead"
        )
    if not path.parent.is_dir():
        raise ProductError(
            f"the picture cannot be saved as {path}: its folder does not exist", "an existing folder", "Make it first"
        )


def score_picture(evaluation: Evaluation, path: str | Path | None = None) -> Figure:
    """Draw truth, estimate and difference of every class.

    Parameters
    ----------
    evaluation : Evaluation
        From `hsgeo.evaluation.score.score`.
    path : path, optional
        Where to save; the suffix says the format.

    Returns
    -------
    matplotlib.figure.Figure
        Drawn without pyplot, so that no window opens.

    Raises
    ------
    ProductError
        The picture cannot be saved.
    """
    if path is not None:
        check_picture(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    truth, estimate = (_framed(evaluation, name) for name in ("truth", "estimate"))
    count, rows, cols = truth.shape
    off = np.abs(estimate - truth)
    off = off[np.isfinite(off)]
    reach = float(np.clip(np.percentile(off, 99), _SMALLEST, 1)) if off.size else 1.0
    across = min(_ACROSS, count)
    blocks = -(-count // across)
    high = min((_WIDTH - 1) / max(across, 2) * rows / cols, 4.5) + 0.25
    layout = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.04, hspace=0.02, wspace=0.02)
    figure = Figure(figsize=(_WIDTH, 3 * blocks * high + 0.9), dpi=_DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3 * blocks, across, squeeze=False)
    shown: dict[str, Any] = {}
    for k in range(blocks * across):
        block, col = divmod(k, across)
        three = axes[3 * block : 3 * block + 3, col]
        if k >= count:
            for ax in three:
                ax.set_axis_off()
            continue
        row = evaluation.classes[k]
        draw_map(three[0], truth[k], f"{row['truth']}: truth", None, 1.0)
        name = row["estimate"] if row["estimate"] is not None else "no estimate"
        draw_map(three[1], estimate[k], f"{name}: estimate", None, 1.0)
        off = estimate[k] - truth[k]
        draw_map(three[2], np.full_like(off, np.nan), f"RMSE {row['rmse']:.3f}, bias {row['bias']:+.3f}", None, 1.0)
        shown["share"] = three[1].images[0]
        shown["off"] = three[2].imshow(off, vmin=-reach, vmax=reach, cmap="RdBu_r", interpolation="nearest")
    for image, label, part in (
        (shown["share"], "abundance", axes[0::3]), (shown["off"], "estimate minus truth", axes[2::3]),
    ):  # fmt: skip
        bar = figure.colorbar(
            image, ax=list(part.ravel()), shrink=0.8, pad=0.01, extend="both" if "minus" in label else "neither"
        )
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)
    stated = evaluation.convention
    figure.suptitle(
        f"aRMSE {evaluation.overall['armse']:.4f}   |   {evaluation.pixels['scored']:,} pixels   |   matched by "
        f"{evaluation.matching['by']}   |   truth {stated['truth'] or 'of unstated convention'}, "
        f"product {stated['product_scale']}",
        x=0.012, ha="left", fontsize=10, color="#333333",
    )  # fmt: skip
    if path is not None:
        try:
            figure.savefig(path, dpi=_DPI)
        except (OSError, ValueError) as error:
            raise ProductError(
                f"the picture cannot be saved as {path}", "a writable .png, .pdf or .svg path", "See the rights there"
            ) from error
    return figure


def _framed(evaluation: Evaluation, name: str) -> np.ndarray:
    """Return maps cut to where there is a truth, thinned."""
    known = np.isfinite(evaluation.maps["truth"].values).all(axis=0)
    spans = []
    for axis in (1, 0):
        at = np.flatnonzero(known.any(axis=axis))
        spans.append(slice(max(0, int(at[0]) - _FRAME), int(at[-1]) + 1 + _FRAME))
    values = evaluation.maps[name].values[:, spans[0], spans[1]]
    step = max(1, -(-max(values.shape[1:]) // _SIDE))
    return np.asarray(values[:, ::step, ::step])

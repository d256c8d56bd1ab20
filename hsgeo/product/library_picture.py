"""A picture of a spectral library: its spectra, a panel for each class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hsgeo.errors import ProductError
from hsgeo.product.panels import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["library_picture"]

_PANELS = 12  # classes that fit on a page; the others, smaller ones, share the last panel
_LINES = 80  # of a class: more make a blot
_FEW = 5  # lines that need neither thinness nor a median
_NAMED = 10  # lines that a legend can tell apart
_OPTICAL = 2600.0  # nm: where thermal bands begin, that would squeeze the reflective ones
_DPI = 130
_INK = "#333333"


def library_picture(library: xr.Dataset, path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draw the spectra of a library by class: thin lines, their median thick; flagged bands grey.

    Parameters
    ----------
    library : xarray.Dataset
        A library. Of more than 80 spectra of a class every n-th is drawn; beyond 2600 nm nothing, where there are
        reflective bands.
    path : str or pathlib.Path, optional
        Where to save; the suffix says the format (.png, .pdf, .svg).
    title : str
        Above the panels.

    Returns
    -------
    matplotlib.figure.Figure
        Drawn without pyplot, so that no window opens.

    Raises
    ------
    ProductError
        The picture cannot be saved.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = _groups(library)
    cols = min(len(groups), 3 if len(groups) in (3, 5, 6, 9) else 2 if len(groups) <= 4 else 4)
    rows = -(-len(groups) // cols)
    size = (12.0 if cols > 1 else 9.0, 0.7 + (2.6 if cols > 1 else 4.6) * rows)
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, cols, squeeze=False, sharex=True, sharey=True)
    w = library["wavelength"].values
    order = np.argsort(w, kind="stable")
    order = order[w[order] <= _OPTICAL] if (w <= _OPTICAL).any() else order
    values = library["spectra"].transpose("spectrum", "band").values[:, order].astype(float)
    flagged = ~library["good"].values.astype(bool)[order] if "good" in library.coords else np.zeros(len(order), bool)
    values[:, flagged] = np.nan  # what stands there means nothing
    names = library["name"].values.astype(str)
    for i, (label, members) in enumerate(groups.items()):
        ax = axes.flat[i]
        _draw(ax, w[order], values[members], flagged, PALETTE[i % len(PALETTE)], names[members], len(groups) == 1)
        text = label or "spectra"
        ax.set_title(f"{text[:40]}  ({len(members)})", fontsize=9, loc="left", color=_INK)
    for ax in axes.flat[len(groups) :]:
        ax.set_axis_off()
    for ax in axes.flat[max(len(groups) - cols, 0) : len(groups)]:  # the lowest of every column
        ax.set_xlabel("wavelength, nm", fontsize=8)
        ax.tick_params(labelbottom=True)
    for ax in axes[:, 0]:
        ax.set_ylabel("reflectance", fontsize=8)
    top = float(np.nanquantile(values, 0.999)) if np.isfinite(values).any() else 1.0
    axes.flat[0].set_ylim(min(0.0, float(np.nanmin(values, initial=0.0))), 1.05 * max(top, 1e-3))
    said = f"{title}   |   " if title else ""
    figure.suptitle(
        f"{said}{len(names)} spectra   |   {len(w)} bands, {w.min():.0f}-{w.max():.0f} nm",
        x=0.01, ha="left", fontsize=10, color=_INK,
    )  # fmt: skip
    if path is not None:
        try:
            figure.savefig(path)
        except (OSError, ValueError) as error:
            raise ProductError(
                f"the picture cannot be saved as {path}: {error}", "a writable .png, .pdf or .svg path"
            ) from error
    return figure


def _groups(library: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the members of every class, big ones first; small ones together where there are too many."""
    if "class" not in library.coords:
        return {"": np.arange(library.sizes["spectrum"])}
    labels = library["class"].values.astype(str)
    found, counts = np.unique(labels, return_counts=True)
    ranked = [str(found[i]) for i in np.argsort(-counts, kind="stable")]
    if len(ranked) <= _PANELS:
        return {label: np.flatnonzero(labels == label) for label in ranked}
    own = ranked[: _PANELS - 1]
    rest = f"{len(ranked) - len(own)} other classes"
    return {**{label: np.flatnonzero(labels == label) for label in own}, rest: np.flatnonzero(~np.isin(labels, own))}


def _draw(
    ax: Axes, w: np.ndarray, spectra: np.ndarray, flagged: np.ndarray, colour: str, names: np.ndarray, alone: bool
) -> None:
    named = alone and len(spectra) <= _NAMED
    for i, row in enumerate(spectra[:: -(-len(spectra) // _LINES)]):
        own = np.isfinite(row)  # of several grids: samples are joined across those that other grids have between
        line = PALETTE[i % len(PALETTE)] if named else colour
        thick, alpha = (1.1, 1.0) if named or len(spectra) <= _FEW else (0.5, 0.45)
        ax.plot(*_broken(w[own], row[own]), lw=thick, color=line, alpha=alpha, label=names[i] if named else None)
    if len(spectra) > _FEW and not named:
        whole = np.isfinite(spectra).mean(axis=0) > 0.5
        if whole.any():
            ax.plot(*_broken(w[whole], np.nanmedian(spectra[:, whole], axis=0)), lw=1.6, color="black")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flagged, [False]]).astype(int)))
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        ax.axvspan(w[a], w[b - 1], color="#e4e4e4", lw=0, zorder=0)
    if named:
        ax.legend(fontsize=7, frameon=False)
    ax.tick_params(labelsize=7)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _broken(w: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put NaN into wide gaps, so that no line bridges them."""
    wide = np.flatnonzero(np.diff(w) > 60) + 1  # nm; as in the pictures of products
    return np.insert(w, wide, w[wide - 1]), np.insert(values.astype(float), wide, np.nan)

"""The single panels of a product's picture: each draws one thing on given axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hsgeo.plugin.quality import Quality

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PALETTE",
    "draw_map",
    "draw_quality",
    "draw_rgb",
    "draw_rmse",
    "draw_scale_bar",
    "draw_spectra",
]

PALETTE = ("#d55e00", "#009e73", "#0072b2", "#cc79a7", "#e69f00", "#56b4e9", "#5b3a1e", "#8a8a00", "#7f3fbf", "#444444")
"""Told apart by colour-blind readers too (Okabe and Ito, with three dark additions)."""

# the strongest reason first: a pixel is drawn in the colour of the first that applies
_REASONS: tuple[tuple[str, Quality, str], ...] = (
    ("no data", Quality.NODATA, "#4d4d4d"),
    ("failed", Quality.FAILED, "#d7191c"),
    ("masked", Quality.MASKED, "#9e9ac8"),
    ("unmodelled", Quality.UNMODELLED, "#fd8d3c"),
    ("flagged", Quality.CLOUD | Quality.CLOUD_SHADOW | Quality.CIRRUS | Quality.SNOW, "#c6dbef"),
    ("flagged", Quality.GLINT | Quality.SATURATED | Quality.INVALID, "#c6dbef"),
    ("partial", Quality.PARTIAL, "#ffe08a"),
)
_USABLE = "#b8d8b0"
_INK = "#333333"
_GAP = 60.0  # nm: neighbours farther apart than this are not joined by a line


def draw_map(ax: Axes, values: np.ndarray, title: str, colour: str | None, aspect: float) -> None:
    """Draw one abundance map on the scale 0 to 1.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to.
    values : numpy.ndarray
        ``(y, x)``, NaN without result.
    title : str
        Above the map.
    colour : str or None
        Of the endmember's line among the spectra.
    aspect : float
        Height of a pixel over its width.
    """
    _frame(ax, title)
    if colour is not None:
        ax.annotate("\u25a0", (0, 1), (0, 5.5), xycoords="axes fraction", textcoords="offset points", color=colour,
                    fontsize=11)  # fmt: skip
        ax.set_title(f"    {title}", loc="left", fontsize=9, color=_INK)
    ax.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect=aspect, interpolation="nearest")


def draw_rmse(ax: Axes, values: np.ndarray, aspect: float, *, title: str = "rmse") -> None:
    """Draw the residual, or another map that begins at 0, up to its 99th percentile.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to.
    values : numpy.ndarray
        ``(y, x)``, NaN without result.
    aspect : float
        Height of a pixel over its width.
    title : str
        Above the map, with the median.
    """
    some = values[np.isfinite(values)]
    top = float(np.percentile(some, 99)) if some.size else 1.0
    _frame(ax, f"{title}  (median {np.median(some):.3g})" if some.size else title)
    image = ax.imshow(values, vmin=0, vmax=top or 1.0, cmap="magma", aspect=aspect, interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.04, pad=0.02, extend="max" if some.size else "neither")
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)


def draw_quality(ax: Axes, quality: np.ndarray, aspect: float) -> None:
    """Draw the strongest reason of every pixel, with its share.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to.
    quality : numpy.ndarray
        ``(y, x)`` bits of `hsgeo.plugin.Quality`.
    aspect : float
        Height of a pixel over its width.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    image = np.broadcast_to(np.array(to_rgb(_USABLE)), (*quality.shape, 3)).copy()
    free = np.ones(quality.shape, bool)
    shares: dict[tuple[str, str], float] = {}
    for label, bits, colour in _REASONS:
        hit = free & ((quality & bits.value) != 0)
        image[hit] = to_rgb(colour)
        free &= ~hit
        if hit.any():
            shares[label, colour] = shares.get((label, colour), 0.0) + hit.mean()
    shares = {("usable", _USABLE): float(free.mean()), **shares}
    _frame(ax, "quality")
    ax.imshow(image, aspect=aspect, interpolation="nearest")
    handles = [Patch(color=colour, label=f"{label} {_share(part)}") for (label, colour), part in shares.items()]
    ax.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=min(3, len(handles)), fontsize=7,
        frameon=False, handlelength=1.0, handleheight=1.0, columnspacing=1.0, labelcolor=_INK,
    )  # fmt: skip


def draw_rgb(ax: Axes, colours: np.ndarray, aspect: float) -> None:
    """Draw the scene in natural colours, stretched from the 2nd to the 98th percentile.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to.
    colours : numpy.ndarray
        ``(y, x, 3)`` red, green, blue; NaN without data.
    aspect : float
        Height of a pixel over its width.
    """
    _frame(ax, "scene")
    some = np.isfinite(colours).all(-1)
    image = np.zeros((*some.shape, 4))
    if some.any():
        low, high = np.percentile(colours[some], [2, 98], axis=0)
        image[..., :3] = np.clip((np.nan_to_num(colours) - low) / np.where(high > low, high - low, 1), 0, 1) ** 0.8
        image[..., 3] = some
    ax.imshow(image, aspect=aspect, interpolation="nearest")


def draw_spectra(ax: Axes, product: xr.Dataset, truth: xr.Dataset | None, order: list[int | None] | None) -> None:
    """Draw the endmembers over wavelength, with gaps at bad bands; true ones dashed.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to.
    product : xarray.Dataset
        With ``endmembers (endmember, band)`` and ``wavelength``.
    truth : xarray.Dataset or None
        With ``endmembers`` on wavelengths of its own.
    order : list of int or None
        The true endmember that goes with each estimated one.
    """
    wave = np.asarray(product["wavelength"].values, float)
    good = np.asarray(product["good"].values, bool) if "good" in product.coords else np.ones(wave.size, bool)
    by_wave = np.argsort(wave, kind="stable")
    edges = _bad_spans(wave[by_wave], good[by_wave])
    for left, right in edges:
        ax.axvspan(left, right, color="#f0f0f0", lw=0, zorder=0)
    for i, (name, spectrum) in enumerate(zip(product["endmember"].values, product["endmembers"].values, strict=True)):
        colour = PALETTE[i % len(PALETTE)]
        x, y = _with_gaps(wave[by_wave], np.where(good, spectrum, np.nan)[by_wave])
        ax.plot(x, y, color=colour, lw=1.5, label=str(name))
        if truth is not None and order is not None and "endmembers" in truth and "wavelength" in truth.coords:
            j = order[i]
            if j is not None:
                at = np.argsort(truth["wavelength"].values, kind="stable")
                x, y = _with_gaps(truth["wavelength"].values[at].astype(float), truth["endmembers"].values[j][at])
                ax.plot(x, y, color=colour, lw=1.0, ls=(0, (4, 2)), alpha=0.7)
    units = product["endmembers"].attrs.get("units", "1")
    ax.set_xlabel("wavelength (nm)", fontsize=9, color=_INK)
    ax.set_ylabel("reflectance" if units in ("1", "") else str(units), fontsize=9, color=_INK)
    handles, labels = ax.get_legend_handles_labels()
    if truth is not None and "endmembers" in truth:
        from matplotlib.lines import Line2D

        handles.append(Line2D([], [], color=_INK, lw=1.0, ls=(0, (4, 2))))
        labels.append("truth")
    ax.legend(handles, labels, fontsize=8, frameon=False, ncols=2 if len(labels) > 6 else 1, labelcolor=_INK,
              loc="upper left", bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    ax.set_title("endmembers" + ("  (bad bands grey)" if edges else ""), loc="left", fontsize=9, color=_INK)
    ax.grid(axis="y", color="#e6e6e6", lw=0.7)
    ax.set_axisbelow(True)
    ax.margins(x=0.01)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.tick_params(labelsize=8, colors=_INK, length=3)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color("#999999")


def draw_scale_bar(ax: Axes, product: xr.Dataset, step: int) -> None:
    """Draw a bar of a round length, where the CRS is in metres.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        A map.
    product : xarray.Dataset
        With ``spatial:transform`` and ``x`` in metres.
    step : int
        Pixels per drawn pixel.
    """
    affine = product.attrs.get("spatial:transform")
    units = str(product["x"].attrs.get("units", "")) if "x" in product.coords else ""
    if affine is None or units not in ("m", "metre", "meter"):
        return
    size = float(np.hypot(affine[0], affine[3])) * step
    width = -(-product.sizes["x"] // step)
    wanted = 0.3 * width * size
    if wanted <= 0 or width < 8:
        return
    ten = 10.0 ** np.floor(np.log10(wanted))
    length = max(k for k in (1, 2, 5) if k * ten <= wanted) * ten
    span = length / size / width
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    for colour, wide in (("black", 4.0), ("white", 2.2)):
        ax.plot([0.05, 0.05 + span], [0.05, 0.05], color=colour, lw=wide, transform=ax.transAxes,
                solid_capstyle="butt")  # fmt: skip
    from matplotlib.patheffects import withStroke

    ax.text(0.05 + span / 2, 0.075, text, transform=ax.transAxes, ha="center", va="bottom", fontsize=7, color="white",
            path_effects=[withStroke(linewidth=1.8, foreground="black")])  # fmt: skip


def _frame(ax: Axes, title: str) -> None:
    ax.set_title(title, loc="left", fontsize=9, color=_INK)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_facecolor("#e4e4e4")  # seen where a map has no result
    ax.patch.set_hatch("/////")
    ax.patch.set_edgecolor("#cfcfcf")
    for spine in ax.spines.values():
        spine.set_visible(False)


def _share(part: float) -> str:
    return "< 0.1 %" if 0 < part < 0.001 else f"{100 * part:.1f} %"


def _bad_spans(wave: np.ndarray, good: np.ndarray) -> list[tuple[float, float]]:
    """Return the intervals of wavelengths that bad bands fill, half way to their good neighbours."""
    spans = []
    start = None
    for i in range(wave.size + 1):
        bad = i < wave.size and not good[i]
        if bad and start is None:
            start = i
        elif not bad and start is not None:
            left = wave[start] if start == 0 else (wave[start - 1] + wave[start]) / 2
            right = wave[i - 1] if i == wave.size else (wave[i - 1] + wave[i]) / 2
            spans.append((float(left), float(right)))
            start = None
    return spans


def _with_gaps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Break the line where neighbours are far apart: the bands between may have been left out of the file."""
    if x.size < 3:
        return x, y
    far = np.flatnonzero(np.diff(x) > max(_GAP, 6 * float(np.median(np.diff(x)))))
    return np.insert(x, far + 1, x[far]), np.insert(y.astype(float), far + 1, np.nan)

"""A picture of a product: maps, residual, uncertainty, quality and spectra on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from hsgeo.errors import ProductError
from hsgeo.product.panels import PALETTE, draw_map, draw_quality, draw_rgb, draw_rmse, draw_scale_bar, draw_spectra
from hsgeo.product.placement import Placement, find_placement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["picture"]

_SIDE = 700  # pixels a map is thinned to: more cannot be seen at 150 dpi
_WIDTH = 12.0  # inches
_DPI = 150
_STATED = {"abundance_std": "mean std", "prior_influence": "prior influence"}


def picture(
    product: xr.Dataset,
    path: str | Path | None = None,
    *,
    scene: xr.Dataset | None = None,
    truth: xr.Dataset | None = None,
) -> Figure:
    """Draw a product: a map per endmember on one scale, rmse, quality, what it states of its errors, and the spectra.

    Big products are thinned while they are read, every n-th pixel, and never loaded whole.

    Parameters
    ----------
    product : xarray.Dataset
        With ``abundance``; ``endmembers``, ``rmse``, ``quality``, ``abundance_std`` (drawn as the mean over the
        endmembers) and ``prior_influence`` where there.
    path : str or pathlib.Path, optional
        Where to save; the suffix says the format (.png, .pdf, .svg).
    scene : xarray.Dataset, optional
        The unmixed scene, for a colour image.
    truth : xarray.Dataset, optional
        True ``abundance`` on the same pixels, and ``endmembers``; drawn beside, each with the estimate
        it fits best.

    Returns
    -------
    matplotlib.figure.Figure
        Shown by notebooks; drawn without pyplot, so that no window opens and threads are safe.

    Raises
    ------
    ProductError
        When there is no abundance, the truth or the scene is on another grid, or the picture cannot be saved.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if "abundance" not in product or product["abundance"].dims != ("endmember", "y", "x"):
        raise ProductError("there is no abundance (endmember, y, x) to draw", "a product of hsgeo")
    shape = (product.sizes["y"], product.sizes["x"])
    if scene is not None:
        _check_same_grid(scene, product)
    step = max(1, -(-max(shape) // _SIDE))
    thin = _thinned(product, ["abundance", "rmse", "quality", *_STATED], step)
    true = _thinned(_same_size(truth, shape), ["abundance"], step) if truth is not None else None
    A = thin["abundance"].values
    order = _matched(A, true["abundance"].values) if true is not None else None

    names = [str(n) for n in product["endmember"].values]
    kinds = ("rgb", "rmse", *_STATED, "quality")
    extras = [kind for kind in kinds if (scene is not None if kind == "rgb" else kind in thin)]
    spectra = "endmembers" in product
    per_map = 2 if true is not None else 1
    cols = _columns(len(names))
    map_rows = -(-len(names) // cols)
    beside = spectra and len(extras) in (1, 2)  # the spectra fill the row that the extras leave empty

    where = find_placement(product)
    aspect = _aspect(where)
    tall = float(np.clip(shape[0] / shape[1] * aspect, 0.3, 1.8))
    inner = _WIDTH - 1.0
    map_high = min(inner / cols * tall, 5.0) + 0.32
    extra_high = min(inner / (4 if beside else max(3, len(extras))) * tall, 4.2) + 0.45
    highs = [map_high] * (map_rows * per_map)
    if extras:
        highs.append(max(extra_high, 2.6) if beside else extra_high)
    if spectra and not beside:
        highs.append(3.1)
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05, hspace=0.02, wspace=0.02)
    figure = Figure(figsize=(_WIDTH, sum(highs) + 0.75), dpi=_DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    parts = [sum(highs[: map_rows * per_map]), *highs[map_rows * per_map :]]
    grid = figure.add_gridspec(len(parts), 1, height_ratios=parts)

    maps = grid[0].subgridspec(map_rows * per_map, cols)
    axes = []
    for i, name in enumerate(names):
        row, col = divmod(i, cols)
        ax = figure.add_subplot(maps[row * per_map, col])
        draw_map(ax, A[i], f"{name}  {_percent(A[i])}", PALETTE[i % len(PALETTE)], aspect)
        axes.append(ax)
        if true is not None and order is not None:
            below = figure.add_subplot(maps[row * per_map + 1, col])
            if order[i] is None:
                below.set_axis_off()
                continue
            T = true["abundance"].values[order[i]]
            rmse = float(np.sqrt(np.nanmean((A[i] - T) ** 2))) if np.isfinite(A[i] - T).any() else np.nan
            draw_map(below, T, f"truth: {true['endmember'].values[order[i]]}  (rmse {rmse:.3f})", None, aspect)
            axes.append(below)
    draw_scale_bar(axes[0], product, step)
    bar = figure.colorbar(axes[0].images[0], ax=axes, fraction=0.018, pad=0.01, aspect=28)
    bar.set_label("abundance")
    bar.outline.set_visible(False)

    if extras:
        widths = [1.0] * len(extras) + ([3.4 - len(extras)] if beside else [])
        strip = grid[1].subgridspec(1, len(widths), width_ratios=widths)
        for i, kind in enumerate(extras):
            ax = figure.add_subplot(strip[0, i])
            if kind == "rgb" and scene is not None:
                draw_rgb(ax, _colours(scene, step), aspect)
            elif kind == "rmse":
                draw_rmse(ax, thin["rmse"].values, aspect)
            elif kind in _STATED:
                values = thin[kind].values
                draw_rmse(ax, values if values.ndim == 2 else values.mean(axis=0), aspect, title=_STATED[kind])
            else:
                draw_quality(ax, thin["quality"].values, aspect)
    if spectra:
        place = strip[0, -1] if beside else grid[len(parts) - 1]
        draw_spectra(figure.add_subplot(place), product, truth, order)
    figure.suptitle(_title(product, step, turned=where.rotated), x=0.012, ha="left", fontsize=10, color="#333333")
    if path is not None:
        try:
            figure.savefig(path, dpi=_DPI)
        except (OSError, ValueError) as error:
            raise ProductError(
                f"the picture cannot be saved as {path}: {error}", "a writable .png, .pdf or .svg path"
            ) from error
    return figure


def _thinned(ds: xr.Dataset, names: list[str], step: int) -> xr.Dataset:
    keep = [name for name in names if name in ds.data_vars]
    return ds[keep].isel(y=slice(None, None, step), x=slice(None, None, step)).compute()


def _same_size(truth: xr.Dataset, shape: tuple[int, int]) -> xr.Dataset:
    if "abundance" not in truth or truth["abundance"].dims != ("endmember", "y", "x"):
        raise ProductError("the truth has no abundance (endmember, y, x)", "a Dataset with it")
    found = (truth.sizes["y"], truth.sizes["x"])
    if found != shape:
        raise ProductError(f"the truth has {found} pixels, the product {shape}", "the same pixels")
    if "endmember" not in truth.coords:
        return truth.assign_coords(endmember=[f"{i + 1}" for i in range(truth.sizes["endmember"])])
    return truth


def _matched(A: np.ndarray, T: np.ndarray) -> list[int | None]:
    """Give every estimated map the true one that it is nearest to, all together; None where there are too few."""
    from scipy.optimize import linear_sum_assignment

    cost = np.zeros((len(A), len(T)))
    for i, a in enumerate(A):
        for j, t in enumerate(T):
            off = (a.astype(np.float64) - t) ** 2
            cost[i, j] = np.nanmean(off) if np.isfinite(off).any() else 0.0
    order: list[int | None] = [None] * len(A)
    for i, j in zip(*linear_sum_assignment(cost), strict=True):
        order[i] = int(j)
    return order


def _columns(count: int) -> int:
    if count <= 4:
        return max(count, 2)
    return 3 if count in (5, 6, 9) else 4


def _check_same_grid(scene: xr.Dataset, product: xr.Dataset) -> None:
    """Refuse a scene that is not, pixel by pixel, what the product is of."""
    do = "Give the scene that was unmixed, or leave it out; a swath on a map is on another grid than its scene"
    mine, other = find_placement(product), find_placement(scene)
    if other.shape != mine.shape:
        raise ProductError(f"the scene has {other.shape} pixels, the product {mine.shape}", "the same pixels", do)
    if mine.transform is None or other.transform is None:
        return
    rows, cols = mine.shape
    a, b, c, d, e, f = (p - q for p, q in zip(mine.transform, other.transform, strict=True))
    off = max(np.hypot(a * i + b * j + c, d * i + e * j + f) for i in (0, cols) for j in (0, rows))
    if off > 0.01 * np.hypot(mine.transform[0], mine.transform[3]):  # of a pixel: rounding is less
        one, two = (f"({v[2]:.10g}, {v[5]:.10g})" for v in (other.transform, mine.transform))
        raise ProductError(
            f"the grid of the scene is another than that of the product: it begins at {one}, the product at {two}, and "
            f"they are up to {off:.4g} apart",
            "the same grid",
            do,
        )


def _aspect(where: Placement) -> float:
    """Height of a pixel over its width, on the ground: degrees of longitude shrink with the cosine of the latitude."""
    if where.transform is None:
        return 1.0
    a, b, _, d, e, f = where.transform
    wide, high = float(np.hypot(a, d)), float(np.hypot(b, e))
    if not (wide > 0 and high > 0):
        return 1.0
    if where.crs is not None and where.crs.is_geographic and not where.rotated:
        middle = f + e * where.shape[0] / 2
        return high / wide / max(float(np.cos(np.deg2rad(middle))), 0.1)  # 0.1: 84 degrees, a strip at the poles
    return high / wide


def _percent(values: np.ndarray) -> str:
    return f"{100 * np.nanmean(values):.0f} %" if np.isfinite(values).any() else "no data"


def _colours(scene: xr.Dataset, step: int) -> np.ndarray:
    """Return (y, x, 3) of the bands nearest to red, green and blue."""
    wave = np.asarray(scene["wavelength"].values, float)
    usable = np.asarray(scene["good"].values, bool) if "good" in scene.coords else np.ones(wave.size, bool)
    where = np.where(usable | ~usable.any(), wave, np.inf)
    bands = [int(np.abs(where - target).argmin()) for target in (650, 550, 460)]
    planes = [
        scene["spectra"].isel(band=band, y=slice(None, None, step), x=slice(None, None, step)).values for band in bands
    ]
    return np.stack(planes, -1).astype(np.float32)


def _title(product: xr.Dataset, step: int, *, turned: bool) -> str:
    try:
        record: dict[str, Any] = json.loads(product.attrs.get("hsgeo_provenance", "{}"))
    except (TypeError, ValueError):
        record = {}
    source = record.get("source") or {}
    stages = [str(s.get("use")) for s in (record.get("recipe") or {}).get("stages", []) if isinstance(s, dict)]
    size = f"{product.sizes['y']} x {product.sizes['x']} pixels"
    parts = [
        source.get("name") or source.get("product_id") or product.attrs.get("title", "product"),
        " > ".join(stages),
        size + (f", every {step}th drawn" if step > 1 else ""),
        product.attrs.get("proj:code", "" if "spatial_ref" in product.coords else "no CRS"),
        "not north up" if turned else "",
    ]
    return "   |   ".join(str(part) for part in parts if part)

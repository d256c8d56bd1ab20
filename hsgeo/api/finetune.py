"""Patches of an unlabelled scene, unmixed: what ``hsgeo train --finetune`` hands to a trainer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.api.verbs import check_scene, fit, open_scene, unmix
from hsgeo.errors import SceneError
from hsgeo.stages.validity import possible

__all__ = ["unmixed_patches"]

_RECIPE = "hybridstu"  # unmixes the scene: blind, and less noisy than the classical one
_SIDE = 192  # pixels: twice the windows that networks learn from, so that those differ
_MOST = 8  # patches: 0.25 GB with 200 bands
_TRIED = 24  # places at most: a scene with less valid ground than that is the wrong one
_ENOUGH = 0.5  # of a patch's pixels valid
_FEWEST = 1024  # valid pixels of the best patch: 32 x 32, below which there is no texture to learn
_TILE = 96  # pixels: what is computed around a patch for nothing stays small


def unmixed_patches(scene: str | Path | xr.Dataset, *, notice: Callable[[str], None], side: int = _SIDE) -> xr.Dataset:
    """Unmix up to eight patches of a scene, spread over it; nothing else of it is computed but the fit sample.

    Parameters
    ----------
    scene : str, pathlib.Path or xarray.Dataset
        A file, or a scene that is open.
    notice : callable
        Told what the user should know.
    side : int
        Of a patch, pixels; the scene may be smaller.

    Returns
    -------
    xarray.Dataset
        ``spectra (patch, band, y, x)`` float32 in the good bands, ``abundance (patch, endmember, y, x)``,
        ``gain (patch, y, x)`` where there is one, all NaN where there is no result; ``endmembers (endmember, band)``,
        ``wavelength (band)`` and ``fwhm (band)`` in nm. Attributes: ``sensor``, ``product_id``, ``height`` and
        ``width`` of the scene, ``recipe``, and ``sha256`` of the spectra.

    Raises
    ------
    HsgeoError
        If the scene cannot be read or unmixed.
    SceneError
        If too few of its pixels are valid.
    """
    opened = scene if isinstance(scene, xr.Dataset) else open_scene(scene)
    check_scene(opened)
    state = fit(opened, recipe=_RECIPE, notice=notice)
    product = unmix(opened, state=state, tile=_TILE, notice=lambda text: None)  # the fit has said all that matters
    good = np.isfinite(product["endmembers"].values).all(axis=0)
    names = [name for name in ("abundance", "gain") if name in product]
    limit = possible(str(opened["spectra"].attrs.get("quantity", "reflectance")))
    height, width = opened.sizes["y"], opened.sizes["x"]
    kept: list[tuple[float, xr.Dataset]] = []
    for y, x in _places(height, width, side):
        box = {"y": slice(y, y + side), "x": slice(x, x + side)}
        found = product[names].isel(box).reset_coords(drop=True).compute()
        known = np.isfinite(found["abundance"].transpose("endmember", "y", "x").values[0])
        share = float(known.mean())
        if share < _ENOUGH and kept and share <= kept[0][0]:
            continue
        values = opened["spectra"].isel(box | {"band": good}).transpose("band", "y", "x").values.astype(np.float32)
        # a pixel without result is none to learn from, whatever was measured there
        spectra = np.where(known & (np.abs(values) <= limit), values, np.float32(np.nan))
        if kept and kept[0][0] < _ENOUGH:
            kept.clear()  # only the best of the poor ones
        kept.append((share, found.assign(spectra=(("band", "y", "x"), spectra)).drop_vars(["y", "x"], errors="ignore")))
        if len(kept) == _MOST:
            break
    most = max(int(np.isfinite(patch["spectra"].values).any(axis=0).sum()) for _, patch in kept)
    if most < _FEWEST:
        raise SceneError(
            f"no place of the scene has more than {most} valid pixels within {side} x {side}",
            f"{_FEWEST} or more to adapt a network to",
            "Give a larger scene, or one with less nodata",
        )
    return _joined([patch for _, patch in kept], product, opened, good)


def _places(height: int, width: int, side: int) -> Iterator[tuple[int, int]]:
    """Yield corners of patches that do not overlap: the middle first, then evenly over the scene."""
    rows, cols = (_starts(extent, side) for extent in (height, width))
    seen: set[tuple[int, int]] = set()
    # the plane's golden section (the R2 sequence of Roberts, 2018): any first few of its points are far apart
    for k in range(50 * _TRIED):
        at = int((0.5 + 0.7548776662 * k) % 1 * len(rows)), int((0.5 + 0.5698402910 * k) % 1 * len(cols))
        if at not in seen:
            seen.add(at)
            yield rows[at[0]], cols[at[1]]
        if len(seen) == min(_TRIED, len(rows) * len(cols)):
            return


def _starts(extent: int, side: int) -> list[int]:
    count = max(1, extent // side)
    free = max(extent - side, 0)
    return [free // 2] if count == 1 else [free * k // (count - 1) for k in range(count)]


def _joined(patches: list[xr.Dataset], product: xr.Dataset, scene: xr.Dataset, good: np.ndarray) -> xr.Dataset:
    data = xr.concat(patches, "patch", coords="minimal", compat="override", join="override")
    data = data.transpose("patch", "endmember", "band", "y", "x")
    data["endmembers"] = product["endmembers"].compute().isel(band=good).reset_coords(drop=True).drop_vars("band")
    for name in ("wavelength", "fwhm"):
        data = data.assign_coords({name: ("band", np.asarray(product[name].values[good], np.float64))})
    values = np.ascontiguousarray(data["spectra"].values)
    data.attrs = {
        "sensor": str(scene.attrs.get("sensor", "unknown")),
        "product_id": str(scene.attrs.get("product_id", "unknown")),
        "height": scene.sizes["y"],
        "width": scene.sizes["x"],
        "recipe": _RECIPE,
        "sha256": hashlib.sha256(values.data).hexdigest(),
    }
    return data

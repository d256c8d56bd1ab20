"""The laws of stages that hold through the real runner: `hsgeo.unmix` on tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from hsgeo.testing.case import StageCase
from hsgeo.testing.laws import Law, always, same_bits

__all__ = ["RUNNER_LAWS", "unmix_case"]


def same_for_every_tiling_and_order(case: StageCase) -> None:
    """Check that the product has the same bits for every tile size, scheduler and order."""
    whole = _compute(unmix_case(case, case.known.scene, tile=1024), scheduler="synchronous")
    for tile, scheduler in ((7, "threads"), (16, "synchronous")):
        other = _compute(unmix_case(case, case.known.scene, tile=tile), scheduler=scheduler)
        _assert_same(whole, other, f"tiles of {tile} pixels ({scheduler})")
    lazy = unmix_case(case, case.known.scene, tile=16)
    half = case.known.scene.sizes["y"] // 2 + 3
    bottom = _compute(lazy.isel(y=slice(half, None)), scheduler="synchronous")
    top = _compute(lazy.isel(y=slice(None, half)), scheduler="synchronous")
    for name in _rasters(whole):
        joined = np.concatenate([top[name].values, bottom[name].values], axis=-2)
        assert same_bits(whole[name].values, joined), f"{name!r} depends on which part of the scene is computed first"


def excluded_pixels_change_nothing(case: StageCase) -> None:
    """Check that what lies under an invalid pixel changes no bit, and that its own result is NaN as a whole."""
    row, col = 5, 11
    empty, garbage = (case.known.scene.copy(deep=True) for _ in range(2))
    empty["spectra"].values[:, row, col] = np.nan
    garbage["spectra"].values[::2, row, col] = np.nan  # half the bands: invalid by the 5 % rule
    garbage["spectra"].values[1::2, row, col] = 0.9
    first, second = (_compute(unmix_case(case, scene, tile=16), scheduler="synchronous") for scene in (empty, garbage))
    _assert_same(first, second, "other values under an invalid pixel")
    missing = np.isnan(first["abundance"].values)
    assert missing[:, row, col].all(), "an invalid pixel has an abundance"
    missing[:, row, col] = False
    assert not missing.any(), "one invalid pixel makes abundances of other pixels NaN"


def unmix_case(case: StageCase, scene: xr.Dataset, tile: int) -> xr.Dataset:
    """Unmix a scene with the chain of a case, lazily.

    Parameters
    ----------
    case : StageCase
        The stage under test and those around it.
    scene : xarray.Dataset
        The scene.
    tile : int
        Side of a tile, pixels.

    Returns
    -------
    xarray.Dataset
        The product.
    """
    from hsgeo.api import unmix

    return unmix(scene, stages=case.steps, endmembers=case.given(), seed=case.seed, tile=tile, notice=lambda text: None)


def _compute(product: xr.Dataset, scheduler: str) -> xr.Dataset:
    import dask

    with dask.config.set(scheduler=scheduler):
        return product.compute()


def _rasters(product: xr.Dataset) -> list[Any]:
    return [name for name, array in product.data_vars.items() if array.dims[-2:] == ("y", "x")]


def _assert_same(left: xr.Dataset, right: xr.Dataset, what: str) -> None:
    for name in left.data_vars:
        assert same_bits(left[name].values, right[name].values), f"{name!r} changes with {what}"


RUNNER_LAWS: tuple[Law, ...] = (
    Law("same_for_every_tiling_and_order", same_for_every_tiling_and_order, always),
    Law("excluded_pixels_change_nothing", excluded_pixels_change_nothing, always),
)

"""What a product may state of its uncertainty: std, quantiles, samples, prior influence; and whether they agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

__all__ = ["STATED", "find_broken_layout", "find_broken_values", "values_per_pixel"]

_MAPS = ("endmember", "y", "x")

STATED: dict[str, tuple[str, ...]] = {
    "abundance_std": _MAPS,
    "abundance_quantile": ("quantile", *_MAPS),
    "abundance_sample": ("sample", *_MAPS),
    "prior_influence": ("y", "x"),
}
"""Optional variables and their dims, float32."""

_SUM_TOLERANCE = 1e-5  # that of the abundances: blending windows is a convex combination and keeps it
_RANGE_TOLERANCE = 1e-6  # float32 rounding

Broken = Iterator[tuple[str, str]]


def find_broken_layout(ds: xr.Dataset) -> Broken:
    """Check dims, types and labels of what is stated.

    Parameters
    ----------
    ds : xarray.Dataset
        A product.

    Yields
    ------
    tuple of str
        What is wrong, and the call that fixes it.
    """
    for name, dims in STATED.items():
        if name not in ds.data_vars:
            continue
        var = ds[name]
        if var.dims != dims:
            yield f"{name!r} has dims {var.dims}", f"ds[{name!r}] = ds[{name!r}].transpose{dims}"
        if var.dtype != np.float32:
            yield f"{name!r} is {var.dtype}", f"ds[{name!r}] = ds[{name!r}].astype('float32')"
    if "abundance_quantile" in ds.data_vars and "quantile" in ds["abundance_quantile"].dims:
        labels = ds["quantile"].values if "quantile" in ds.coords else np.empty(0)
        fine = labels.dtype.kind == "f" and labels.size and (labels >= 0).all() and (labels <= 1).all()
        if not fine or (np.diff(labels) <= 0).any():
            yield (
                f"'quantile' is {labels.tolist() if labels.size else 'missing'}, not ascending levels from 0 to 1",
                "ds = ds.assign_coords(quantile=[0.05, 0.5, 0.95])",
            )


def values_per_pixel(ds: xr.Dataset) -> int:
    """Return how many values of a pixel `find_broken_values` reads."""
    return sum(int(np.prod(ds[name].shape[:-2], dtype=int)) for name in STATED if name in ds.data_vars)


def find_broken_values(slab: xr.Dataset, total: str) -> dict[str, tuple[int, str]]:
    """Count the pixels of a slab whose statements contradict themselves or the abundances.

    Parameters
    ----------
    slab : xarray.Dataset
        Rows of a product, in memory, with ``abundance``.
    total : {"one", "at_most_one", "free"}
        What abundances sum to; samples do as well.

    Returns
    -------
    dict
        By what is wrong: number of pixels, and the fix.
    """
    valid = np.isfinite(slab["abundance"].values).all(axis=0)
    found: dict[str, tuple[int, str]] = {}

    def count(bad: np.ndarray, what: str, fix: str) -> None:
        pixels = int((bad.reshape(-1, *valid.shape).any(axis=0) & valid).sum())
        if pixels:
            found[what] = (pixels, fix)

    for name in STATED:
        if name not in slab:
            continue
        values = slab[name].values
        count(~np.isfinite(values), f"have abundances but no {name}", f"compute it: ds[{name!r}]")
        extra = (np.isfinite(values).reshape(-1, *valid.shape).any(axis=0) & ~valid).sum()
        if extra:
            found[f"have {name} but no abundances"] = (int(extra), f"ds[{name!r}].where(ds['abundance'].notnull())")
        if name == "abundance_std":
            count(values < 0, "have an abundance_std below 0", "it is a standard deviation")
        elif name == "abundance_quantile":
            count(np.diff(values, axis=0) < -_RANGE_TOLERANCE, "have quantiles that fall", "sort them by 'quantile'")
        elif name == "prior_influence":
            outside = (values < -_RANGE_TOLERANCE) | (values > 1 + _RANGE_TOLERANCE)
            count(outside, "have a prior_influence outside 0..1", "half the summed absolute difference")
        elif total != "free":
            off = values.sum(axis=1, dtype=np.float64) - 1
            off = np.abs(off) if total == "one" else off
            outside = (values < -_RANGE_TOLERANCE) | (values > 1 + _RANGE_TOLERANCE)
            count(outside, "have samples outside 0..1", "project them on the simplex")
            count(off > _SUM_TOLERANCE, f"have samples that break sum={total!r}", "project them on the simplex")
    return found

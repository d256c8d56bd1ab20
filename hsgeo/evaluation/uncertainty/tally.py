"""A statement against a truth: coverage and width by group of abundances, CRPS, sparsification."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hsgeo.evaluation.uncertainty.statement import Statement
from hsgeo.spectra import metrics

__all__ = ["COLUMNS", "GROUPS", "pooled", "tally"]

GROUPS = ("inside", "zero", "all")
"""True abundances above 0.02 and below 0.98; those that are exactly 0; all. Of an honest posterior, intervals cover
what they say over all; inside, a little less is no lie, as the truth is looked at."""

_INSIDE = (0.02, 0.98)
_STEPS = 20  # of the sparsification curves

_RATES = tuple(f"{what}_{level:g}" for level in metrics.LEVELS for what in ("cover", "width"))
_MEANS = ("armse", "crps", "ause")

COLUMNS = (
    "source", "samples", "missing", *_MEANS,
    *(f"{group}_{column}" for group in GROUPS for column in ("n", *_RATES)),
    "stated_curve", "best_curve",
)  # fmt: skip
"""What `tally` measures: columns of the CSV."""


def tally(stated: Statement, truth: np.ndarray) -> dict[str, Any]:
    """Hold a statement against a truth.

    Parameters
    ----------
    stated : Statement
        Estimate and its uncertainty.
    truth : numpy.ndarray
        ``(pixels, endmembers)``, sum one; exact zeros where nothing is present.

    Returns
    -------
    dict
        `COLUMNS`: ``source`` of the intervals; number of ``samples``; pixels ``missing``; ``armse``; ``crps`` (fair,
        of the samples; else of the normal distribution); ``ause``; per group ``n`` abundances, shares covered and mean
        widths by level (None where the group is empty); sparsification curves as text, RMSE left over that of all
        after 0, 5, ... 95 % of the pixels are taken away, by stated spread and by true error.
    """
    draws = stated.samples
    good = np.isfinite(stated.A).all(axis=1) & np.isfinite(stated.std).all(axis=1) & np.isfinite(truth).all(axis=1)
    if draws is not None:
        good &= np.isfinite(draws).all(axis=(0, 2))
    A, true, std = stated.A[good], truth[good], stated.std[good]
    masks = {
        "inside": (true > _INSIDE[0]) & (true < _INSIDE[1]),
        "zero": true == 0,
        "all": np.ones(true.shape, bool),
    }
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {f"{group}_n": int(mask.sum()) for group, mask in masks.items()}
    row |= {"samples": 0 if draws is None else len(draws), "missing": int((~good).sum())}
    sources = {}
    for level in metrics.LEVELS:
        low, high, source = stated.interval(level)
        sources[source] = True
        low, high = low[good], high[good]
        for group, mask in masks.items():
            if mask.any():
                ends = low[mask][:, None], high[mask][:, None]
                row[f"{group}_cover_{level:g}"] = float(metrics.interval_coverage(*ends, true[mask][:, None])[0])
                row[f"{group}_width_{level:g}"] = float(metrics.interval_width(*ends)[0])
    row["source"] = "+".join(sources)
    if not good.any():
        return row
    error, spread = (np.sqrt(np.mean(np.square(values), axis=1)) for values in (A - true, std))
    curves = metrics.sparsification(error, spread, steps=_STEPS)
    scores = metrics.crps(A, std, true) if draws is None else metrics.crps_samples(draws[:, good], true)
    row |= {"armse": metrics.armse(A, true), "crps": float(scores.mean())}
    row |= {"ause": float(np.mean(curves[0] - curves[1])) if np.isfinite(curves[0]).all() else None}
    for name, curve in zip(("stated_curve", "best_curve"), curves, strict=True):
        row[name] = " ".join(f"{value:.4f}" for value in curve)
    return row


def pooled(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Put runs together: shares and widths over all their abundances, other figures as means over the runs.

    Parameters
    ----------
    rows : iterable of mapping
        With `COLUMNS`, numbers as text or not; None or empty: not measured.

    Returns
    -------
    dict
        `COLUMNS` as numbers, curves as lists; None where no run measured it.
    """
    held = list(rows)
    out: dict[str, Any] = dict.fromkeys(COLUMNS)
    out["source"] = "+".join(dict.fromkeys(part for row in held for part in str(row["source"]).split("+") if part))
    counts = sorted({int(row["samples"]) for row in held})
    out["samples"] = counts[-1] if counts else 0
    out["missing"] = sum(int(row["missing"]) for row in held)
    for name in _MEANS:
        values = [float(row[name]) for row in held if row[name] not in (None, "")]
        out[name] = float(np.mean(values)) if values else None
    for group in GROUPS:
        weights = np.array([int(row[f"{group}_n"]) for row in held])
        out[f"{group}_n"] = int(weights.sum())
        for column in _RATES:
            if weights.any():
                values = [float(row[f"{group}_{column}"] or 0) for row in held]
                out[f"{group}_{column}"] = float(np.average(values, weights=weights))
    for name in ("stated_curve", "best_curve"):
        curves = [[float(value) for value in str(row[name]).split()] for row in held if row[name] not in (None, "")]
        whole = [curve for curve in curves if np.isfinite(curve).all()]
        out[name] = np.mean(whole, axis=0).tolist() if whole else None
    return out

"""One run of the benchmark: an image with noise through a recipe, scored against every truth that the image has."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.evaluation.accuracy.recipes import Contender
from hsgeo.evaluation.accuracy.scenes import BenchScene, add_noise, as_scene
from hsgeo.evaluation.conventions import scale_of_convention
from hsgeo.spectra import metrics
from hsgeo.spectra.solvers import fcls, nnls

__all__ = ["SANITY", "estimate", "run_recipe", "run_sanity", "score_estimate"]

SANITY = ("uniform", "oracle", "lmm-oracle")
"""Rows that bound what a method can be: equal shares; the closed form told the true endmembers; FCLS told the
endmembers that explain the image best given the true abundances."""

Row = dict[str, Any]


@dataclass(frozen=True)
class _Estimate:
    """What a recipe found.

    Parameters
    ----------
    A : numpy.ndarray
        ``(pixels, endmembers)``, float64, in the convention that was asked for; zero where there is no result.
    E : numpy.ndarray
        ``(bands, endmembers)``; NaN in bands that were left out.
    names : tuple of str
        Of the endmembers or classes.
    missing : numpy.ndarray
        ``(pixels,)`` bool: no result.
    fit_s, apply_s : float
        Seconds.
    """

    A: np.ndarray
    E: np.ndarray
    names: tuple[str, ...]
    missing: np.ndarray
    fit_s: float
    apply_s: float


def run_recipe(
    scenes: Sequence[BenchScene],
    contender: Contender,
    *,
    snr_db: float,
    seed: int,
    fit: Callable[..., Any],
    unmix: Callable[..., xr.Dataset],
) -> list[Row]:
    """Run a recipe once and score it against all truths of the image.

    Parameters
    ----------
    scenes : sequence of BenchScene
        Of one image.
    contender : Contender
        The recipe, in one scale convention.
    snr_db : float
        White noise; infinity: none.
    seed : int
        Of the noise and of everything random in the recipe.
    fit, unmix : callable
        ``hsgeo.fit`` and ``hsgeo.unmix``: what is measured is what users run.

    Returns
    -------
    list of dict
        One row for each truth.
    """
    first = scenes[0]
    image = add_noise(first.image, snr_db, seed=seed, name=first.cube)
    given = {"endmembers": first.library} if contender.library else {}
    found = estimate(as_scene(image, first.wavelength), contender, seed=seed, fit=partial(fit, **given), unmix=unmix)
    Y = image.reshape(-1, image.shape[2])
    rows = []
    for scene in scenes:
        row = score_estimate(
            scene,
            found.A,
            None if contender.library else found.E,
            physical=contender.scale == "physical",
            names=found.names if contender.library else None,
        )
        row["re_rmse"] = None
        good = np.isfinite(found.E).all(axis=1)
        if contender.scale == "physical" and not contender.library:
            row["re_rmse"] = metrics.re_rmse(Y[:, good], found.A, found.E[good])
        row |= {
            "missing": int((found.missing & np.isfinite(scene.A).all(axis=1)).sum()),
            "fit_s": round(found.fit_s, 3),
            "apply_s": round(found.apply_s, 3),
            "headline": contender.scale == scale_of_convention(scene.convention),
        }
        rows.append(row)
    return rows


def estimate(
    scene: xr.Dataset,
    contender: Contender,
    *,
    seed: int,
    fit: Callable[..., Any],
    unmix: Callable[..., xr.Dataset],
) -> _Estimate:
    """Run a recipe and return what it found, in the convention that was asked for.

    In the peak convention abundances with a free sum are divided by it: that is how the truths of this kind were made.

    Parameters
    ----------
    scene : xarray.Dataset
        From `as_scene`.
    contender, seed, fit, unmix
        As in `run_recipe`.

    Returns
    -------
    Estimate
        Abundances, endmembers and times.
    """
    began = time.perf_counter()
    state = fit(scene, recipe=contender.recipe, seed=seed, notice=_silent)
    fitted = time.perf_counter()
    product = unmix(scene, state=state, seed=seed, notice=_silent)
    cube = np.asarray(product["abundance"].values, np.float64)
    done = time.perf_counter()
    A = cube.reshape(cube.shape[0], -1).T
    missing = np.asarray(~np.isfinite(A).all(axis=1))
    A = np.where(missing[:, None], 0.0, A)
    if contender.scale == "peak" and product.attrs.get("sum") == "free":
        total = A.sum(axis=1, keepdims=True)
        A = np.divide(A, total, out=np.zeros_like(A), where=total > 0)
    E = product["endmembers"].values.T.astype(np.float64)
    names = tuple(str(name) for name in product["endmember"].values)
    return _Estimate(A, E, names, missing, fitted - began, done - fitted)


def run_sanity(scene: BenchScene, name: str, *, snr_db: float, seed: int) -> Row:
    """Score what needs no method: the rows that every table has.

    Parameters
    ----------
    scene : BenchScene
        The scene.
    name : str
        Of `SANITY`.
    snr_db, seed
        As in `run_recipe`.

    Returns
    -------
    dict
        A row.
    """
    image = add_noise(scene.image, snr_db, seed=seed, name=scene.cube)
    Y = image.reshape(-1, image.shape[2])
    count = scene.A.shape[1]
    began = time.perf_counter()
    if name == "uniform":
        A, E = np.full_like(scene.A, 1 / count), None
    elif name == "oracle":
        E = scene.E
        if scale_of_convention(scene.convention) == "peak":
            A = nnls(Y, E / np.abs(E).max(axis=0)).astype(np.float64)
            total = A.sum(axis=1, keepdims=True)
            A = np.divide(A, total, out=np.zeros_like(A), where=total > 0)
        else:
            A = fcls(Y, E).astype(np.float64)
    else:
        known = np.isfinite(scene.A).all(axis=1)
        E = np.linalg.lstsq(scene.A[known], Y[known].astype(np.float64), rcond=None)[0].T
        A = fcls(Y, E).astype(np.float64)
    row = score_estimate(scene, A, E, physical=True, matched=True)
    return row | {"missing": 0, "fit_s": 0.0, "apply_s": round(time.perf_counter() - began, 3), "headline": True}


def score_estimate(
    scene: BenchScene,
    A: np.ndarray,
    E: np.ndarray | None,
    *,
    physical: bool,
    matched: bool = False,
    names: Sequence[str] | None = None,
) -> Row:
    """Score abundances and endmembers; one Hungarian assignment on spectral angles.

    A class without an estimate is compared with 0; a spare estimate is left out, because what it holds is missing in
    the others.

    Parameters
    ----------
    scene : BenchScene
        The truth.
    A : numpy.ndarray
        ``(pixels, endmembers found)``.
    E : numpy.ndarray or None
        ``(bands, endmembers found)``; None: abundances alone.
    physical : bool
        Endmembers are in the units of the truth's, so that eRMSE has a meaning; only used for physical truths.
    matched : bool
        The order is the truth's.
    names : sequence of str, optional
        Names by which classes of a library are matched.

    Returns
    -------
    dict
        Metrics by name; ``armse_by_abundance`` is that of matching by abundances, and ``matches_agree`` says whether
        both ways give the same pairs.
    """
    known = np.isfinite(scene.A).all(axis=1)
    A_true, A = scene.A[known], A[known]
    by_abundance = metrics.pair(metrics.abundance_cost(A, A_true))
    order: tuple[int | None, ...]
    if names is not None:
        order = tuple(list(names).index(name) if name in names else None for name in scene.names)
    elif matched or E is None:
        order = tuple(range(A_true.shape[1]))
    else:
        order = metrics.pair(metrics.sad_matrix(E, scene.E)).order
    found = _in_order(A, order)
    row: Row = {
        "armse": metrics.armse(found, A_true),
        "mrmse": metrics.mrmse(found, A_true),
        "pixel_rmse": metrics.pixel_rmse(found, A_true),
        "mae": metrics.mae(found, A_true),
        "sre_db": metrics.sre(found, A_true),
        "msad_rad": None,
        "msad_deg": None,
        "ermse": None,
        "armse_by_abundance": metrics.armse(_in_order(A, by_abundance.order), A_true),
        "matches_agree": matched or order == by_abundance.order,
        "endmembers": A.shape[1],
        "pixels": int(known.sum()),
    }
    if E is not None:
        pairs = [(q, i) for q, i in enumerate(order) if i is not None]
        mine, theirs = E[:, [i for _, i in pairs]], scene.E[:, [q for q, _ in pairs]]
        angle = metrics.msad(mine, theirs)
        row |= {"msad_rad": angle, "msad_deg": float(np.rad2deg(angle))}
        if physical and scale_of_convention(scene.convention) == "physical":
            row["ermse"] = metrics.ermse(mine, theirs)
    return row


def _in_order(A: np.ndarray, order: Sequence[int | None]) -> np.ndarray:
    """Return estimates in the order of the truth; a class without one has abundance 0."""
    return np.stack([np.zeros(len(A)) if i is None else A[:, i] for i in order], axis=1)


def _silent(text: str) -> None:
    """Say nothing: that these scenes have no place on the Earth is known, and every run would say it."""


def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what makes a run the one it is, as text, as a CSV holds it."""
    return tuple(str(row[name]) for name in KEYS)


KEYS = ("scene", "recipe", "scale", "snr_db", "seed", "config")
"""Columns that identify a run; ``config`` stands for the resolved recipe, the scene's content, the
version and the code of the stages."""

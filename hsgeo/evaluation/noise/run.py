"""One run of the noise benchmark: an image with noise through a method, scored."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hsgeo._version import __version__
from hsgeo.evaluation.accuracy.runs import score_estimate
from hsgeo.evaluation.accuracy.scenes import BenchScene
from hsgeo.evaluation.noise.corrupt import corrupt
from hsgeo.evaluation.noise.marks import borders
from hsgeo.evaluation.noise.methods import CLOSED_FORM, TOLD, answer
from hsgeo.evaluation.noise.plan import COLUMNS, KEYS, Case, scale_of
from hsgeo.evaluation.noise.scenes import load
from hsgeo.evaluation.noise.stages import resolve, run_stages, window_of
from hsgeo.plugin.registry import registry
from hsgeo.spectra.metrics import armse

__all__ = ["run_case"]

Row = dict[str, Any]


def run_case(case: Case, *, fit: Callable[..., Any], unmix: Callable[..., Any]) -> Row:
    """Do one run.

    Parameters
    ----------
    case : Case
        From `hsgeo.evaluation.noise.plan.plan_cases`.
    fit, unmix : callable
        ``hsgeo.fit`` and ``hsgeo.unmix``.

    Returns
    -------
    dict
        A row of `COLUMNS`.
    """
    scene = load(case.scene, case.data)
    image = corrupt(scene.image, case.noise, snr_db=case.snr_db, seed=case.seed, name=scene.cube)
    scale = scale_of(scene)
    known = np.isfinite(scene.A).all(axis=1)
    began = time.perf_counter()
    extra: Row = {"missing": 0, "device": "cpu"}
    if case.method == CLOSED_FORM or case.method in TOLD:
        found = answer(
            case.method, image, scene.E, peak=scale == "peak", error=lambda A: armse(A[known], scene.A[known])
        )
        A, seconds = found.A, time.perf_counter() - began
        extra |= {"weight": None if found.weight is None else f"{found.weight:.3g}", "form": found.form}
    else:
        known_stages = registry(case.plugins)
        contender = resolve(case.method, known_stages, scale=scale)
        A, missing, seconds = run_stages(
            image, scene.wavelength, scene.E, scene.names, found=contender, seed=case.seed, fit=fit, unmix=unmix
        )
        extra |= {"missing": int((missing & known).sum()), "device": _device()}
        extra |= _borders(scene, A, window_of(contender, known_stages, image, scene.wavelength, scene.names))
    row: Row = dict(zip(KEYS, case.key, strict=True))
    row |= score_estimate(scene, A, None, physical=False, matched=True) | extra
    row |= {"convention": scene.convention, "scale": scale, "seconds": round(seconds, 3), "version": __version__}
    return {name: row.get(name) for name in COLUMNS}


def _borders(scene: BenchScene, A: np.ndarray, window: int | None) -> Row:
    if window is None:
        return {}
    rows, cols = scene.image.shape[:2]
    found, truth = (B.T.reshape(-1, rows, cols) for B in (A, scene.A))
    marks = borders(found, truth, window)
    if marks is None:
        return {}
    numbers = {"border": marks.estimate, "border_truth": marks.truth, "border_spread": marks.spread}
    return {"window": window} | {name: f"{value:.4f}" for name, value in numbers.items()}


def _device() -> str:
    """Tell where stages may have run: on CUDA when one of them asked torch and torch has it."""
    torch = sys.modules.get("torch")  # loaded by the run itself, or not used
    return "cuda" if torch is not None and torch.cuda.is_available() else "cpu"

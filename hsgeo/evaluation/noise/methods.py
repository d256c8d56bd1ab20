"""The methods that are always at hand: the closed form, and total variation in three degrees of knowledge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from hsgeo.evaluation.noise.closed import closed_form, in_convention, shares
from hsgeo.evaluation.noise.tv import best_weight, tuned_tv
from hsgeo.spectra.solvers.sunsal_tv import sunsal_tv

__all__ = ["BUILT_IN", "CLOSED_FORM", "TOLD", "Answer", "answer"]

CLOSED_FORM = "closed-form"
"""What all others are divided by."""

TOLD = ("sunsal-tv*", "tv*")
"""Methods that choose their weight on the truth, case by case: rivals, not products."""

BUILT_IN = (CLOSED_FORM, "sunsal-tv", *TOLD)
"""Default methods; ``sunsal-tv`` is the stage with its default weights."""

# Prices of differences for sunsal-tv*, relative to the mean squared length of the endmembers, around the best for
# noise of 30 to 10 dB; the stage's rounds and tolerance.
_PRICES = np.geomspace(1e-5, 1e-2, 7)
_ROUNDS, _TOLERANCE = 200, 5e-4


class Answer(NamedTuple):
    """What a method found.

    Parameters
    ----------
    A : numpy.ndarray
        Abundances ``(pixels, endmembers)``.
    weight : float or None
        Chosen on the truth; None: the method has none.
    form : str
        Which solver the truth chose; empty: there was no choice.
    """

    A: np.ndarray
    weight: float | None = None
    form: str = ""


def answer(
    method: str, image: np.ndarray, E: np.ndarray, *, peak: bool, error: Callable[[np.ndarray], float]
) -> Answer:
    """Run the closed form or a rival that is told the truth.

    Parameters
    ----------
    method : str
        ``"closed-form"``, or of `TOLD`.
    image : numpy.ndarray
        ``(rows, cols, bands)``, finite.
    E : numpy.ndarray
        True endmembers ``(bands, endmembers)``, as the truth has them.
    peak : bool
        Convention; false: physical.
    error : callable
        ``error(A)`` against the truth; the closed form does not ask.

    Returns
    -------
    Answer
        Abundances, and what was chosen.
    """
    E = in_convention(E, peak=peak)
    if method == CLOSED_FORM:
        return Answer(closed_form(image.reshape(-1, image.shape[2]), E, peak=peak).A)
    if method == "tv*":
        best = tuned_tv(image, E, peak=peak, error=error)
    else:
        best = best_weight(partial(_sunsal_tv, image, E, peak), error, _PRICES, form="sunsal-tv")
    return Answer(best.A, best.weight, best.form)


def _sunsal_tv(image: np.ndarray, E: np.ndarray, peak: bool, weight: float) -> Iterator[np.ndarray]:
    price = weight * float(np.mean((E * E).sum(axis=0)))
    solved = sunsal_tv(
        image, E, lam_tv=price, sum_to_one=not peak, tolerance=_TOLERANCE, iterations=_ROUNDS, dtype=np.float32
    )
    A = solved.A.reshape(-1, E.shape[1]).astype(np.float64)
    yield shares(A) if peak else A

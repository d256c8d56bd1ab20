"""Time the contenders in turns on one set of pixels, and check what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hsgeo.evaluation.speed.contenders import Contender, contenders

__all__ = ["kkt_residual", "measure", "pixels_like"]

_TRIAL = 50  # a slow one is first tried on a fiftieth
_SLOW = 5.0  # seconds; what takes longer runs once, its relative scatter is small
_CHUNK = 65536  # pixels whose optimality is checked at a time in float64: 100 MB of 200 bands


def pixels_like(count: int, *, pixels: int, bands: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make pixels to time with: smooth random spectra, Dirichlet shares (0.5), white noise of 0.01.

    Parameters
    ----------
    count : int
        Endmembers.
    pixels, bands : int
        Size.
    seed : int
        Of the random numbers.

    Returns
    -------
    Y : numpy.ndarray
        ``(pixels, bands)`` float32, about reflectance.
    E : numpy.ndarray
        ``(bands, endmembers)`` float64.
    """
    rng = np.random.default_rng(seed)
    E = np.abs(np.cumsum(rng.normal(0, 0.02, (bands, count)), axis=0) + rng.uniform(0.2, 0.6, count))
    A = rng.dirichlet(np.full(count, 0.5), pixels).astype(np.float32)
    Y = A @ E.T.astype(np.float32)
    for start in range(0, pixels, _CHUNK):
        part = Y[start : start + _CHUNK]
        part += np.float32(0.01) * rng.standard_normal(part.shape, dtype=np.float32)
    return Y, E


def kkt_residual(Y: np.ndarray, E: np.ndarray, A: np.ndarray, *, summed: bool) -> float:
    """Tell how far abundances are from optimal.

    Parameters
    ----------
    Y, E, A : numpy.ndarray
        Data ``(pixels, bands)``, endmembers ``(bands, endmembers)``, abundances ``(pixels, endmembers)``.
    summed : bool
        Whether they sum to one, besides being non-negative.

    Returns
    -------
    float
        Largest violation of the Karush-Kuhn-Tucker conditions in the gradient, relative to ``max |E^T y|``, or of the
        constraints, whichever is larger; infinite when an abundance is not finite.
    """
    if not np.isfinite(A).all():
        return float("inf")
    worst, largest, outside = 0.0, 0.0, 0.0
    for start in range(0, len(Y), _CHUNK):
        a = A[start : start + _CHUNK].astype(np.float64)
        f = Y[start : start + _CHUNK].astype(np.float64) @ E
        gradient = a @ (E.T @ E) - f
        if summed:  # the multiplier of the sum is what the gradient is where a is positive
            gradient -= np.sum(gradient * a, axis=1, keepdims=True)
            outside = max(outside, float(np.abs(a.sum(axis=1) - 1).max()))
        worst = max(worst, float(np.abs(gradient * (a > 0)).max()), float(-gradient.min()))
        largest = max(largest, float(np.abs(f).max()))
        outside = max(outside, float(-a.min()))
    return max(worst / largest, outside)


def measure(
    counts: Sequence[int],
    *,
    pixels: int,
    bands: int = 200,
    threads: int = 2,
    repeat: int = 5,
    seed: int = 0,
    budget: float = 60.0,
    tell: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Time all contenders for some numbers of endmembers.

    They take turns, ``repeat`` times, and the shortest time of each counts; one that takes more than five seconds
    runs once, one that would take more than ``budget`` runs on the first fiftieth of the pixels.

    Parameters
    ----------
    counts : sequence of int
        Numbers of endmembers.
    pixels, bands : int
        Size of the data, float32.
    threads : int
        Threads of each, BLAS included.
    repeat : int
        Turns.
    seed : int
        Of the data.
    budget : float
        Seconds one contender may take in one turn.
    tell : callable, optional
        Told what is being timed.

    Returns
    -------
    list of dict
        Per count and contender: ``count``, ``name``, ``problem``, ``pixels`` (timed), ``bands``, ``threads``,
        ``seconds``, ``mpx_per_s``, ``kkt`` (NaN for the product); ``seconds`` to ``kkt`` are None for one that is not
        installed.
    """
    from threadpoolctl import threadpool_limits

    rows: list[dict[str, Any]] = []
    with threadpool_limits(threads):
        for count in counts:
            Y, E = pixels_like(count, pixels=pixels, bands=bands, seed=seed)
            entered = [_Entry(contender, Y, E, budget, tell, count) for contender in contenders(E, threads=threads)]
            for turn in range(repeat):
                for entry in entered:
                    entry.run(turn)
            rows += [
                {"count": count, "name": entry.name, "problem": entry.problem, "bands": bands, "threads": threads}
                | entry.result(Y, E)
                for entry in entered
            ]
    return rows


class _Entry:
    """A contender on the data: what it costs, then what it found."""

    def __init__(
        self,
        contender: Contender,
        Y: np.ndarray,
        E: np.ndarray,
        budget: float,
        tell: Callable[[str], None] | None,
        count: int,
    ) -> None:
        self.name, self.problem = contender.name, contender.problem
        self.seconds, self.pixels = np.inf, len(Y)
        self._call: Callable[[], np.ndarray] | None = None
        self._found = np.empty((0, E.shape[1]))
        self._told, self._label = tell, f"{count} endmembers: {contender.name}"
        if contender.prepare is None:
            return
        self._tell()
        few = Y[: max(1, len(Y) // _TRIAL)]
        trial = contender.prepare(few)
        trial()  # compiles, where there is something to compile
        began = time.perf_counter()
        trial()
        self._estimate = (time.perf_counter() - began) * len(Y) / len(few)
        if self._estimate > budget:
            self.pixels, self._call = len(few), trial
        else:
            self._call = contender.prepare(Y)

    def _tell(self) -> None:
        if self._told is not None:
            self._told(self._label)

    def run(self, turn: int) -> None:
        if self._call is None or (turn and self._estimate > _SLOW):
            return
        self._tell()
        began = time.perf_counter()
        self._found = self._call()
        self.seconds = min(self.seconds, time.perf_counter() - began)

    def result(self, Y: np.ndarray, E: np.ndarray) -> dict[str, Any]:
        if self._call is None:
            return {"pixels": None, "seconds": None, "mpx_per_s": None, "kkt": None}
        kkt = float("nan")
        if self.problem != "product":
            kkt = kkt_residual(Y[: self.pixels], E, self._found, summed=self.problem == "fcls")
        rate = self.pixels / self.seconds / 1e6
        return {"pixels": self.pixels, "seconds": self.seconds, "mpx_per_s": rate, "kkt": kkt}

"""The shared kernel of the abundance stages: one exact solve per pixel, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

from hsgeo.plugin import ApplyContext
from hsgeo.spectra.solvers import (
    bounded_model,
    error_model,
    mixing_model,
    residual_rmse,
    solve_block,
    solve_bounded_block,
    split_gain,
    std_block,
)

__all__ = ["AbundanceKernel", "Problem"]

_ALL_SHADE = 1e-6  # what float32 and the solver's ridge of 1e-10 leave to the others in a pixel that is all shade

Solve = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Problem:
    """What is solved in every pixel.

    Parameters
    ----------
    constraint : {"fcls", "nnls", "ucls", "bvls"}
        Constraints on the abundances. With ``gain`` it is ``"nnls"``; with ``shade`` the last endmember is the zero
        spectrum.
    gain : bool
        Divide by the sum of the abundances, which becomes the gain.
    shade : {"none", "explicit", "normalised"}
        Normalised: the others are divided by 1 - shade, which becomes the gain.
    lower, upper : float
        Bounds, for ``"bvls"``.
    """

    constraint: Literal["fcls", "nnls", "ucls", "bvls"]
    gain: bool = False
    shade: Literal["none", "explicit", "normalised"] = "none"
    lower: float = 0.0
    upper: float = 1.0


class AbundanceKernel:
    """Solve blocks of pixels with fixed endmembers.

    Parameters
    ----------
    endmembers : xarray.DataArray
        ``(endmember, band)``; without the shade that is normalised away.
    problem : Problem
        What is solved.
    noise : numpy.ndarray, optional
        Standard deviation of the noise ``(bands,)``, units of the data; needed for weights and errors.
    weighted : bool
        Weigh the bands by 1 / noise.
    errors : bool
        Give ``abundance_std``, too.
    device : {"cpu", "cuda"}
        Where to solve.
    """

    def __init__(
        self,
        endmembers: xr.DataArray,
        problem: Problem,
        *,
        noise: np.ndarray | None = None,
        weighted: bool = False,
        errors: bool = False,
        device: str = "cpu",
    ) -> None:
        spectra = endmembers.transpose("endmember", "band")
        self._names, self._problem = spectra["endmember"].values, problem
        E = spectra.values.T.astype(np.float64)
        if problem.shade == "normalised":
            E = np.c_[E, np.zeros(len(E))]
        self._E = E
        # only their ratios matter to the solve, and about 1 they keep the data within float32
        self._weights = None if noise is None or not weighted else (noise / np.median(noise)).astype(np.float32)
        self._solve = _solver(E if self._weights is None else E / self._weights[:, None], problem, device)
        self._errors = None
        if errors and noise is not None:
            self._errors = error_model(
                E[:, :-1] if problem.shade == "normalised" else E,
                noise=noise,
                constraint="at_most_one" if problem.shade == "normalised" else problem.constraint,
                weighted=weighted,
                lower=problem.lower,
                upper=problem.upper,
            )

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance (endmember, pixel)``, ``rmse (pixel)`` and what else was asked for.

        Missing bands are left out of the solve. A pixel without gain (black, or all in shade) has NaN abundances.
        """
        Y = windows["spectra"].transpose("band", "pixel").values
        A, rmse = self._solve(Y if self._weights is None else Y / self._weights[:, None])
        if self._weights is not None:
            rmse = residual_rmse(Y, self._E, A)
        gain = None
        if self._problem.gain or self._problem.shade == "normalised":
            A, gain = split_gain(A) if self._problem.gain else split_gain(A[:-1], least=_ALL_SHADE)
        out = {"abundance": (("endmember", "pixel"), A), "rmse": (("pixel",), rmse)}
        if gain is not None:
            out["gain"] = (("pixel",), gain)
        if self._errors is not None:
            std = std_block(A, self._errors, gain=gain, valid=np.isfinite(Y))
            out["abundance_std"] = (("endmember", "pixel"), std)
        return xr.Dataset(out, {"endmember": self._names})

    def close(self) -> None:
        """Nothing is held."""


def _solver(E: np.ndarray, problem: Problem, device: str) -> Solve:
    """Make ``solve(Y) -> (A, rmse)`` for blocks ``(bands, pixels)``."""
    if device == "cuda":
        from hsgeo.spectra.solvers import solve_torch, torch_model

        return partial(
            solve_torch,
            model=torch_model(E, problem.constraint, lower=problem.lower, upper=problem.upper, device=device),
        )
    if problem.constraint == "bvls":
        return partial(solve_bounded_block, model=bounded_model(E, lower=problem.lower, upper=problem.upper))
    return partial(solve_block, model=mixing_model(E, problem.constraint))

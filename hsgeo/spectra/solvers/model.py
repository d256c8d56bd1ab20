"""What is computed once per set of endmembers, and the block form of the solvers that kernels use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.arrays import as_block, as_endmembers, as_float, as_numbers, as_weight

__all__ = ["LARGEST_COUNT", "Constraint", "MixingModel", "mixing_model", "solve_block"]

Constraint = Literal["fcls", "nnls", "ucls", "at_most_one"]

LARGEST_COUNT = 64  # beyond, a spectral library is meant, and an exact solve over all of it is the wrong method
_RIDGE = 1e-10  # relative to the mean diagonal: far above rounding (1e-16), so that twins share evenly, far below data
_SAME = 1e-20  # relative spread of endmembers that differ by rounding alone (float64 squared: 1e-32, float32: 1e-14)


@dataclass(frozen=True, eq=False)
class MixingModel:
    """Endmembers made ready for `solve_block`. Built by `mixing_model`; read-only, safe to share by threads.

    Unknowns are the endmembers, and behind them a shade of zeros under ``at_most_one``.

    Parameters
    ----------
    constraint : {"fcls", "nnls", "ucls", "at_most_one"}
        Fully constrained, non-negative, unconstrained, or non-negative with a sum of at most one.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)`` float64, as given.
    rho : float
        Weight of the quadratic prior, in squared units of the data.
    D : numpy.ndarray
        ``(bands, unknowns)`` in solving coordinates: minus their mean where a sum is fixed, else divided by ``scale``.
    offset : numpy.ndarray
        ``(bands,)`` subtracted from the data before ``D^T y``: the mean of the unknowns' spectra, or 0.
    scale : numpy.ndarray
        ``(unknowns,)``: abundance = solution / scale.
    border : float
        Weight of the ``1 1^T`` term that closes the centred Gram matrix where a sum is fixed, else 0.
    ridge : float
        Added to the diagonal.
    diagonal : numpy.ndarray
        ``(unknowns,)``: ridge and prior on the diagonal of ``H``.
    pull : numpy.ndarray
        ``(endmembers,)``: weight of the prior in the right side; empty without one.
    K : numpy.ndarray
        ``D^T D``.
    H : numpy.ndarray
        ``K + border 1 1^T + diag(diagonal)``.
    padded : tuple of numpy.ndarray
        ``D^T`` and ``offset``, filled up with zeros to whole vectors of bands and an even number of unknowns.
    """

    constraint: Constraint
    E: np.ndarray
    rho: float
    D: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    border: float
    ridge: float
    diagonal: np.ndarray
    pull: np.ndarray
    K: np.ndarray
    H: np.ndarray
    padded: tuple[np.ndarray, np.ndarray]

    @property
    def count(self) -> int:
        """Number of endmembers."""
        return int(self.E.shape[1])


def mixing_model(E: np.ndarray, constraint: Constraint = "fcls", *, rho: float = 0.0) -> MixingModel:
    """Make endmembers ready for `solve_block`: origin, scaling, Gram matrix.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``, finite, 1 to 64 endmembers, in the units of the data.
    constraint : {"fcls", "nnls", "ucls", "at_most_one"}
        Which problem will be solved; ``at_most_one`` is ``a >= 0`` and ``sum(a) <= 1``: the rest is shade.
    rho : float
        Weight of a quadratic prior: ``rho ||a - z||^2`` is added to ``||y - E a||^2``, and `solve_block` wants ``z``.
        In squared units of the data, 0 for none.

    Returns
    -------
    MixingModel
        What `solve_block` needs.

    Raises
    ------
    ConfigError
        When the shape is wrong, a value is not finite, there are more than 64 endmembers, or ``rho`` is negative.
    """
    if constraint not in ("fcls", "nnls", "ucls", "at_most_one"):
        raise ConfigError(f"the constraint is {constraint!r}", "'fcls', 'nnls', 'ucls' or 'at_most_one'")
    E, rho = as_endmembers(E, largest=LARGEST_COUNT), as_weight(rho, name="rho")
    bands, count = E.shape
    S = np.c_[E, np.zeros(bands)] if constraint == "at_most_one" else E
    size = S.shape[1]
    if constraint in ("fcls", "at_most_one"):
        # a sums to one, so the origin is free: about the mean endmember the Gram matrix is far better
        # conditioned, and border * (1^T a)^2 is a constant that makes it regular
        offset, scale = S.mean(axis=1), np.ones(size)
        D = S - offset[:, None]
        spread = float((D * D).sum()) / size
        if spread <= _SAME * float((S * S).sum()) / size:  # one endmember, or the same one again: equal shares
            D, spread = np.zeros_like(S), 1.0
        border = spread
    else:
        offset, scale = np.zeros(bands), np.sqrt((S * S).sum(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        D, border = S / scale, 0.0
    ridge = _RIDGE * (border or 1.0)
    diagonal = np.full(size, ridge)
    diagonal[count:] = 0.0  # the smallest norm is that of the abundances: shade takes all that is the same as shade
    diagonal[:count] += rho / scale[:count] ** 2
    K = D.T @ D
    return MixingModel(
        constraint=constraint,
        E=E,
        rho=float(rho),
        D=np.ascontiguousarray(D),
        offset=offset,
        scale=scale,
        border=border,
        ridge=ridge,
        diagonal=diagonal,
        pull=rho / scale[:count] if rho else np.empty(0),
        K=K,
        H=K + border + np.diag(diagonal),
        padded=_padded(D, offset),
    )


def _padded(D: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from hsgeo.spectra.solvers import simd

    bands, size = D.shape
    whole = -(-bands // simd.LANES) * simd.LANES
    rows, base = simd.aligned(size + size % 2, whole), simd.aligned(1, whole)[0]
    rows[:size, :bands], base[:bands] = D.T, offset
    return rows, base


def solve_block(Y: np.ndarray, model: MixingModel, prior: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Solve a block of pixels; every pixel's bits are the same wherever it stands and whatever stands beside it.

    Minimises ``||y - E a||^2 + rho ||a - z||^2`` under the constraint of the model. Active sets are exact: the
    Karush-Kuhn-Tucker conditions hold to rounding. Where the minimiser is not unique (collinear endmembers, more
    endmembers than bands) a relative ridge of 1e-10 picks the one of (nearly) smallest norm, so that duplicates share
    their abundance. All sums are float64; one thread.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32 or float64. Non-finite values are missing: such a pixel is solved on its other
        bands; a pixel without any is NaN.
    model : MixingModel
        From `mixing_model`.
    prior : numpy.ndarray, optional
        ``z`` of every pixel ``(endmembers, pixels)``; needed when the model has a ``rho``. A pixel whose ``z`` is not
        finite is NaN.

    Returns
    -------
    A : numpy.ndarray
        Abundances ``(endmembers, pixels)``, of the float type of ``Y``.
    rmse : numpy.ndarray
        ``(pixels,)``, of the same type, in the units of the data: root of the mean over the pixel's valid bands of
        ``(y - E a)^2``.

    Raises
    ------
    ConfigError
        When the data do not have the bands of the endmembers, or prior and ``rho`` do not fit.
    """
    Y = as_block(Y, model.E)
    A, rmse = np.empty((model.count, Y.shape[1]), Y.dtype), np.empty(Y.shape[1], Y.dtype)
    Z = checked_prior(prior, model, shape=A.shape)
    solve_into(Y, model, prior=Z, A=A, rmse=rmse, rows=False, start=0, stop=Y.shape[1])
    return A, rmse


def checked_prior(prior: np.ndarray | None, model: MixingModel, *, shape: tuple[int, ...]) -> np.ndarray:
    # the prior as the kernel takes it
    if (prior is None) != (model.rho == 0):
        raise ConfigError(
            f"rho is {model.rho} and the prior is {'missing' if prior is None else 'given'}",
            "a positive rho with a prior, or neither",
            "Give rho when the model is made and the prior when it is solved",
        )
    if prior is None:
        return np.empty((0, 0))
    if np.shape(prior) != shape:
        raise ConfigError(
            f"the prior has the shape {np.shape(prior)}", f"that of the abundances, {shape}", "Transpose or reshape it"
        )
    return as_float(as_numbers(prior, name="prior"), np.float64, name="prior")


def solve_into(
    Y: np.ndarray,
    model: MixingModel,
    *,
    prior: np.ndarray,
    A: np.ndarray,
    rmse: np.ndarray,
    rows: bool,
    start: int,
    stop: int,
) -> None:
    # some pixels of checked arrays; rows: pixels are the first axis. Threads may do this at once for other pixels
    from hsgeo.spectra.solvers import kernels

    m = model
    D, offset = m.padded
    bounded, summed = m.constraint != "ucls", m.constraint in ("fcls", "at_most_one")
    gram = (m.border, m.diagonal, m.H, m.K)
    kernels.solve(Y, rows, start, stop, D, offset, m.scale, *gram, bounded, summed, prior, m.pull, A, rmse)

"""What is computed once per set of endmembers, and the block form of the solvers that kernels use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["LARGEST_COUNT", "Constraint", "MixingModel", "mixing_model", "solve_block"]

Constraint = Literal["fcls", "nnls", "ucls"]

LARGEST_COUNT = 64  # a passive set is the bits of one 64-bit word
_TABLE_COUNT = 10  # up to here all 2**P factors are made beforehand (P = 10: 0.8 MB, within a core's cache)
_RIDGE = 1e-10  # relative to the mean diagonal: far above rounding (1e-16), so that twins share evenly, far below data
_SAME = 1e-20  # relative spread of endmembers that differ by rounding alone (float64 squared: 1e-32, float32: 1e-14)


@dataclass(frozen=True, eq=False)
class MixingModel:
    """Endmembers made ready for `solve_block`. Built by `mixing_model`; read-only, safe to share by threads.

    Parameters
    ----------
    constraint : {"fcls", "nnls", "ucls"}
        Fully constrained, non-negative or unconstrained.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)`` float64, as given.
    D : numpy.ndarray
        Endmembers in solving coordinates: minus their mean (fcls), or divided by ``scale``.
    offset : numpy.ndarray
        ``(bands,)`` subtracted from the data before ``D^T y``: the mean endmember (fcls) or 0.
    scale : numpy.ndarray
        ``(endmembers,)``: abundance = solution / scale.
    border : float
        Weight of the ``1 1^T`` term that closes the centred Gram matrix (fcls), else 0.
    ridge : float
        Added to the diagonal.
    H : numpy.ndarray
        ``D^T D + border 1 1^T + ridge I``.
    factors : numpy.ndarray
        Cholesky factors of every passive set for up to 10 endmembers, else empty.
    keys : numpy.ndarray
        The passive set in each slot of ``factors``.
    """

    constraint: Constraint
    E: np.ndarray
    D: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    border: float
    ridge: float
    H: np.ndarray
    factors: np.ndarray
    keys: np.ndarray

    @property
    def count(self) -> int:
        """Number of endmembers."""
        return int(self.E.shape[1])


def mixing_model(E: np.ndarray, constraint: Constraint = "fcls") -> MixingModel:
    """Make endmembers ready for `solve_block`: scaling, Gram matrix, factors.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``, finite, 1 to 64 endmembers, in the units of the data.
    constraint : {"fcls", "nnls", "ucls"}
        Which problem will be solved.

    Returns
    -------
    MixingModel
        What `solve_block` needs.

    Raises
    ------
    ConfigError
        When the shape is wrong, a value is not finite, or there are more than 64 endmembers.
    """
    from hsgeo.spectra.solvers import kernels

    if constraint not in ("fcls", "nnls", "ucls"):
        raise ConfigError(f"the constraint is {constraint!r}", "'fcls', 'nnls' or 'ucls'")
    E = np.ascontiguousarray(E, dtype=np.float64)
    if E.ndim != 2 or 0 in E.shape:
        raise ConfigError(f"the endmembers have the shape {E.shape}", "(bands, endmembers), at least one of each")
    bands, count = E.shape
    if count > LARGEST_COUNT:
        raise ConfigError(
            f"there are {count} endmembers",
            f"at most {LARGEST_COUNT} in one solve",
            "Select spectra, or use a method made for libraries",
        )
    if not np.isfinite(E).all():
        raise ConfigError(
            f"{int((~np.isfinite(E).all(axis=1)).sum())} of {bands} bands of the endmembers are NaN or infinite",
            "finite endmembers",
            "Drop those bands from both the endmembers and the data",
        )
    if constraint == "fcls":
        # a sums to one, so the origin is free: about the mean endmember the Gram matrix is far better
        # conditioned, and border * (1^T a)^2 is a constant that makes it regular
        offset, scale = E.mean(axis=1), np.ones(count)
        D = E - offset[:, None]
        spread = float((D * D).sum()) / count
        if spread <= _SAME * float((E * E).sum()) / count:  # one endmember, or the same one again: equal shares
            D, spread = np.zeros_like(E), 1.0
        border = spread
    else:
        offset, scale = np.zeros(bands), np.sqrt((E * E).sum(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        D, border = E / scale, 0.0
    D = np.ascontiguousarray(D)
    ridge = _RIDGE * (border or 1.0)
    H = D.T @ D + border
    H[np.diag_indices(count)] += ridge
    if count <= _TABLE_COUNT and constraint != "ucls":
        factors, keys = kernels.factor_table(H)
    else:
        factors, keys = np.empty((0, count, count)), np.empty(0, np.uint64)
    return MixingModel(constraint, E, D, offset, scale, border, ridge, H, factors, keys)


def solve_block(Y: np.ndarray, model: MixingModel) -> tuple[np.ndarray, np.ndarray]:
    """Solve a block of pixels; every pixel's bits are the same wherever it stands and whatever stands beside it.

    Active sets are exact: the Karush-Kuhn-Tucker conditions hold to rounding. Where the minimiser is not
    unique (collinear endmembers, more endmembers than bands) a relative ridge of 1e-10 picks the one of
    (nearly) smallest norm, so that duplicates share their abundance.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32. Non-finite values are missing: such a pixel is solved on its other
        bands; a pixel without any is NaN.
    model : MixingModel
        From `mixing_model`.

    Returns
    -------
    A : numpy.ndarray
        Abundances ``(endmembers, pixels)`` float32.
    rmse : numpy.ndarray
        ``(pixels,)`` float32, in the units of the data: root of the mean over the pixel's valid bands of
        ``(y - E a)^2``.

    Raises
    ------
    ConfigError
        When the data do not have the bands of the endmembers.
    """
    from hsgeo.spectra.solvers import kernels

    if Y.ndim != 2 or Y.shape[0] != model.E.shape[0]:
        raise ConfigError(
            f"the data have the shape {Y.shape} (bands, pixels) and the endmembers {model.E.shape[0]} bands",
            "the same bands in both",
            "Resample the endmembers to the data",
        )
    Y = np.ascontiguousarray(Y, dtype=np.float32)
    factors, keys = model.factors, model.keys
    if model.constraint == "ucls":
        factors, keys = kernels.empty_cache(model.count, 1)
    elif not len(keys):  # too many sets to tabulate: factors are made when met, in a cache of this call alone
        factors, keys = kernels.empty_cache(model.count, max(8, min(1024, 2**19 // model.count**2)))
    kind = {"ucls": 0, "nnls": 1, "fcls": 2}[model.constraint]
    result: tuple[np.ndarray, np.ndarray] = kernels.solve(
        Y, model.E, model.D, model.offset, model.scale, model.border, model.ridge, model.H, factors, keys, kind
    )
    return result

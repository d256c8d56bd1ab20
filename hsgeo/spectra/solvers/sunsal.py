"""Sparse unmixing: few of many library spectra, pixel by pixel (the problem of SUnSAL), solved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.spectra.solvers.arrays import as_block, as_data, as_endmembers, as_weight

__all__ = ["LARGEST_LIBRARY", "SparseModel", "solve_sparse_block", "sparse_model", "sunsal"]

LARGEST_LIBRARY = 4096  # the Gram matrix of more takes over 128 MB, and no library selects well from that many
_BLOCK = 4096  # pixels transposed at a time: 3 MB of 200 bands
_RIDGE = 1e-10  # relative to the diagonal: far above rounding (1e-16), so that twins share, far below data
_SAME = 1e-20  # relative spread of spectra that differ by rounding alone (float64 squared: 1e-32, float32: 1e-14)


@dataclass(frozen=True, eq=False)
class SparseModel:
    """A library made ready for `solve_sparse_block`. Built by `sparse_model`; read-only, safe to share by threads.

    Parameters
    ----------
    E : numpy.ndarray
        Library ``(bands, endmembers)`` float64, as given.
    D : numpy.ndarray
        Library in solving coordinates: minus its mean (``sum_to_one``), else divided by ``scale``.
    offset : numpy.ndarray
        ``(bands,)`` subtracted from the data: the mean spectrum (``sum_to_one``) or 0.
    scale : numpy.ndarray
        ``(endmembers,)``: abundance = solution / scale.
    border : float
        Weight of the ``1 1^T`` term that closes the centred Gram matrix (``sum_to_one``), else 0.
    H : numpy.ndarray
        ``D^T D + border 1 1^T`` with a relative ridge of 1e-10.
    price : numpy.ndarray
        ``(endmembers,)``, weight of each absolute value in solving coordinates.
    nonnegative, sum_to_one : bool
        The constraints.
    """

    E: np.ndarray
    D: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    border: float
    H: np.ndarray
    price: np.ndarray
    nonnegative: bool
    sum_to_one: bool

    @property
    def count(self) -> int:
        """Number of library spectra."""
        return int(self.E.shape[1])


def sparse_model(E: np.ndarray, *, lam: float = 0.0, nonnegative: bool = True, sum_to_one: bool = False) -> SparseModel:
    """Make a library ready for `solve_sparse_block`: scaling, Gram matrix, prices.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``, finite, 1 to 4096 spectra, in the units of the data.
    lam : float
        Weight of ``||a||_1`` beside ``||y - E a||^2 / 2``, units of the data squared.
    nonnegative, sum_to_one : bool
        The constraints. With both, the sum of absolute values is 1 and ``lam`` changes nothing.

    Returns
    -------
    SparseModel
        What `solve_sparse_block` needs.

    Raises
    ------
    ConfigError
        When ``E`` or ``lam`` cannot be used.
    """
    E, lam = as_endmembers(E, largest=LARGEST_LIBRARY, what="library spectra"), as_weight(lam, name="lam")
    bands, count = E.shape
    if sum_to_one:
        # a sums to one, so the origin is free: about the mean spectrum the Gram matrix is better conditioned,
        # and border * (1^T a)^2 is a constant that makes it regular
        offset, scale = E.mean(axis=1), np.ones(count)
        D = E - offset[:, None]
        border = float((D * D).sum()) / count
        if border <= _SAME * float((E * E).sum()) / count:  # the same spectrum again and again: equal shares
            D, border = np.zeros_like(E), 1.0
    else:
        offset, scale = np.zeros(bands), np.sqrt((E * E).sum(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        D, border = E / scale, 0.0
    D = np.ascontiguousarray(D)
    H = D.T @ D + border
    H[np.diag_indices(count)] += _RIDGE * (border or 1.0)
    return SparseModel(E, D, offset, scale, border, H, lam / scale, nonnegative, sum_to_one)


def solve_sparse_block(Y: np.ndarray, model: SparseModel) -> tuple[np.ndarray, np.ndarray]:
    """Solve a block of pixels; every pixel's bits are the same wherever it stands and whatever stands beside it.

    An active-set method in the manner of Lawson and Hanson (1974), with the price of an entry in its gradient and
    signed entries where negative ones are allowed (feature-sign search, Lee et al., 2007). It ends at the
    minimiser, whereas the alternating directions of the SUnSAL paper approach it; the optimality conditions hold to
    rounding. Where the minimiser is not unique, a relative ridge of 1e-10 picks one and twins share.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32. Non-finite values are missing: the pixel is solved on its other bands; a pixel
        without any is NaN.
    model : SparseModel
        From `sparse_model`.

    Returns
    -------
    A : numpy.ndarray
        Abundances ``(endmembers, pixels)`` float32, exactly 0 outside the support.
    rmse : numpy.ndarray
        ``(pixels,)`` float32, in the units of the data, over the pixel's valid bands.

    Raises
    ------
    ConfigError
        When the data do not have the bands of the library.
    """
    from hsgeo.spectra.solvers import sunsal_kernels

    result: tuple[np.ndarray, np.ndarray] = sunsal_kernels.solve(
        as_block(Y, model.E, dtype=np.float32),
        model.E,
        model.D,
        model.offset,
        model.scale,
        model.border,
        model.H,
        model.price,
        model.sum_to_one,
        not model.nonnegative,
    )
    return result


def sunsal(
    Y: np.ndarray, E: np.ndarray, *, lam: float = 0.0, nonnegative: bool = True, sum_to_one: bool = False
) -> np.ndarray:
    """Estimate sparse abundances: few of many library spectra (the problem of SUnSAL).

    Minimises ``||y - E a||^2 / 2 + lam ||a||_1``, by default with ``a >= 0`` (Bioucas-Dias and Figueiredo,
    "Alternating direction algorithms for constrained sparse regression", 2010, equation 4), to rounding.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``, within float32. Masked and non-finite values are missing: the pixel is
        solved on its other bands; a pixel without any valid band gives NaN.
    E : numpy.ndarray
        Library ``(bands, endmembers)``, finite, 1 to 4096 spectra, more than bands if need be, same units.
    lam : float
        Weight of the sum of absolute abundances, units of the data squared. From
        ``max(E^T y)`` on, every abundance is 0.
    nonnegative : bool
        Whether abundances may not be negative.
    sum_to_one : bool
        Whether abundances sum to one. With ``nonnegative``, ``lam`` then changes nothing.

    Returns
    -------
    numpy.ndarray
        Abundances ``(pixels, endmembers)`` float32.

    Raises
    ------
    ConfigError
        When shapes do not fit, the library is not finite or too large, or ``lam`` is no number or negative.

    Examples
    --------
    >>> E = np.array([[1.0, 0.0, 0.7], [0.0, 1.0, 0.7]])
    >>> sunsal(np.array([[0.5, 0.0]]), E, lam=0.1).round(3)
    array([[0.4, 0. , 0. ]], dtype=float32)
    """
    model = sparse_model(E, lam=lam, nonnegative=nonnegative, sum_to_one=sum_to_one)
    Y = as_data(Y, model.E)
    A = np.empty((Y.shape[0], model.count), np.float32)
    for start in range(0, Y.shape[0], _BLOCK):
        A[start : start + _BLOCK] = solve_sparse_block(Y[start : start + _BLOCK].T, model)[0].T
    return A

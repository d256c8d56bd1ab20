"""Sparse unmixing of images: as SUnSAL, and neighbours have similar abundances (SUnSAL-TV)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from hsgeo.errors import ConfigError
from hsgeo.spectra.simplex import project_simplex
from hsgeo.spectra.solvers.arrays import as_count, as_data, as_endmembers, as_float, as_weight, precision
from hsgeo.spectra.solvers.sunsal import LARGEST_LIBRARY

__all__ = ["TvResult", "sunsal_tv"]

_RELAX = 1.7  # over-relaxation; 1.5 to 1.8 is the range of Boyd et al. (2011, section 3.4.3)
_BALANCE = 10  # iterations between two looks at the penalty
_SETTLED = 200  # iterations after which the penalty stays, so that convergence is sure


class TvResult(NamedTuple):
    """Abundances of an image and how they were reached.

    Parameters
    ----------
    A : numpy.ndarray
        ``(rows, cols, endmembers)`` float32; NaN where a pixel has no valid band.
    iterations : int
        Rounds done.
    residual : float
        Larger of the primal and dual residuals at the end, relative; at most ``tolerance`` unless the rounds ran out.
    """

    A: np.ndarray
    iterations: int
    residual: float


def sunsal_tv(
    Y: np.ndarray,
    E: np.ndarray,
    *,
    lam: float = 0.0,
    lam_tv: float,
    nonnegative: bool = True,
    sum_to_one: bool = False,
    tolerance: float = 1e-4,
    iterations: int = 1000,
    dtype: DTypeLike = np.float64,
) -> TvResult:
    """Estimate sparse abundances that are alike in neighbouring pixels.

    Minimises ``sum_p ||y_p - E a_p||^2 / 2 + lam ||a_p||_1 + lam_tv sum_(p,q) ||a_p - a_q||_1`` over pixels ``p`` and
    pairs ``(p, q)`` side by side or one above the other (anisotropic, non-periodic total variation of every
    abundance map), by default with ``a >= 0`` (Iordache, Bioucas-Dias and Plaza, "Total variation spatial
    regularization for sparse hyperspectral unmixing", 2012, equation 13).

    Alternating directions with two splits instead of the paper's five: the data and the differences are one linear
    system, which the eigenvectors of ``E^T E`` and the cosine transform make diagonal. Missing values are
    replaced by the fit in every round (a proximal term, so the answer is that of the valid values), and
    differences to a pixel without any are free, so that such a pixel pulls at no other.

    Parameters
    ----------
    Y : numpy.ndarray
        Image ``(rows, cols, bands)``; masked and non-finite values are missing.
    E : numpy.ndarray
        Library ``(bands, endmembers)``, finite, same units.
    lam, lam_tv : float
        Weights of sparsity and of differences, units of the data squared.
    nonnegative : bool
        Whether abundances may not be negative.
    sum_to_one : bool
        Whether abundances sum to one; ``nonnegative`` then has to be true, and ``lam`` changes nothing.
    tolerance : float
        Relative residual at which to stop.
    iterations : int
        Most rounds, at least 1.
    dtype : type
        ``numpy.float64`` or ``numpy.float32``; the latter halves time and memory, for tolerances of 1e-4 and above.

    Returns
    -------
    TvResult
        Abundances and the state of convergence.

    Raises
    ------
    ConfigError
        When shapes do not fit, the library is not finite, a weight is negative, there are no rounds, ``dtype`` is
        another type, the constraints exclude each other, or values are so large that their squares overflow.
    """
    E = as_endmembers(E, largest=LARGEST_LIBRARY, what="library spectra")
    lam, lam_tv = as_weight(lam, name="lam"), as_weight(lam_tv, name="lam_tv")
    tolerance, iterations = as_weight(tolerance, name="tolerance"), as_count(iterations, name="iterations")
    kind = _checked(dtype)
    Y = as_data(Y, E, image=True)
    if 0 in Y.shape:
        raise ConfigError(f"the image has the shape {Y.shape}", "at least one row and one column")
    if sum_to_one and not nonnegative:
        raise ConfigError("sum_to_one without nonnegative", "sum_to_one together with nonnegative, or neither")
    Y = as_float(Y, precision(Y), name="Y")
    with np.errstate(over="ignore", invalid="ignore"):  # the residual tells, and says what to do
        return _solve(Y, E, lam, lam_tv, nonnegative, sum_to_one, tolerance, iterations, kind)


def _solve(
    Y: np.ndarray,
    E: np.ndarray,
    lam: float,
    lam_tv: float,
    nonnegative: bool,
    sum_to_one: bool,
    tolerance: float,
    iterations: int,
    dtype: type[np.floating],
) -> TvResult:
    from scipy.fft import dctn, idctn

    rows, cols, bands = Y.shape
    count, pixels = E.shape[1], rows * cols
    data = _Data(Y.reshape(pixels, bands), E)
    if not data.valid.any():
        return TvResult(np.full((rows, cols, count), np.nan, np.float32), 0, 0.0)
    free_y, free_x = _free(data.valid.reshape(rows, cols))
    values, Q = np.linalg.eigh(data.G)
    values, Q = np.maximum(values, 0.0), Q.astype(dtype)
    waves = _waves(rows)[:, None] + _waves(cols)[None, :]
    # a penalty of the order of the curvature of the data: the mean eigenvalue of E^T E, weakened for the many
    # directions that a coherent library leaves nearly flat
    mu = 0.01 * float(values.mean()) or 1.0
    shape = (count, rows, cols)
    V: np.ndarray = np.zeros(shape, dtype)
    Vy, Vx = np.zeros((count, rows - 1, cols), dtype), np.zeros((count, rows, cols - 1), dtype)
    D, Dy, Dx = np.zeros_like(V), np.zeros_like(Vy), np.zeros_like(Vx)
    A: np.ndarray = np.zeros(shape, dtype)
    residual = np.inf
    for done in range(1, iterations + 1):
        right: np.ndarray = (data.right(A.reshape(count, pixels)) / mu).astype(dtype).reshape(shape)
        right += V - D
        _add_transposed(right, Vy - Dy, Vx - Dx)
        Z = dctn((Q.T @ right.reshape(count, pixels)).reshape(shape), axes=(1, 2), norm="ortho", overwrite_x=True)
        Z /= ((values / mu)[:, None, None] + (1.0 + waves)).astype(dtype)
        Z = idctn(Z, axes=(1, 2), norm="ortho", overwrite_x=True)
        A = (Q @ Z.reshape(count, pixels)).reshape(shape)
        Ay, Ax = np.diff(A, axis=1), np.diff(A, axis=2)
        previous = V, Vy, Vx
        relaxed = [_RELAX * new + (1 - _RELAX) * old for new, old in zip((A, Ay, Ax), previous, strict=True)]
        V = _prox(relaxed[0] + D, lam / mu, nonnegative, sum_to_one)
        Vy = _soft(relaxed[1] + Dy, np.where(free_y, 0.0, lam_tv / mu).astype(dtype))
        Vx = _soft(relaxed[2] + Dx, np.where(free_x, 0.0, lam_tv / mu).astype(dtype))
        D += relaxed[0] - V
        Dy += relaxed[1] - Vy
        Dx += relaxed[2] - Vx
        primal = _norm(A - V, Ay - Vy, Ax - Vx) / max(_norm(A, Ay, Ax), _norm(V, Vy, Vx), 1e-12)
        back = np.array(V - previous[0])
        _add_transposed(back, Vy - previous[1], Vx - previous[2])
        pull = D.copy()
        _add_transposed(pull, Dy, Dx)
        dual = _norm(back) / max(_norm(pull), 1e-12)
        residual = max(primal, dual)
        if not np.isfinite([primal, dual]).all():
            raise _overflow(dtype)
        if residual <= tolerance:
            break
        if done % _BALANCE == 0 and done <= _SETTLED:
            factor = float(np.clip(np.sqrt(primal / max(dual, 1e-12)), 0.2, 5.0))
            if not 0.5 < factor < 2.0:
                mu *= factor
                for scaled in (D, Dy, Dx):
                    scaled /= factor
    out = np.moveaxis(V, 0, -1).astype(np.float32)
    if not np.isfinite(out).all():
        raise _overflow(np.float32)
    out[~data.valid.reshape(rows, cols)] = np.nan
    return TvResult(out, done, float(residual))


def _checked(dtype: DTypeLike) -> type[np.floating]:
    """Return the float type of the rounds; anything else is an error."""
    accepted: tuple[type[np.floating], ...] = (np.float32, np.float64)
    for one in accepted:
        try:
            if dtype is not None and np.dtype(dtype).newbyteorder("=") == one:
                return one
        except TypeError:  # no type at all
            break
    raise ConfigError(f"dtype is {dtype!r}", "numpy.float32 or numpy.float64")


def _overflow(dtype: type[np.floating]) -> ConfigError:
    return ConfigError(
        f"the values of Y are so large beside those of E that abundances or their squares overflow {dtype.__name__}",
        "data and endmembers in the same units",
        "Set fill values to NaN, or scale the data",
    )


class _Data:
    """The data term: Gram matrix, and right sides with missing values filled by the present fit."""

    def __init__(self, Y: np.ndarray, E: np.ndarray) -> None:
        finite = np.isfinite(Y)
        self.valid = finite.any(axis=1)
        self.G = E.T @ E
        self._F = E.T @ np.where(finite, Y, 0.0).T.astype(np.float64)
        self._gone = np.flatnonzero(~self.valid)
        self._part = np.flatnonzero(self.valid & ~finite.all(axis=1))
        self._missing = ~finite[self._part]
        self._E = E

    def right(self, A: np.ndarray) -> np.ndarray:
        """Return ``E^T y`` of every pixel, ``(endmembers, pixels)``."""
        if not self._gone.size and not self._part.size:
            return self._F
        F = self._F.copy()
        F[:, self._gone] = self.G @ A[:, self._gone]
        F[:, self._part] += self._E.T @ np.where(self._missing.T, self._E @ A[:, self._part], 0.0)
        return F


def _free(valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell which vertical and horizontal pairs touch a pixel without data."""
    return ~(valid[1:] & valid[:-1]), ~(valid[:, 1:] & valid[:, :-1])


def _waves(size: int) -> np.ndarray:
    """Eigenvalues of the second difference with reflecting ends, in the order of the cosine transform."""
    return np.asarray(2.0 - 2.0 * np.cos(np.pi * np.arange(size) / size))


def _add_transposed(into: np.ndarray, down: np.ndarray, across: np.ndarray) -> None:
    """Add the transpose of the differences along rows and columns."""
    into[:, 1:] += down
    into[:, :-1] -= down
    into[:, :, 1:] += across
    into[:, :, :-1] -= across


def _soft(X: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    return np.asarray(X - np.clip(X, -threshold, threshold))


def _prox(X: np.ndarray, threshold: float, nonnegative: bool, sum_to_one: bool) -> np.ndarray:
    if sum_to_one:
        return project_simplex(X, axis=0)
    if nonnegative:
        return np.asarray(np.maximum(X - X.dtype.type(threshold), 0))
    return _soft(X, X.dtype.type(threshold))


def _norm(*parts: np.ndarray) -> float:
    return float(np.sqrt(sum(float(np.vdot(part, part)) for part in parts)))

"""How far noise moves abundances: the error covariance that goes with each solver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.arrays import as_bounds, as_endmembers, as_float, as_numbers, as_weight
from hsgeo.spectra.solvers.model import LARGEST_COUNT
from hsgeo.spectra.solvers.whitening import noise_factor

__all__ = ["ErrorModel", "Solved", "abundance_covariance", "abundance_std", "error_model", "std_block"]

Solved = Literal["fcls", "nnls", "ucls", "bvls", "at_most_one"]

_RIDGE = 1e-10  # relative, as in the solvers: of what noise does to twins, half goes to each
_FULL = 1e-6  # how far below 1 a sum of float32 abundances that was held at 1 may come to lie


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """Endmembers and noise made ready for `std_block`. Built by `error_model`; safe to share by threads.

    Parameters
    ----------
    constraint : {"fcls", "nnls", "ucls", "bvls", "at_most_one"}
        How the abundances were solved.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)`` float64.
    noise : numpy.ndarray
        As given to `error_model`.
    weighted : bool
        Whether the solve was weighted with this noise.
    rho : float
        Weight of the prior term in the solve.
    lower, upper : numpy.ndarray
        ``(endmembers,)`` bounds; infinite where there are none.
    length : numpy.ndarray
        ``(endmembers,)``: amounts are worked in units of ``1 / length``, so that the ridge is relative.
    free, held : tuple of numpy.ndarray
        Gram matrix of the solve ``(endmembers, endmembers)``, and factor of the covariance of its right side
        ``(endmembers, noises)``: for amounts of any sum, in units of ``1 / length``, and about the mean endmember,
        where the sum is held. Factors, as squaring would turn rounding of 1e-16 in collinear directions into 1e4.
    """

    constraint: Solved
    E: np.ndarray
    noise: np.ndarray
    weighted: bool
    rho: float
    lower: np.ndarray
    upper: np.ndarray
    length: np.ndarray
    free: tuple[np.ndarray, np.ndarray]
    held: tuple[np.ndarray, np.ndarray]


def error_model(
    E: np.ndarray,
    *,
    noise: np.ndarray | float,
    constraint: Solved = "fcls",
    weighted: bool = False,
    rho: float = 0.0,
    lower: float | np.ndarray = 0.0,
    upper: float | np.ndarray = 1.0,
) -> ErrorModel:
    """Make endmembers and noise ready for `std_block`.

    Parameters
    ----------
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, finite, 1 to 64.
    noise : float or numpy.ndarray
        Noise of the data, in their units, as for `hsgeo.spectra.solvers.noise_factor`: a standard deviation, one per
        band, or a covariance.
    constraint : {"fcls", "nnls", "ucls", "bvls", "at_most_one"}
        How the abundances were solved.
    weighted : bool
        True: with weights from this noise (`hsgeo.spectra.solvers.gls`). False: by ordinary least squares.
    rho : float
        Weight of the term ``rho ||a - z||^2`` in the solve, in the units of its squared residual.
    lower, upper : float or numpy.ndarray
        Bounds, for ``"bvls"``.

    Returns
    -------
    ErrorModel
        What `std_block` needs.

    Raises
    ------
    ConfigError
        When a shape is wrong, the endmembers are not finite or more than 64, or the noise is not usable.
    """
    if constraint not in ("fcls", "nnls", "ucls", "bvls", "at_most_one"):
        raise ConfigError(f"the constraint is {constraint!r}", "'fcls', 'nnls', 'ucls', 'bvls' or 'at_most_one'")
    E, rho = as_endmembers(E, largest=LARGEST_COUNT), as_weight(rho, name="rho")
    bands, count = E.shape
    factor = noise_factor(noise, bands)
    bound = {"ucls": (-np.inf, np.inf), "bvls": (lower, upper)}.get(constraint, (0.0, np.inf))
    low, high = as_bounds(*bound, count)
    if weighted:
        fit = spread = np.linalg.solve(factor, E) if factor.ndim == 2 else E / factor[:, None]
    else:
        fit, spread = E, factor.T @ E if factor.ndim == 2 else E * factor[:, None]
    fit, spread = (np.asarray(np.linalg.qr(matrix, mode="r")) for matrix in (fit, spread))
    length = np.sqrt((fit * fit).sum(axis=0) + rho)
    length = np.where(length > 0, length, 1.0)
    scaled = fit / length
    free = scaled.T @ scaled + np.diag(_RIDGE + rho / length**2), _rows(spread / length)
    centred = fit - fit.mean(axis=1, keepdims=True)
    size = (
        float((centred * centred).sum()) / count or 1.0
    ) + rho  # as far as sums are held, any multiple of 1 1^T will do
    held = (
        centred.T @ centred + size + (_RIDGE * size + rho) * np.eye(count),
        _rows(spread - spread.mean(axis=1, keepdims=True)),
    )
    known = as_numbers(noise, name="noise").astype(np.float64)
    return ErrorModel(constraint, E, known, weighted, float(rho), low, high, length, free, held)


def abundance_covariance(
    E: np.ndarray,
    A: np.ndarray,
    *,
    noise: np.ndarray | float,
    constraint: Solved = "fcls",
    weighted: bool = False,
    rho: float = 0.0,
    lower: float | np.ndarray = 0.0,
    upper: float | np.ndarray = 1.0,
    gain: np.ndarray | None = None,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the covariance of the error that noise makes in the abundances of each pixel.

    First order, with the active constraints of the estimate held: with ``F`` the endmembers strictly between
    their bounds, ``W`` the weights of the solve, ``S`` the noise covariance, ``G = E_F^T W E_F + rho I`` and ``K``
    the inverse of ``G``, projected on the plane of constant sum where the sum is held
    (``G^-1 - G^-1 1 1^T G^-1 / (1^T G^-1 1)``), ``C = K (E_F^T W S W E_F) K``. For a weighted solve without prior
    this is ``(E_F^T S^-1 E_F)^-1``, for white noise ``sigma^2 (E_F^T E_F)^-1``. Under a gain ``s`` (``x = s a``) it
    is ``J C_x J^T`` with ``J = (I - a 1^T) / s`` (delta method).

    It is the error from noise alone: not that of wrong endmembers, not the bias that ``rho`` makes. An
    abundance held at its bound, and the only endmember of a pixel, have the variance 0; close to a bound, where
    noise switches constraints on and off, the true error is smaller.

    Parameters
    ----------
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, finite, 1 to 64.
    A : numpy.ndarray
        Estimated abundances ``(pixels, endmembers)``.
    noise : float or numpy.ndarray
        Standard deviation of the noise in the units of the data, one per band ``(bands,)``, or its covariance
        ``(bands, bands)``.
    constraint : {"fcls", "nnls", "ucls", "bvls", "at_most_one"}
        How the abundances were solved. For `scls` it is ``"nnls"`` with its ``gain``; for abundances without their
        shade ``"at_most_one"`` with the gain ``1 - shade``.
    weighted : bool
        Whether the solve was weighted with this noise (`gls`).
    rho : float
        Weight of the prior term in the solve.
    lower, upper : float or numpy.ndarray
        Bounds, for ``"bvls"``.
    gain : numpy.ndarray, optional
        ``(pixels,)`` by which the amounts were divided to give A.
    valid : numpy.ndarray, optional
        ``(pixels, bands)`` bool; False where a band was missing.

    Returns
    -------
    numpy.ndarray
        ``(pixels, endmembers, endmembers)`` float64; NaN where A is NaN or the gain is 0.

    Raises
    ------
    ConfigError
        When shapes do not fit, the noise is not usable, or a gain comes with another constraint.
    """
    model = error_model(E, noise=noise, constraint=constraint, weighted=weighted, rho=rho, lower=lower, upper=upper)
    A, gain, valid = _checked(A, gain, valid, model)
    count = model.E.shape[1]
    C = np.full((A.shape[1], count, count), np.nan)
    for pixels, own in _whole(A, valid, model):
        free, held = _active(A[:, pixels], None if gain is None else gain[pixels], own)
        sets, of = np.unique(np.vstack([free, held]), axis=1, return_inverse=True)
        for number, key in enumerate(sets.T):
            C[pixels[of.ravel() == number]] = _covariance(key[:-1], bool(key[-1]), own)
    if gain is not None:
        J = np.eye(count) - A.T[:, :, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            C = J @ C @ J.transpose(0, 2, 1) / gain[:, None, None] ** 2
        C[~(gain > 0)] = np.nan
    return C


def abundance_std(
    E: np.ndarray,
    A: np.ndarray,
    *,
    noise: np.ndarray | float,
    constraint: Solved = "fcls",
    weighted: bool = False,
    rho: float = 0.0,
    lower: float | np.ndarray = 0.0,
    upper: float | np.ndarray = 1.0,
    gain: np.ndarray | None = None,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the standard deviation of the error that noise makes in each abundance.

    The root of the diagonal of `abundance_covariance`, without the rest of it.

    Parameters
    ----------
    E, A, noise, constraint, weighted, rho, lower, upper, gain, valid
        As for `abundance_covariance`.

    Returns
    -------
    numpy.ndarray
        ``(pixels, endmembers)`` float32.

    Raises
    ------
    ConfigError
        As `abundance_covariance`.
    """
    model = error_model(E, noise=noise, constraint=constraint, weighted=weighted, rho=rho, lower=lower, upper=upper)
    return np.ascontiguousarray(
        std_block(as_numbers(A, name="A").T, model, gain=gain, valid=None if valid is None else np.asarray(valid).T).T
    )


def std_block(
    A: np.ndarray, model: ErrorModel, *, gain: np.ndarray | None = None, valid: np.ndarray | None = None
) -> np.ndarray:
    """Compute the standard deviations of a block of abundances; a pixel's bits depend on that pixel alone.

    Parameters
    ----------
    A : numpy.ndarray
        Abundances ``(endmembers, pixels)``.
    model : ErrorModel
        From `error_model`.
    gain : numpy.ndarray, optional
        ``(pixels,)``, as for `abundance_covariance`.
    valid : numpy.ndarray, optional
        ``(bands, pixels)`` bool; False where a band was missing.

    Returns
    -------
    numpy.ndarray
        ``(endmembers, pixels)`` float32; NaN where A is NaN or the gain is 0.

    Raises
    ------
    ConfigError
        When shapes do not fit, or a gain comes with another constraint.
    """
    from hsgeo.spectra.solvers import covariance_kernels

    A, gain, turned = _checked(A.T, gain, None if valid is None else valid.T, model)
    variance = np.full(A.shape, np.nan)
    for pixels, own in _whole(A, turned, model):
        part = np.ascontiguousarray(A[:, pixels])
        its = np.empty(0) if gain is None else gain[pixels]
        found = np.empty(part.shape)
        free, held = _active(part, None if gain is None else its, own)
        covariance_kernels.variances(free, held, *own.free, own.length, *own.held, part, its, found)
        variance[:, pixels] = found
    return np.sqrt(variance).astype(np.float32)


def _rows(factor: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(factor.T)


def _checked(
    A: np.ndarray, gain: np.ndarray | None, valid: np.ndarray | None, model: ErrorModel
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return A ``(endmembers, pixels)`` float64, the gain float64, and ``valid`` only if a band is missing."""
    A = as_numbers(A, name="A")
    bands, count = model.E.shape
    if A.ndim != 2 or A.shape[1] != count:
        raise ConfigError(f"the abundances have the shape {A.shape}", f"(pixels, {count})")
    if gain is not None:
        gain = as_float(as_numbers(gain, name="gain"), np.float64, name="gain")
        if model.constraint not in ("nnls", "at_most_one"):
            raise ConfigError(f"a gain was given with the constraint {model.constraint!r}", "'nnls' or 'at_most_one'")
        if gain.shape != A.shape[:1]:
            raise ConfigError(f"the gain has the shape {gain.shape}", f"({A.shape[0]},), one per pixel")
    if valid is not None:
        valid = np.asarray(valid, bool)
        if valid.shape != (A.shape[0], bands):
            raise ConfigError(f"the valid bands have the shape {valid.shape}", f"({A.shape[0]}, {bands})")
        valid = None if valid.all() else valid
    return np.ascontiguousarray(A.T, dtype=np.float64), gain, valid


def _whole(A: np.ndarray, valid: np.ndarray | None, model: ErrorModel) -> Iterator[tuple[np.ndarray, ErrorModel]]:
    """Yield pixels that have abundances and the same bands, and the model of those bands."""
    alive = np.isfinite(A).all(axis=0)
    if valid is not None:
        alive &= valid.any(axis=1)
        partial = np.flatnonzero(alive & ~valid.all(axis=1))
        patterns, of = np.unique(valid[partial], axis=0, return_inverse=True)
        for number, has in enumerate(patterns):
            yield partial[of.ravel() == number], _with_bands(model, has)
        alive[partial] = False
    if alive.any():
        yield np.flatnonzero(alive), model


def _active(A: np.ndarray, gain: np.ndarray | None, model: ErrorModel) -> tuple[np.ndarray, np.ndarray]:
    """Tell which abundances ``(endmembers, pixels)`` are free, and in which pixels the sum is held."""
    low, high = model.lower[:, None].astype(np.float32), model.upper[:, None].astype(np.float32)
    single = A.astype(np.float32)
    total = A.sum(axis=0) if gain is None else gain
    held = total >= 1 - _FULL if model.constraint == "at_most_one" else np.full(A.shape[1], model.constraint == "fcls")
    return (single > low) & (single < high), held


def _with_bands(model: ErrorModel, has: np.ndarray) -> ErrorModel:
    noise = model.noise
    if noise.ndim:
        noise = noise[has] if noise.ndim == 1 else noise[np.ix_(has, has)]
    return error_model(
        model.E[has],
        noise=noise,
        constraint=model.constraint,
        weighted=model.weighted,
        rho=model.rho,
        lower=model.lower,
        upper=model.upper,
    )


def _covariance(free: np.ndarray, held: bool, model: ErrorModel) -> np.ndarray:
    """Covariance of the amounts ``(endmembers, endmembers)`` where ``free (endmembers,)`` are free."""
    from hsgeo.spectra.solvers import covariance_kernels

    count, index = free.size, np.flatnonzero(free)
    C = np.zeros((count, count))
    if index.size > held:
        G, spread = model.held if held else model.free
        length = np.ones(count) if held else model.length
        T = np.empty((index.size, spread.shape[1]))
        room = np.empty((count, count)), np.empty(count)
        covariance_kernels.error_factor(index, index.size, held, G, spread, length, *room, T)
        C[np.ix_(index, index)] = T @ T.T
    return C

"""What each pixel says by itself: the closed-form abundances, the plain least squares beside them, and their error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.spectra.solvers.gain import split_gain
from hsgeo.spectra.solvers.model import MixingModel, mixing_model, solve_block

__all__ = ["Estimate", "Mixing", "estimate", "mixing", "product", "residual"]

_RIDGE = 1e-8  # of the mean of the Gram matrix's diagonal: twins share their error, and float32 inputs allow no more
_LOUDEST = 1e3  # largest standard deviation told, in abundance: the endmembers are as good as the same


@dataclass(frozen=True)
class Mixing:
    """Endmembers, what their lengths mean, and the noise: all that a pixel's estimate needs.

    Parameters
    ----------
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)`` float64.
    peak : bool
        Lengths mean nothing: every pixel has a gain (`hsgeo.spectra.solvers.scls`); else `fcls`.
    noise : numpy.ndarray
        Standard deviation of the noise ``(bands,)``, above 0, units of the data.
    model : MixingModel
        For the closed form.
    inverse : numpy.ndarray
        ``(endmembers, bands)``, least squares ``x = inverse @ y + offset``; with ``peak`` of the amounts, else of
        abundances that sum to one.
    offset : numpy.ndarray
        ``(endmembers,)``.
    covariance : numpy.ndarray
        Of ``x`` under the noise, ``(endmembers, endmembers)``.
    """

    E: np.ndarray
    peak: bool
    noise: np.ndarray
    model: MixingModel
    inverse: np.ndarray
    offset: np.ndarray
    covariance: np.ndarray

    @property
    def correlation(self) -> np.ndarray:
        """Correlation of the errors of ``x``, ``(endmembers, endmembers)`` float32."""
        spread = np.sqrt(np.maximum(np.diag(self.covariance), np.finfo(np.float64).tiny))
        return np.asarray(np.clip(self.covariance / spread[:, None] / spread, -1, 1), np.float32)


@dataclass(frozen=True)
class Estimate:
    """The pixelwise answer, float32, ``(endmembers, pixels)`` or ``(pixels,)``; NaN in pixels without one.

    Parameters
    ----------
    closed : numpy.ndarray
        Abundances of the convention's closed form: not negative, sum to one.
    plain : numpy.ndarray
        Least squares without the bounds: unbiased, with the error that `std` says.
    std : numpy.ndarray
        Standard deviation of `plain`.
    gain : numpy.ndarray
        ``(pixels,)``, 1 unless ``peak``.
    misfit : numpy.ndarray
        ``(pixels,)`` root mean square residual of the closed form over the noise.
    filled : numpy.ndarray
        ``(bands, pixels)`` the data with missing bands as the closed form has them, 0 where there is no estimate.
    """

    closed: np.ndarray
    plain: np.ndarray
    std: np.ndarray
    gain: np.ndarray
    misfit: np.ndarray
    filled: np.ndarray


def mixing(E: np.ndarray, noise: np.ndarray, *, peak: bool) -> Mixing:
    """Make endmembers ready for `estimate`.

    Parameters
    ----------
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``.
    noise : numpy.ndarray
        Standard deviation ``(bands,)``, above 0.
    peak : bool
        Whether every pixel has a gain of its own.

    Returns
    -------
    Mixing
        The operators.
    """
    E, noise = np.asarray(E, np.float64), np.asarray(noise, np.float64)
    count = E.shape[1]
    gram = E.T @ E
    inverse = np.linalg.inv(gram + _RIDGE * np.trace(gram) / count * np.eye(count))
    if peak:
        pull, offset = inverse @ E.T, np.zeros(count)
    else:
        share = inverse.sum(axis=1) / inverse.sum()  # moves x to the plane sum(x) = 1 along the metric of the fit
        pull = (inverse - np.outer(share, inverse.sum(axis=0))) @ E.T
        offset = share
    return Mixing(
        E=E,
        peak=peak,
        noise=noise,
        model=mixing_model(E, "nnls" if peak else "fcls"),
        inverse=pull,
        offset=offset,
        covariance=(pull * noise**2) @ pull.T,
    )


def estimate(Y: np.ndarray, mix: Mixing) -> Estimate:
    """Estimate the abundances of pixels one by one, and how wrong noise makes them.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32; non-finite values are missing.
    mix : Mixing
        From `mixing`.

    Returns
    -------
    Estimate
        Closed form, least squares, error. With ``peak`` the error is that of ``x / sum(x)`` to first order:
        ``(I - a 1^T) C (I - 1 a^T) / gain^2``.
    """
    X, rmse = solve_block(Y, mix.model)
    if mix.peak:
        closed, gain = split_gain(X)
    else:
        closed, gain = X, np.where(np.isfinite(X[0]), np.float32(1), np.float32(np.nan))
    closed = closed.astype(np.float32)
    gain = np.asarray(gain, np.float32)
    known = np.isfinite(closed[0])
    E32 = mix.E.astype(np.float32)
    missing = ~np.isfinite(Y)
    filled = np.where(missing, 0, Y).astype(np.float32)
    some = missing.any(axis=0) & known
    if some.any():
        filled[:, some] = np.where(missing[:, some], product(E32, X[:, some].astype(np.float32)), filled[:, some])
    filled[:, ~known] = 0
    plain = product(mix.inverse.astype(np.float32), filled) + mix.offset.astype(np.float32)[:, None]
    variance = np.diag(mix.covariance).astype(np.float32)[:, None]
    if mix.peak:
        amount = np.where(known, gain, 1)
        plain = np.asarray(plain / amount, np.float32)
        ones = mix.covariance.sum(axis=1).astype(np.float32)[:, None]
        a = np.where(known, closed, 0)
        variance = (variance - 2 * a * ones + a * a * ones.sum()) / amount**2
    std = np.sqrt(np.clip(np.broadcast_to(variance, closed.shape), 0, _LOUDEST**2))
    level = np.float32(np.sqrt(np.mean(mix.noise**2)))
    for part in (closed, plain, std):
        part[:, ~known] = np.nan
    return Estimate(closed, plain, std, gain, (rmse / level).astype(np.float32), filled)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply two matrices, one of them small, with the same bits whatever the number of BLAS threads (ADR 0003).

    Parameters
    ----------
    a : numpy.ndarray
        ``(m, k)``.
    b : numpy.ndarray
        ``(k, n)``.

    Returns
    -------
    numpy.ndarray
        ``(m, n)``.
    """
    return np.einsum("mk,kn->mn", a, b)  # numpy's own loops: two operands without optimize never reach BLAS


def residual(Y: np.ndarray, A: np.ndarray, mix: Mixing) -> tuple[np.ndarray, np.ndarray]:
    """Fit the gain of every pixel, and tell what is left.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, y, x)`` float32; non-finite values are missing.
    A : numpy.ndarray
        Abundances ``(endmembers, y, x)`` float32; NaN where there are none.
    mix : Mixing
        Endmembers and convention.

    Returns
    -------
    gain : numpy.ndarray
        ``(y, x)``: by least squares, not negative, with ``peak``; else 1. NaN where there are no abundances.
    rmse : numpy.ndarray
        ``(y, x)``: root mean square over the bands that are there, units of the data; NaN likewise.
    """
    shape = A.shape[1:]
    Y, model = Y.reshape(len(Y), -1), product(mix.E.astype(np.float32), A.reshape(len(A), -1))
    seen = np.isfinite(Y)
    Y, model = np.where(seen, Y, 0), np.where(seen, model, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        square = np.einsum("bn,bn->n", model, model)
        gain = np.maximum(np.einsum("bn,bn->n", Y, model) / square, 0) if mix.peak else np.ones_like(square)
        left = Y - gain * model
        rmse = np.sqrt(np.einsum("bn,bn->n", left, left) / seen.sum(axis=0))
    known = np.isfinite(A[0].ravel())
    return np.where(known, gain, np.nan).reshape(shape), np.where(known, rmse, np.nan).reshape(shape)

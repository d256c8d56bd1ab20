"""Abundances smoothed as far as the noise goes: coordinates of unit noise, vectorial total variation, constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.arrays import as_data, as_endmembers, as_float, precision
from hsgeo.spectra.solvers.gain import split_gain
from hsgeo.spectra.solvers.model import LARGEST_COUNT, MixingModel, mixing_model, solve_block
from hsgeo.spectra.solvers.vector_rof import ROUNDS, vector_rof

__all__ = ["VectorTvModel", "VectorTvResult", "solve_vector_tv", "vector_tv", "vector_tv_model"]

# Of the largest singular value: directions below it are those of twins, and hold nothing but the rounding of float32.
_SAME = 1e-6


@dataclass(frozen=True)
class VectorTvModel:
    """Endmembers and noise as `solve_vector_tv` needs them.

    Parameters
    ----------
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)`` float64.
    peak : bool
        Every pixel has a gain: amounts ``x >= 0`` are solved for, and divided by their sum.
    origin : numpy.ndarray
        ``(bands,)``: the mean endmember, or zeros with ``peak``.
    basis : numpy.ndarray
        ``(bands, channels)`` orthonormal, of what the endmembers can make of the origin: at most one direction fewer
        than endmembers, as many with ``peak``.
    factor : numpy.ndarray
        ``(channels, channels)``: ``factor @ factor.T`` is the covariance of the noise in the basis.
    whiten : numpy.ndarray
        ``(channels, bands)``: spectra minus origin to coordinates with unit noise.
    colour : numpy.ndarray
        ``(bands, channels)``, the way back.
    solver : MixingModel
        Of the pixelwise solve.
    """

    E: np.ndarray
    peak: bool
    origin: np.ndarray
    basis: np.ndarray
    factor: np.ndarray
    whiten: np.ndarray
    colour: np.ndarray
    solver: MixingModel

    @property
    def channels(self) -> int:
        """Directions in which endmembers differ."""
        return int(self.basis.shape[1])


class VectorTvResult(NamedTuple):
    """Abundances of an image.

    Parameters
    ----------
    A : numpy.ndarray
        ``(rows, cols, endmembers)``, not negative, sum one; NaN where a pixel has no valid band or no gain.
    gain : numpy.ndarray
        ``(rows, cols)``; 1 where there is an answer, without a gain per pixel.
    """

    A: np.ndarray
    gain: np.ndarray


def vector_tv_model(E: np.ndarray, noise: np.ndarray | float, *, peak: bool = False) -> VectorTvModel:
    """Make endmembers ready for `solve_vector_tv`: the coordinates in which the noise has the unit matrix.

    Coordinates in an orthonormal basis of the endmembers are the least-squares coefficients, rotated by the
    eigenvectors of ``E^T E`` and scaled by the roots of its eigenvalues, without the division that makes coefficients
    of similar endmembers large. With a sum of one it is the basis of differences of endmembers.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``, finite, 1 to 64.
    noise : numpy.ndarray or float
        Standard deviation of every band ``(bands,)``, or of all, above 0, units of the data.
    peak : bool
        Whether every pixel has a gain.

    Returns
    -------
    VectorTvModel
        The operators.

    Raises
    ------
    ConfigError
        Endmembers or noise are not as above.
    """
    E = as_endmembers(E, largest=LARGEST_COUNT)
    bands, count = E.shape
    noise = np.asarray(noise, np.float64)
    if noise.shape not in ((), (bands,)) or not (np.isfinite(noise).all() and (noise > 0).all()):
        raise ConfigError(
            f"noise of shape {noise.shape} from {noise.min() if noise.size else 'nothing'}",
            f"one number, or {bands} of them, finite and above 0",
            "Estimate it with hsgeo.spectra.calibrated.calibrated_noise",
        )
    origin = np.zeros(bands) if peak else E.mean(axis=1)
    left, size, _ = np.linalg.svd(E - origin[:, None], full_matrices=False)
    size = size[: count if peak else count - 1]  # differences to a mean have one direction fewer
    whole = np.linalg.norm(E)  # near twins beside a bright mean differ by rounding only
    basis = left[:, : len(size)][:, size > _SAME * whole]
    values, turn = np.linalg.eigh((basis.T * noise**2) @ basis)
    factor = turn * np.sqrt(values)
    return VectorTvModel(
        E=E,
        peak=peak,
        origin=origin,
        basis=basis,
        factor=factor,
        whiten=(turn / np.sqrt(values)).T @ basis.T,
        colour=basis @ factor,
        solver=mixing_model(E, "nnls" if peak else "fcls"),
    )


def filled_pixels(Y: np.ndarray, model: VectorTvModel) -> tuple[np.ndarray, np.ndarray]:
    # Y (bands, pixels): missing bands as the pixelwise fit has them, and which pixels say something
    there = np.isfinite(Y)
    known = there.any(axis=0)
    if model.peak:
        known &= (there & (Y != 0)).any(axis=0)  # a black pixel has no composition, and is no neighbour's
    filled = np.where(there, Y, Y.dtype.type(0))
    part = known & ~there.all(axis=0)
    if part.any():
        X, _ = solve_block(Y[:, part], model.solver)
        filled[:, part] = np.where(there[:, part], Y[:, part], model.E.astype(Y.dtype) @ X)
    filled[:, ~known] = 0
    return filled, known


def solve_vector_tv(
    Y: np.ndarray, model: VectorTvModel, *, weight: float, rounds: int = ROUNDS
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate abundances of an image: smooth its coordinates of unit noise, then solve each pixel.

    The pixelwise solve sees the pixel's own spectrum, moved by what the smoothing moved its coordinates. Without
    smoothing that is `fcls`, or `scls` with ``peak``, in every bit.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, rows, cols)`` float32 or float64; values that are not finite are missing.
    model : VectorTvModel
        From `vector_tv_model`.
    weight : float
        Of the total variation, in units of the noise; 0 for none.
    rounds : int
        Steps of `vector_rof`.

    Returns
    -------
    A : numpy.ndarray
        ``(endmembers, rows, cols)``, of the type of the data.
    gain : numpy.ndarray
        ``(rows, cols)``, of the same type.

    Raises
    ------
    ConfigError
        Shapes do not fit, or weight or rounds are out of range.
    """
    if Y.ndim != 3 or Y.shape[0] != len(model.E):
        raise ConfigError(
            f"data of shape {Y.shape}", f"({len(model.E)} bands, rows, cols)", "Give the bands of the endmembers"
        )
    shape = Y.shape[1:]
    filled, known = filled_pixels(Y.reshape(len(Y), -1), model)
    if weight > 0 and model.channels and known.any():
        C = whitened(filled, known, model)
        smooth = vector_rof(C.reshape(*shape, -1), weight, rounds=rounds).reshape(C.shape)
        filled += np.where(known, model.colour.astype(Y.dtype) @ (smooth - C).T.astype(Y.dtype), 0)
    else:
        vector_rof(np.zeros((1, 1, 1)), weight, rounds=rounds)  # says what is wrong with weight and rounds
    filled[:, ~known] = np.nan
    X, _ = solve_block(filled, model.solver)
    if model.peak:
        A, gain = split_gain(X)
        gain[~known & np.isfinite(Y).reshape(len(Y), -1).any(axis=0)] = 0
    else:
        A, gain = X, np.where(known, Y.dtype.type(1), Y.dtype.type(np.nan))
    return A.reshape(-1, *shape), gain.reshape(shape)


def whitened(filled: np.ndarray, known: np.ndarray, model: VectorTvModel) -> np.ndarray:
    # (pixels, channels) float32 with unit noise, NaN where nothing is known
    C = (model.whiten.astype(np.float32) @ (filled - model.origin[:, None]).astype(np.float32)).T
    return np.asarray(np.where(known[:, None], C, np.float32(np.nan)))


def vector_tv(
    Y: np.ndarray,
    E: np.ndarray,
    *,
    noise: np.ndarray | float,
    weight: float = 1.0,
    peak: bool = False,
    rounds: int = ROUNDS,
) -> VectorTvResult:
    """Estimate abundances that sum to one and are alike in neighbouring pixels, as far as the noise goes.

    Least-squares coordinates in which the noise is white are denoised by `vector_rof`, all at once, and go through the
    pixelwise constrained solve. Directions that the noise hides are smoothed much, others hardly.

    Parameters
    ----------
    Y : numpy.ndarray
        Image ``(rows, cols, bands)``; masked and non-finite values are missing.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, finite, same units, 1 to 64.
    noise : numpy.ndarray or float
        Standard deviation of every band ``(bands,)``, or of all, above 0, units of the data.
    weight : float
        Of the total variation, in units of the noise. Samson and Jasper Ridge at 10 and 20 dB are best between 0.5 and
        2.8; `hsgeo.spectra.solvers.choose_weight` finds one without the truth.
    peak : bool
        Every pixel has a gain, as in `scls`; else the lengths of the endmembers count, as in `fcls`.
    rounds : int
        Steps of `vector_rof`.

    Returns
    -------
    VectorTvResult
        Abundances and gain, of the float type of the data.

    Raises
    ------
    ConfigError
        Shapes do not fit, values are no numbers, or a parameter is out of range.
    """
    E = as_endmembers(E, largest=LARGEST_COUNT)
    Y = as_data(Y, E, image=True)
    Y = as_float(Y, precision(Y), name="Y")
    model = vector_tv_model(E, noise, peak=peak)
    A, gain = solve_vector_tv(np.ascontiguousarray(np.moveaxis(Y, -1, 0)), model, weight=weight, rounds=rounds)
    return VectorTvResult(np.ascontiguousarray(np.moveaxis(A, 0, -1)), gain)

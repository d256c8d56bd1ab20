"""The closed form of a truth's convention: what every method is measured against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.spectra.solvers import fcls, nnls

__all__ = ["ClosedForm", "closed_form", "in_convention", "shares"]


class ClosedForm(NamedTuple):
    """A pixelwise solution.

    Parameters
    ----------
    A : numpy.ndarray
        Abundances ``(pixels, endmembers)`` float64, sum one; zero where nothing is present.
    B : numpy.ndarray
        What was solved for, same shape: A itself, or under ``peak`` coefficients with a free sum, the pixel's gain.
    """

    A: np.ndarray
    B: np.ndarray


def in_convention(E: np.ndarray, *, peak: bool) -> np.ndarray:
    """Bring endmembers to a convention.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``.
    peak : bool
        Highest band 1; false: as they are.

    Returns
    -------
    numpy.ndarray
        The same shape, float64.
    """
    E = np.asarray(E, np.float64)
    return E / np.abs(E).max(axis=0) if peak else E


def shares(B: np.ndarray) -> np.ndarray:
    """Divide coefficients by their sum, negative ones taken as zero.

    Parameters
    ----------
    B : numpy.ndarray
        ``(pixels, endmembers)``.

    Returns
    -------
    numpy.ndarray
        The same shape, sum one; zero where no coefficient is positive.
    """
    positive = np.maximum(B, 0.0)
    total = positive.sum(axis=1, keepdims=True)
    return np.divide(positive, total, out=np.zeros_like(positive), where=total > 0)


def closed_form(Y: np.ndarray, E: np.ndarray, *, peak: bool) -> ClosedForm:
    """Solve every pixel by the rule that made the truths of a convention.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``.
    E : numpy.ndarray
        ``(bands, endmembers)`` in the convention.
    peak : bool
        NNLS divided by the sum; false: FCLS.

    Returns
    -------
    ClosedForm
        Abundances and coefficients.
    """
    if not peak:
        A = fcls(Y, E).astype(np.float64)
        return ClosedForm(A, A)
    B = nnls(Y, E).astype(np.float64)
    return ClosedForm(shares(B), B)

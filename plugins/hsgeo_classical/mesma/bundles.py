"""Bundles: all spectra of all classes solved together, abundances summed by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo_classical.mesma.classes import ClassedLibrary, checked_pixels, classed

__all__ = ["BundleModel", "Bundles", "bundle_block", "bundle_model", "bundles"]


class Bundles(NamedTuple):
    """What the joint solve found.

    Parameters
    ----------
    fractions : numpy.ndarray
        ``(pixels, classes)`` float64, in order of first appearance; with shade a last column for it.
    A : numpy.ndarray
        ``(pixels, spectra)`` float64: the abundance of every spectrum of the library.
    rmse : numpy.ndarray
        ``(pixels,)`` float64, units of the data.
    """

    fractions: np.ndarray
    A: np.ndarray
    rmse: np.ndarray


@dataclass(frozen=True, eq=False)
class BundleModel:
    """A library made ready for `bundle_block`. Built by `bundle_model`; read-only, safe to share by threads.

    Parameters
    ----------
    library : ClassedLibrary
        The spectra.
    kind : int
        1: non-negative; 2: non-negative and summing to one.
    E, D : numpy.ndarray
        ``(bands, spectra)``: as given (with a zero spectrum when there is shade), and in solving coordinates.
    offset, scale : numpy.ndarray
        ``(bands,)`` and ``(spectra,)`` of those coordinates.
    border, ridge : float
        Weights of the terms that close and regularise the Gram matrix.
    H : numpy.ndarray
        ``D^T D + border + ridge I``.
    member : numpy.ndarray
        ``(spectra,)``: class of each, shade the last.
    """

    library: ClassedLibrary
    kind: int
    E: np.ndarray
    D: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    border: float
    ridge: float
    H: np.ndarray
    member: np.ndarray


def bundle_model(
    library: ClassedLibrary, *, constraint: Literal["fcls", "nnls"] = "fcls", shade: bool = False
) -> BundleModel:
    """Make a library ready for `bundle_block`.

    Parameters
    ----------
    library : ClassedLibrary
        From `hsgeo_classical.mesma.classes.classed`.
    constraint, shade
        As for `bundles`.

    Returns
    -------
    BundleModel
        What `bundle_block` needs.

    Raises
    ------
    ConfigError
        An unknown constraint, or shade without a sum.
    """
    from hsgeo_classical.mesma.active import RIDGE

    if constraint not in ("fcls", "nnls"):
        raise ConfigError(f"the constraint is {constraint!r}", "'fcls' or 'nnls'")
    if shade and constraint == "nnls":
        raise ConfigError(
            "shade with the constraint 'nnls'", "shade where abundances sum to one", "Use constraint='fcls'"
        )
    bands, count = library.E.shape
    E, member = library.E, library.member
    if shade:
        E = np.column_stack([E, np.zeros(bands)])
        member = np.append(member, len(library.names))
        count += 1
    if constraint == "fcls":  # about the mean spectrum the Gram matrix is far better conditioned; the sum allows it
        offset, scale = E.mean(axis=1), np.ones(count)
        D = E - offset[:, None]
        border = float((D * D).sum()) / count or 1.0
    else:
        offset, scale = np.zeros(bands), np.sqrt((E * E).sum(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        D, border = E / scale, 0.0
    D = np.ascontiguousarray(D)
    ridge = RIDGE * (border or 1.0)
    H = D.T @ D + border
    H[np.diag_indices(count)] += ridge
    kind = 2 if constraint == "fcls" else 1
    return BundleModel(library, kind, np.ascontiguousarray(E), D, offset, scale, border, ridge, H, member)


def bundle_block(Y: np.ndarray, model: BundleModel, *, keep: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve a block of pixels; a pixel's bits do not depend on the others.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32; non-finite values are missing.
    model : BundleModel
        From `bundle_model`.
    keep : bool
        Return the abundances of single spectra, too.

    Returns
    -------
    fractions : numpy.ndarray
        ``(classes [+ shade], pixels)``.
    A : numpy.ndarray
        ``(spectra [+ shade], pixels)``; without ``keep`` ``(spectra [+ shade], 0)``.
    rmse : numpy.ndarray
        ``(pixels,)``.
    """
    from hsgeo_classical.mesma import loops

    classes = int(model.member.max()) + 1
    found: tuple[np.ndarray, np.ndarray, np.ndarray] = loops.bundles(
        Y, model.E, model.D, model.offset, model.scale, model.border, model.ridge, model.H, model.member,
        classes, model.kind, keep,
    )  # fmt: skip
    return found


def bundles(
    Y: np.ndarray,
    E: np.ndarray,
    classes: Sequence[str] | np.ndarray,
    *,
    constraint: Literal["fcls", "nnls"] = "fcls",
    shade: bool = False,
) -> Bundles:
    """Unmix with all spectra of a library at once and add the abundances of each class up.

    Endmember bundles (Bateson, Asner and Wessman 2000, IEEE TGRS 38): variability inside a class is a mixture of its
    spectra. ``min ||y - E a||^2`` subject to ``a >= 0`` and, for ``fcls``, ``sum(a) = 1``, exactly, by an active-set
    method in float64. Any number of spectra and collinear ones are allowed. Of copies the first takes the abundance.
    Where the sum of a class is not determined (more independent spectra than bands, classes that mix into each other)
    it is that of one minimiser.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``. Non-finite values are missing: the pixel is solved on its other bands; a pixel
        without any is NaN.
    E : numpy.ndarray
        Library ``(bands, spectra)``, finite, same units.
    classes : sequence of str
        Class of each spectrum.
    constraint : {"fcls", "nnls"}
        With or without the sum to one.
    shade : bool
        Add a zero spectrum as a class of its own (``fcls`` only).

    Returns
    -------
    Bundles
        Class fractions, abundances of all spectra, rmse.

    Raises
    ------
    ConfigError
        Shapes do not fit, a value is not finite, a spectrum has no class, or shade was asked of ``nnls``.
    """
    Y = np.asarray(Y)
    library = classed(E, classes)
    model = bundle_model(library, constraint=constraint, shade=shade)
    F = np.empty((len(Y), len(library.names) + shade))
    A = np.empty((len(Y), library.E.shape[1]))
    rmse = np.empty(len(Y))
    for where, block in checked_pixels(Y, library):
        found, every, rmse[where] = bundle_block(block, model, keep=True)
        F[where], A[where] = found.T, every[: A.shape[1]].T
    return Bundles(F, A, rmse)

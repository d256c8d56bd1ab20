"""MESMA: of all models with one spectrum per class, the one that fits a pixel best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo_classical.mesma.classes import ClassedLibrary, checked_pixels, class_sets, classed

__all__ = ["Limits", "Mesma", "MesmaModel", "mesma", "mesma_block", "mesma_model", "without_shade"]


@dataclass(frozen=True)
class Limits:
    """What a model must keep to be taken; the defaults are those of VIPER Tools and of the mesma package.

    Parameters
    ----------
    fraction : tuple of float
        Lowest and highest fraction of a spectrum.
    shade : tuple of float
        Lowest and highest fraction of shade.
    rmse : float
        Largest root mean square residual, units of the data.
    residual : float or None
        A model is refused when ``residual_bands`` bands in a row all have at least this absolute residual (units of
        the data); None: no such limit.
    residual_bands : int
        See ``residual``; bands that a pixel misses do not count.
    """

    fraction: tuple[float, float] = (-0.05, 1.05)
    shade: tuple[float, float] = (0.0, 0.8)
    rmse: float = 0.025
    residual: float | None = None
    residual_bands: int = 7

    def __post_init__(self) -> None:
        for name in ("fraction", "shade"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ConfigError(f"limits {name}={low}..{high}", "lowest first", "Swap them")
        if not self.rmse > 0 or (self.residual is not None and not self.residual > 0) or self.residual_bands < 1:
            raise ConfigError(
                f"limits rmse={self.rmse}, residual={self.residual}, residual_bands={self.residual_bands}",
                "positive numbers (infinity: no limit)",
            )


class Mesma(NamedTuple):
    """What MESMA found.

    Parameters
    ----------
    fractions : numpy.ndarray
        ``(pixels, classes + 1)`` float64: classes in order of first appearance, shade last; they sum to one. NaN
        where no model keeps the limits.
    model : numpy.ndarray
        ``(pixels, classes)`` int32: the spectrum (position in the library) that stands for each class; -1: none.
    rmse : numpy.ndarray
        ``(pixels,)`` float64, units of the data; NaN where no model keeps the limits.
    """

    fractions: np.ndarray
    model: np.ndarray
    rmse: np.ndarray


@dataclass(frozen=True, eq=False)
class MesmaModel:
    """A library made ready for `mesma_block`. Built by `mesma_model`; read-only, safe to share by threads.

    Parameters
    ----------
    library : ClassedLibrary
        The spectra.
    S : numpy.ndarray
        ``(bands, spectra)``: spectra minus shade.
    shade : numpy.ndarray
        ``(bands,)``.
    G : numpy.ndarray
        ``S^T S``.
    sets : numpy.ndarray
        ``(sets, 4)`` int64: the classes of each set, all levels one below the other, padded with -1.
    bounds : numpy.ndarray
        ``(levels, 3)`` int64: first and last row of a level in ``sets``, and how many classes it combines.
    first, members : numpy.ndarray
        Spectra of class ``k``: ``members[first[k]:first[k + 1]]``.
    limits : Limits
        What a model must keep.
    fusion : float
        Gain in rmse that a more complex model must bring.
    """

    library: ClassedLibrary
    S: np.ndarray
    shade: np.ndarray
    G: np.ndarray
    sets: np.ndarray
    bounds: np.ndarray
    first: np.ndarray
    members: np.ndarray
    limits: Limits
    fusion: float


def mesma_model(
    library: ClassedLibrary,
    *,
    levels: Sequence[int] = (2, 3),
    limits: Limits | None = None,
    fusion: float = 0.007,
    shade: np.ndarray | None = None,
) -> MesmaModel:
    """Make a library ready for `mesma_block`.

    Parameters
    ----------
    library : ClassedLibrary
        From `hsgeo_classical.mesma.classes.classed`.
    levels, limits, fusion, shade
        As for `mesma`.

    Returns
    -------
    MesmaModel
        What `mesma_block` needs.

    Raises
    ------
    ConfigError
        As `mesma`.
    """
    bands = library.E.shape[0]
    dark = np.zeros(bands) if shade is None else np.asarray(shade, dtype=np.float64)
    if dark.shape != (bands,) or not np.isfinite(dark).all():
        raise ConfigError(f"a shade spectrum of shape {dark.shape}", f"({bands},), finite")
    if not fusion >= 0:
        raise ConfigError(f"fusion={fusion}", "a gain in rmse, 0 or more")
    S = np.ascontiguousarray(library.E - dark[:, None])
    groups = library.groups
    first = np.cumsum([0, *(group.size for group in groups)]).astype(np.int64)
    parts = class_sets(len(groups), levels)
    sets = np.concatenate([np.pad(part, ((0, 0), (0, 4 - part.shape[1])), constant_values=-1) for part in parts])
    ends = np.cumsum([0, *(len(part) for part in parts)])
    bounds = np.array([[ends[i], ends[i + 1], part.shape[1]] for i, part in enumerate(parts)], dtype=np.int64)
    members = np.concatenate(groups)
    return MesmaModel(library, S, dark, S.T @ S, sets, bounds, first, members, limits or Limits(), fusion)


def mesma_block(Y: np.ndarray, model: MesmaModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the best model of every pixel of a block; a pixel's bits do not depend on the others.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32; non-finite values are missing.
    model : MesmaModel
        From `mesma_model`.

    Returns
    -------
    fractions, models, rmse : numpy.ndarray
        ``(classes + 1, pixels)``, ``(classes, pixels)`` and ``(pixels,)``, as in `Mesma`.
    """
    from hsgeo_classical.mesma import kernels

    limits = model.limits
    run = 0 if limits.residual is None else limits.residual_bands
    lim = np.array([*limits.fraction, *limits.shade, limits.residual or 0.0, run], dtype=np.float64)
    found: tuple[np.ndarray, np.ndarray, np.ndarray] = kernels.search(
        Y, model.S, model.shade, model.G, model.sets, model.bounds, model.first, model.members,
        lim, limits.rmse, model.fusion,
    )  # fmt: skip
    return found


def mesma(
    Y: np.ndarray,
    E: np.ndarray,
    classes: Sequence[str] | np.ndarray,
    *,
    levels: Sequence[int] = (2, 3),
    limits: Limits | None = None,
    fusion: float = 0.007,
    shade: np.ndarray | None = None,
) -> Mesma:
    """Unmix with multiple endmember spectral mixture analysis (Roberts et al. 1998, Remote Sens. Environ. 65).

    A model of level ``n`` combines ``n - 1`` spectra of different classes with shade. Its fractions are the
    unconstrained least-squares solution ``a = (S^T S)^-1 S^T y``, shade is ``1 - sum(a)``. Of the models that keep
    the limits, the one of lowest rmse is taken in every level; a level replaces the one below it only when its rmse
    is lower by at least ``fusion`` (multi-level fusion, Roberts et al. 2003, IEEE TGRS 41), and of those left the one
    of lowest rmse is taken. As in VIPER Tools and the mesma package, "below" is the next lower level asked for,
    whether or not that one was itself taken.

    Models of collinear spectra (squared sine below 1e-12) are left out. Ties go to the model that comes first.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``. Non-finite values are missing: the pixel is modelled on its other bands.
    E : numpy.ndarray
        Library ``(bands, spectra)``, finite, same units.
    classes : sequence of str
        Class of each spectrum.
    levels : sequence of int
        Levels of complexity, 2 to 5.
    limits : Limits, optional
        What a model must keep; None: the defaults of VIPER Tools.
    fusion : float
        Gain in rmse that a more complex model must bring, units of the data.
    shade : numpy.ndarray, optional
        Spectrum of shade ``(bands,)``; None: photometric shade, zero.

    Returns
    -------
    Mesma
        Fractions, models, rmse.

    Raises
    ------
    ConfigError
        Shapes do not fit, a value is not finite, a spectrum has no class, or a level is impossible.
    """
    Y = np.asarray(Y)
    library = classed(E, classes)
    model = mesma_model(library, levels=levels, limits=limits, fusion=fusion, shade=shade)
    F = np.empty((len(Y), len(library.names) + 1))
    used = np.empty((len(Y), len(library.names)), np.int32)
    rmse = np.empty(len(Y))
    for where, block in checked_pixels(Y, library):
        found, models, rmse[where] = mesma_block(block, model)
        F[where], used[where] = found.T, models.T
    return Mesma(F, used, rmse)


def without_shade(fractions: np.ndarray) -> np.ndarray:
    """Take shade out of fractions: drop it and divide the others by their sum (shade normalisation).

    Parameters
    ----------
    fractions : numpy.ndarray
        ``(pixels, classes + 1)``, shade last.

    Returns
    -------
    numpy.ndarray
        ``(pixels, classes)``; NaN where there is no model, or nothing but shade.
    """
    rest = fractions[..., :-1]
    total = rest.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, rest / total, np.nan)

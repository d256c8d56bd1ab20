"""A library whose spectra belong to classes, checked and put in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["ClassedLibrary", "checked_pixels", "class_sets", "classed", "count_models"]

MOST_SPECTRA = 20_000  # its Gram matrix takes 3.2 GB; larger libraries are to be thinned out first


@dataclass(frozen=True, eq=False)
class ClassedLibrary:
    """Spectra and the class of each. Built by `classed`; read-only.

    Parameters
    ----------
    E : numpy.ndarray
        Spectra ``(bands, spectra)`` float64.
    names : tuple of str
        Class names, in order of first appearance.
    member : numpy.ndarray
        ``(spectra,)`` int64: the class of each spectrum, a position in ``names``.
    """

    E: np.ndarray
    names: tuple[str, ...]
    member: np.ndarray

    @property
    def groups(self) -> list[np.ndarray]:
        """Spectra of each class, as positions in the library."""
        return [np.flatnonzero(self.member == k) for k in range(len(self.names))]

    def means(self) -> np.ndarray:
        """Return the mean spectrum of every class ``(bands, classes)``."""
        return np.stack([self.E[:, group].mean(axis=1) for group in self.groups], axis=1)


def classed(E: np.ndarray, classes: Sequence[str] | np.ndarray) -> ClassedLibrary:
    """Check a library and its classes.

    Parameters
    ----------
    E : numpy.ndarray
        Spectra ``(bands, spectra)``, finite.
    classes : sequence of str
        Class of each spectrum, ``(spectra,)``.

    Returns
    -------
    ClassedLibrary
        The library, its spectra in the given order.

    Raises
    ------
    ConfigError
        Shapes do not fit, a value is not finite, or a spectrum has no class.
    """
    E = np.ascontiguousarray(E, dtype=np.float64)
    labels = [str(label).strip() for label in classes]
    if E.ndim != 2 or 0 in E.shape or E.shape[1] != len(labels):
        raise ConfigError(
            f"the library has the shape {E.shape} and {len(labels)} class labels",
            "E (bands, spectra) with one class for each spectrum",
            "Transpose the spectra, or give every spectrum a class",
        )
    if E.shape[1] > MOST_SPECTRA:
        raise ConfigError(
            f"the library has {E.shape[1]} spectra", f"at most {MOST_SPECTRA}", "Choose some with --select"
        )
    if not np.isfinite(E).all():
        raise ConfigError(
            f"{int((~np.isfinite(E).all(axis=1)).sum())} of {E.shape[0]} bands of the library are NaN or infinite",
            "finite spectra",
            "Drop those bands from both the library and the data",
        )
    if "" in labels:
        raise ConfigError(
            f"{labels.count('')} spectra of the library have no class",
            "a class for every spectrum",
            "Fill the class column, or leave those spectra out with --drop",
        )
    names = tuple(dict.fromkeys(labels))
    return ClassedLibrary(E, names, np.array([names.index(label) for label in labels], dtype=np.int64))


def checked_pixels(Y: np.ndarray, library: ClassedLibrary) -> Iterator[tuple[slice, np.ndarray]]:
    """Cut pixels into the blocks that the kernels take.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``.
    library : ClassedLibrary
        Gives the number of bands.

    Yields
    ------
    where : slice
        Which pixels.
    block : numpy.ndarray
        ``(bands, pixels of the block)`` float32, contiguous.

    Raises
    ------
    ConfigError
        Y is no matrix, or has other bands than the library.
    """
    if Y.ndim != 2 or Y.shape[1] != library.E.shape[0]:
        raise ConfigError(
            f"Y has the shape {Y.shape} and the library {library.E.shape[0]} bands",
            "Y (pixels, bands) with the bands of the library",
            "Reshape an image (rows, cols, bands) with Y.reshape(-1, bands), or resample the library",
        )
    for start in range(0, Y.shape[0], 4096):  # 3 MB of 200 bands: the copy stays in a core's cache
        where = slice(start, min(start + 4096, Y.shape[0]))
        yield where, np.ascontiguousarray(Y[where].T, dtype=np.float32)


def class_sets(classes: int, levels: Sequence[int]) -> list[np.ndarray]:
    """List which classes are combined at every level of complexity.

    Parameters
    ----------
    classes : int
        Number of classes.
    levels : sequence of int
        Endmembers of a model, shade counted: level 3 combines two classes with shade.

    Returns
    -------
    list of numpy.ndarray
        ``(sets, level - 1)`` int64 for each level, simplest first. Levels with more spectra than there are
        classes are left out.

    Raises
    ------
    ConfigError
        No level, a level that is not 2 to 5, or none that the classes suffice for.
    """
    wanted = sorted(set(levels))
    if not wanted or wanted[0] < 2 or wanted[-1] > 5:
        raise ConfigError(f"levels={list(levels)}", "levels 2 (one class and shade) to 5 (four classes and shade)")
    possible = [level for level in wanted if level - 1 <= classes]
    if not possible:
        raise ConfigError(
            f"levels={wanted} with {classes} classes", f"a level of at most {classes + 1}", "Add a lower level"
        )
    return [np.array(list(combinations(range(classes), level - 1)), dtype=np.int64) for level in possible]


def count_models(library: ClassedLibrary, levels: Sequence[int]) -> int:
    """Count the models: one spectrum of each class of each set.

    Parameters
    ----------
    library : ClassedLibrary
        The spectra.
    levels : sequence of int
        As for `class_sets`.

    Returns
    -------
    int
        Models that every pixel is compared with.

    Raises
    ------
    ConfigError
        As `class_sets`.
    """
    sizes = [int(group.size) for group in library.groups]
    return sum(prod(sizes[k] for k in row) for sets in class_sets(len(sizes), levels) for row in sets)

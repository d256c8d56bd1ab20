"""Which estimate is which class of the truth: by names, spectra or abundances, once and for all numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.spectra import metrics

__all__ = ["MATCHES", "Who", "find_who", "has_spectra", "true_spectra"]

MATCHES = ("auto", "names", "sad", "abundance")
"""Ways of matching."""

_NUMBERED = re.compile(r"(e|band-|class-)\d+", re.IGNORECASE)  # what hsgeo calls what has no name: says nothing
_DIFFER = (
    "if names or class levels differ, give the product's endmembers the truth's names with --rename OLD=NEW, "
    "or unmix at the truth's level with --class-level"
)


@dataclass(frozen=True)
class Who:
    """Who is who.

    Parameters
    ----------
    by : str
        ``"names"``, ``"sad"`` or ``"abundance"``.
    order : tuple of int or None
        For each class of the truth its estimate; None: there is none.
    spare : tuple of int
        Estimates without a class.
    names : tuple of str
        Names of all estimates.
    abundances_agree : bool
        Whether matching by abundances gives the same pairs.
    notes : tuple of str
        What to say about it.
    """

    by: str
    order: tuple[int | None, ...]
    spare: tuple[int, ...]
    names: tuple[str, ...]
    abundances_agree: bool
    notes: tuple[str, ...]

    def name(self, index: int) -> str | None:
        """Return the name of the estimate of a truth class."""
        estimate = self.order[index]
        return None if estimate is None else self.names[estimate]


def find_who(product: xr.Dataset, truth: xr.Dataset, A: np.ndarray, A_true: np.ndarray, *, by: str = "auto") -> Who:
    """Match estimates and classes.

    Parameters
    ----------
    product, truth : xarray.Dataset
        With ``endmember`` names, and ``endmembers`` where there.
    A, A_true : numpy.ndarray
        ``(pixels, endmembers)`` without NaN, the same pixels.
    by : {"auto", "names", "sad", "abundance"}
        As in `hsgeo.evaluation.score.score`; for ``"auto"`` names that hsgeo itself numbered say nothing.

    Returns
    -------
    Who
        The pairs.

    Raises
    ------
    ConfigError
        There is no such way, no name in common, or no spectra to compare.
    """
    if by not in MATCHES:
        raise ConfigError(f"match is {by!r}", ", ".join(MATCHES), "Leave it out")
    mine, theirs = ([str(name) for name in ds["endmember"].values] for ds in (product, truth))
    known = {name.strip().casefold(): i for i, name in enumerate(mine)}
    named = tuple(known.get(name.strip().casefold()) for name in theirs)
    E_true = true_spectra(product, truth)
    notes = []
    cost = metrics.abundance_cost(A, A_true)
    numbered = by == "auto"
    if numbered:
        named = tuple(None if _NUMBERED.fullmatch(name.strip()) else i for name, i in zip(theirs, named, strict=True))
        # half of the names are no accident: the rest is then rather absent than called otherwise
        shared = sum(index is not None for index in named)
        by = "names" if 2 * shared >= len(theirs) else "abundance" if E_true is None else "sad"
        told = [sum(_NUMBERED.fullmatch(name.strip()) is None for name in side) for side in (mine, theirs)]
        if by != "names" and all(told):
            notes.append(f"{shared} of {len(theirs)} names of the truth are in the product: matched by {by}; {_DIFFER}")
    by_abundance = metrics.pair(cost)
    if by == "names":
        if not any(index is not None for index in named):
            raise ConfigError(
                f"no name in common: the product has {', '.join(mine)}, the truth {', '.join(theirs)}",
                "the same names for the same things",
                "Rename with --rename OLD=NEW, or match by --match sad or abundance",
            )
        order = _with_numbered(named, mine, theirs, cost) if numbered else named
        spare = tuple(i for i in range(len(mine)) if i not in order)
    elif by == "sad":
        if E_true is None:
            raise ConfigError(
                "product and truth have no spectra on the same bands",
                "endmembers in both, with wavelengths or as many bands",
                "Match by --match abundance or names",
            )
        found = metrics.pair(metrics.sad_matrix(product["endmembers"].values.T, E_true))
        order, spare = found.order, found.spare
    else:
        order, spare = by_abundance.order, by_abundance.spare
    agree = order == by_abundance.order
    if not agree:
        notes.append(f"matching by {by} and by abundances disagree: the score depends on the way of matching")
    lost = [name for name, index in zip(theirs, order, strict=True) if index is None]
    extra = ", ".join(mine[i] for i in spare)
    if lost and spare:
        notes.append(
            f"no estimate for {', '.join(lost)} (compared with abundance 0), and no class of the truth for {extra} "
            f"(compared with nothing); {_DIFFER}"
        )
    elif lost:
        also = f"; {_DIFFER}" if by == "names" else ""
        notes.append(f"no estimate for {', '.join(lost)}: compared with abundance 0{also}")
    elif spare:
        notes.append(f"in no class of the truth: {extra}; what they hold is missing elsewhere")
    return Who(by, order, spare, tuple(mine), agree, tuple(notes))


def _with_numbered(
    named: tuple[int | None, ...], mine: list[str], theirs: list[str], cost: np.ndarray
) -> tuple[int | None, ...]:
    """Pair by abundances what has only a number on both sides and is still free."""
    rows = [i for i, name in enumerate(mine) if _NUMBERED.fullmatch(name.strip())]
    cols = [q for q, name in enumerate(theirs) if _NUMBERED.fullmatch(name.strip())]
    order = list(named)
    if rows and cols:
        for q, row in zip(cols, metrics.pair(cost[np.ix_(rows, cols)]).order, strict=True):
            order[q] = None if row is None else rows[row]
    return tuple(order)


def has_spectra(product: xr.Dataset) -> bool:
    """Tell whether a product has a band with a value in all endmembers; class fractions of a library may have none."""
    return "endmembers" in product and bool(np.isfinite(product["endmembers"].values).all(axis=0).any())


def true_spectra(product: xr.Dataset, truth: xr.Dataset) -> np.ndarray | None:
    """Return the truth's endmembers on the product's bands.

    Parameters
    ----------
    product, truth : xarray.Dataset
        With ``endmembers (endmember, band)``; with ``wavelength`` on both, spectra are interpolated.

    Returns
    -------
    numpy.ndarray or None
        ``(bands, classes)``; NaN outside the truth's range; None where there are no spectra, or other bands.
    """
    if "endmembers" not in product or "endmembers" not in truth:
        return None
    if not has_spectra(product):
        return None
    E = truth["endmembers"].transpose("band", "endmember").values.astype(np.float64)
    if "wavelength" not in product.coords or "wavelength" not in truth.coords:
        return E if len(E) == product.sizes["band"] else None
    wanted, given = (np.asarray(ds["wavelength"].values, np.float64) for ds in (product, truth))
    if wanted.shape == given.shape and np.allclose(wanted, given, atol=0.01):  # nm: the same bands
        return E
    order = np.argsort(given, kind="stable")
    return np.stack([np.interp(wanted, given[order], e[order], left=np.nan, right=np.nan) for e in E.T], axis=1)

"""Monte-Carlo SMA and MESMA: random combinations of spectra, bounded fractions, mean or best, and their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo_classical.mesma.classes import ClassedLibrary, checked_pixels, classed

__all__ = [
    "DARK_REGIONS",
    "MonteCarlo",
    "MonteCarloModel",
    "draw_combinations",
    "monte_carlo",
    "monte_carlo_block",
    "monte_carlo_model",
    "pixel_keys",
]

Normalization = Literal["none", "brightness"] | float

DARK_REGIONS = ((1300.0, 1500.0), (1800.0, 2000.0))
"""Nanometres that brightness leaves out: water vapour, where reflectance is a guess."""

_MOST_SOLVES = 100_000  # combinations of all draws: a pixel takes about 5 us for each, so half a second


class MonteCarlo(NamedTuple):
    """What the draws gave.

    Parameters
    ----------
    fractions : numpy.ndarray
        ``(pixels, classes)`` float64, summing to one: mean over the draws, or the draw of lowest cost. NaN where no
        draw has a positive sum.
    std : numpy.ndarray
        ``(pixels, classes)``: standard deviation over the draws (divisor draws - 1); NaN for a single one.
    gain : numpy.ndarray
        ``(pixels,)``: sum of the coefficients before they were made fractions ("brightness"); 1 - gain is shade when
        nothing was normalised.
    rmse : numpy.ndarray
        ``(pixels,)``, units of the data, of the mean or best coefficients.
    """

    fractions: np.ndarray
    std: np.ndarray
    gain: np.ndarray
    rmse: np.ndarray


@dataclass(frozen=True, eq=False)
class MonteCarloModel:
    """A library and draws made ready for `monte_carlo_block`; read-only, safe to share by threads.

    Parameters
    ----------
    library : ClassedLibrary
        The spectra.
    draws : numpy.ndarray
        ``(draws, combinations, spectra)`` int64, padded with -1.
    S : numpy.ndarray
        ``(bands, spectra)``: normalised spectra.
    H : numpy.ndarray
        ``S^T S`` with a ridge.
    ridge : float
        That ridge.
    lengths : numpy.ndarray
        ``(spectra,)``: what each spectrum was divided by.
    rule : int
        0: nothing is normalised, 1: brightness, 2: one band.
    counts : numpy.ndarray
        ``(bands,)`` bool: bands that count for brightness.
    at : int
        The one band.
    sigma : numpy.ndarray
        ``(bands,)``: standard deviation of the noise that is added in every draw.
    best : bool
        Keep the draw of lowest cost instead of the mean.
    """

    library: ClassedLibrary
    draws: np.ndarray
    S: np.ndarray
    H: np.ndarray
    ridge: float
    lengths: np.ndarray
    rule: int
    counts: np.ndarray
    at: int
    sigma: np.ndarray
    best: bool


def draw_combinations(
    library: ClassedLibrary,
    rng: np.random.Generator,
    *,
    mode: Literal["sma", "mesma"],
    draws: int = 20,
    num_endmembers: int = 30,
    max_combinations: int = 100,
) -> np.ndarray:
    """Draw which spectra are unmixed together; the same for all pixels of a scene.

    Parameters
    ----------
    library : ClassedLibrary
        The spectra and their classes.
    rng : numpy.random.Generator
        Where the luck comes from.
    mode : {"sma", "mesma"}
        ``"sma"``: a draw is one combination of ``num_endmembers`` spectra, dealt class by class (one of the first,
        one of the second, ..., again one of the first; a class that is used up is passed over).
        ``"mesma"``: a draw is ``max_combinations`` different combinations of one spectrum of every class.
    draws : int
        Number of draws.
    num_endmembers : int
        Spectra of a draw (``sma``); at most all.
    max_combinations : int
        Combinations of a draw (``mesma``); all when there are no more, in order.

    Returns
    -------
    numpy.ndarray
        ``(draws, combinations, spectra)`` int64: positions in the library, padded with -1.

    Raises
    ------
    ConfigError
        A number below 1, or more than 100,000 combinations in all.
    """
    if min(draws, num_endmembers, max_combinations) < 1:
        raise ConfigError(
            f"draws={draws}, num_endmembers={num_endmembers}, max_combinations={max_combinations}", "at least 1 each"
        )
    groups = library.groups
    every = prod(int(group.size) for group in groups)
    combinations = 1 if mode == "sma" else min(max_combinations, every)
    if draws * combinations > _MOST_SOLVES:
        raise ConfigError(
            f"{draws} draws of {combinations} combinations",
            f"at most {_MOST_SOLVES} in all: every pixel is solved with each",
            "Lower max_combinations or the number of draws",
        )
    if mode == "sma":
        size = min(num_endmembers, library.E.shape[1])
        return np.stack([_dealt(groups, rng, size) for _ in range(draws)])[:, None, :]
    sizes = [int(group.size) for group in groups]
    return np.stack([_crossed(groups, _numbers(rng, every, combinations, sizes)) for _ in range(draws)])


def _dealt(groups: Sequence[np.ndarray], rng: np.random.Generator, size: int) -> np.ndarray:
    shuffled = [rng.permutation(group) for group in groups]
    rounds = max(group.size for group in shuffled)
    dealt = [group[turn] for turn in range(rounds) for group in shuffled if turn < group.size]
    return np.array(dealt[:size], dtype=np.int64)


def _numbers(rng: np.random.Generator, every: int, wanted: int, sizes: list[int]) -> np.ndarray:
    """Return ``(wanted, classes)`` positions inside the classes, no row twice."""
    if wanted == every:
        return np.stack(np.unravel_index(np.arange(every), sizes), axis=1)
    rows: dict[tuple[int, ...], None] = {}  # the number of all combinations may not fit any integer of numpy
    while len(rows) < wanted:
        rows.setdefault(tuple(int(i) for i in rng.integers(sizes)), None)
    return np.array(list(rows))


def _crossed(groups: Sequence[np.ndarray], numbers: np.ndarray) -> np.ndarray:
    columns = [group[column] for group, column in zip(groups, numbers.T, strict=True)]
    return np.stack(columns, axis=1).astype(np.int64)


def monte_carlo_model(
    library: ClassedLibrary,
    draws: np.ndarray,
    *,
    best: bool = True,
    normalization: Normalization = "brightness",
    wavelength: np.ndarray | None = None,
    uncertainty: float | np.ndarray = 0.0,
) -> MonteCarloModel:
    """Make a library and its draws ready for `monte_carlo_block`.

    Parameters
    ----------
    library : ClassedLibrary
        From `hsgeo_classical.mesma.classes.classed`.
    draws : numpy.ndarray
        From `draw_combinations`.
    best, normalization, wavelength, uncertainty
        As for `monte_carlo`.

    Returns
    -------
    MonteCarloModel
        What `monte_carlo_block` needs.

    Raises
    ------
    ConfigError
        As `monte_carlo`.
    """
    from hsgeo_classical.mesma.active import RIDGE

    bands = library.E.shape[0]
    sigma = np.broadcast_to(np.asarray(uncertainty, dtype=np.float64), (bands,)).copy()
    if not (np.isfinite(sigma) & (sigma >= 0)).all():
        raise ConfigError("an uncertainty that is negative or not finite", "standard deviations, 0 or more")
    counts, at, rule = np.ones(bands, dtype=bool), 0, 0
    if normalization != "none":
        if wavelength is None or np.shape(wavelength) != (bands,):
            raise ConfigError(
                f"normalization={normalization!r} without the wavelengths of {bands} bands", "wavelength (bands,) in nm"
            )
        centres = np.asarray(wavelength, dtype=np.float64)
        if normalization == "brightness":
            rule = 1
            for low, high in DARK_REGIONS:
                counts &= (centres < low) | (centres > high)
            if not counts.any():
                raise ConfigError("no band counts for brightness", f"bands outside {DARK_REGIONS} nm")
        elif isinstance(normalization, int | float) and centres.min() <= normalization <= centres.max():
            rule, at = 2, int(np.argmin(np.abs(centres - float(normalization))))
        else:
            raise ConfigError(
                f"normalization={normalization!r}",
                f"'none', 'brightness', or a wavelength of {centres.min():.0f}-{centres.max():.0f} nm",
            )
    if rule == 0:
        lengths = np.ones(library.E.shape[1])
    else:
        lengths = library.E[at] / 0.5 if rule == 2 else np.sqrt((library.E[counts] ** 2).mean(axis=0))
    if not (lengths > 0).all():
        raise ConfigError(
            f"{int((~(lengths > 0)).sum())} spectra of the library have no brightness to be divided by",
            "spectra above zero there",
            "Leave them out with --drop, or use normalization=none",
        )
    S = np.ascontiguousarray(library.E / lengths)
    H = S.T @ S
    ridge = RIDGE * float(np.trace(H)) / len(H)
    H[np.diag_indices(len(H))] += ridge
    return MonteCarloModel(library, draws, S, H, ridge, lengths, rule, counts, at, sigma, best)


def pixel_keys(row: np.ndarray, col: np.ndarray, seed: int) -> np.ndarray:
    """Give every pixel the key of its noise: from its absolute position and the seed alone.

    Parameters
    ----------
    row, col : numpy.ndarray
        ``(pixels,)`` integers.
    seed : int
        Of the run.

    Returns
    -------
    numpy.ndarray
        ``(pixels,)`` uint64.
    """
    place = row.astype(np.int64).astype(np.uint64) << np.uint64(32) ^ col.astype(np.int64).astype(np.uint64)
    salt = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    return np.asarray(place ^ salt, dtype=np.uint64)


def monte_carlo_block(
    Y: np.ndarray, model: MonteCarloModel, keys: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Unmix a block of pixels with every draw; a pixel's bits depend on its values and its key alone.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32; non-finite values are missing.
    model : MonteCarloModel
        From `monte_carlo_model`.
    keys : numpy.ndarray
        ``(pixels,)`` from `pixel_keys`.

    Returns
    -------
    fractions, std : numpy.ndarray
        ``(classes, pixels)``.
    gain, rmse : numpy.ndarray
        ``(pixels,)``.
    """
    from hsgeo_classical.mesma import loops

    m, classes = model, len(model.library.names)
    found: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] = loops.monte_carlo(
        Y, m.library.E, m.S, m.H, m.ridge, m.lengths, m.library.member, classes, m.draws,
        m.rule, m.counts, m.at, m.sigma, bool(m.sigma.any()), keys, m.best,
    )  # fmt: skip
    return found


def monte_carlo(
    Y: np.ndarray,
    E: np.ndarray,
    classes: Sequence[str] | np.ndarray,
    draws: np.ndarray,
    *,
    best: bool = True,
    normalization: Normalization = "brightness",
    wavelength: np.ndarray | None = None,
    uncertainty: float | np.ndarray = 0.0,
    keys: np.ndarray | None = None,
) -> MonteCarlo:
    """Unmix with random combinations of spectra (the rules of EMIT's SpectralUnmixing; Ochoa et al., RSE 2025).

    In every draw, noise is added to the pixel, and ``min ||y - S x||^2`` subject to ``0 <= x <= 1`` is solved for the
    draw's combinations, of which the one of lowest cost is kept. Coefficients divided by their sum are fractions, a
    class has the sum of its spectra's. The result is the mean over the draws, or the draw of lowest cost.

    Where that code departs from its own description, this follows the description: the pixel is divided by its
    brightness like the library; the noise is normal with the given standard deviation and drawn for every pixel (not
    uniform, and the same everywhere); draws are compared by cost in all modes; a draw whose sum is zero is left out.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``. Non-finite values are missing: the pixel is solved on its other bands.
    E : numpy.ndarray
        Library ``(bands, spectra)``, finite, same units.
    classes : sequence of str
        Class of each spectrum.
    draws : numpy.ndarray
        From `draw_combinations`.
    best : bool
        Keep the draw of lowest cost; else the mean.
    normalization : {"none", "brightness"} or float
        What spectra and pixels are divided by: nothing; their root mean square outside 1300-1500 and 1800-2000 nm;
        or twice their value at the band nearest to this wavelength, nm.
    wavelength : numpy.ndarray, optional
        ``(bands,)`` nm, needed to normalise.
    uncertainty : float or numpy.ndarray
        Standard deviation of the noise, units of the data, one or ``(bands,)``.
    keys : numpy.ndarray, optional
        ``(pixels,)`` from `pixel_keys`; None: pixels numbered in order, seed 0.

    Returns
    -------
    MonteCarlo
        Fractions, their standard deviation, gain, rmse.

    Raises
    ------
    ConfigError
        Shapes do not fit, a value is not finite, a spectrum has no class or no brightness, or the wavelengths that
        normalization needs are missing.
    """
    Y = np.asarray(Y)
    library = classed(E, classes)
    model = monte_carlo_model(
        library, draws, best=best, normalization=normalization, wavelength=wavelength, uncertainty=uncertainty
    )
    if keys is None:
        keys = pixel_keys(np.zeros(len(Y), np.int64), np.arange(len(Y)), 0)
    F, std = (np.empty((len(Y), len(library.names))) for _ in range(2))
    gain, rmse = np.empty(len(Y)), np.empty(len(Y))
    for where, block in checked_pixels(Y, library):
        found, spread, gain[where], rmse[where] = monte_carlo_block(block, model, keys[where])
        F[where], std[where] = found.T, spread.T
    return MonteCarlo(F, std, gain, rmse)

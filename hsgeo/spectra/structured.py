"""Noise with a structure, in the window of a kernel: bands that are noisier than others, and offsets of columns."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["column_offsets", "weights_of"]

# Of the median: white noise is estimated within 5 % on scenes of a few thousand pixels, and must stay white
_CLEARLY = 1.25
# Of the size of the data, root mean square: what endmembers leave unexplained in real scenes. Where noise is below it,
# weights make no estimate more certain, and only change which fit is meant.
_UNEXPLAINED = 0.1
_TURN = 4  # how sharply the one gives way to the other; the theory of independent errors, 2, harms clean scenes

_STRIPS = 4  # parts of the rows: an offset of a column is the same in all, an edge of the scene is not
_NEAR = 3  # columns to either side that tell what a column should look like
_FEWEST = 8  # rows of a strip, and columns, below which nothing can be told
_FLAT = 1.5  # units of the noise: rows whose sides differ by more count little; the noise alone makes 0.8
_ROWS = 6  # flat rows that the typical column needs: with fewer there is nothing to agree on
_CLIP = 1.5  # units of the noise (Huber, 1964): what a row may say, so that edges of the scene are outvoted
_SURE = 2.0  # standard errors of the agreement of the strips
_MORE = 3.0  # times the agreement across rows: structure of the scene runs in both directions, stripes in one
_LEAST = 0.25  # units of the noise: smaller offsets are none
_STEPS = 4  # of the robust mean
_ROUNDS = 3  # each takes the columns' own offsets out of their neighbours'


def weights_of(noise: np.ndarray, *, size: float = 0.0) -> np.ndarray:
    """Weigh bands by their noise, as far as it is clearly above that of the others.

    Multiplied to data, endmembers and noise alike, the weights turn a least-squares fit into a generalised one (Aitken,
    1936) that listens less to loud bands. Bands at most a quarter noisier than the median keep their weight, so that
    white noise changes nothing; noise small beside what no mixture explains changes little, so that a clean scene is
    fitted as its convention says.

    Parameters
    ----------
    noise : numpy.ndarray
        Standard deviation of every band ``(bands,)``, above 0, units of the data.
    size : float
        Root mean square of the data, the same units; 0: noise is all that the fit leaves over.

    Returns
    -------
    numpy.ndarray
        ``(bands,)`` float64, 0 < w <= 1; exactly 1 where a band is not clearly noisier.

    Raises
    ------
    ConfigError
        The noise is no vector of numbers above 0, or the size is negative.
    """
    noise = np.asarray(noise, np.float64)
    fine = noise.ndim == 1 and noise.size and np.isfinite(noise).all() and (noise > 0).all()
    if not fine or not (np.isfinite(size) and size >= 0):
        raise ConfigError(
            f"noise of shape {noise.shape} from {noise.min() if noise.size else 'nothing'}, size {size}",
            "one finite number above 0 for every band, and a size of at least 0",
            "Estimate it with hsgeo.spectra.calibrated.calibrated_noise",
        )
    usual, floor = _CLEARLY * float(np.median(noise)), _UNEXPLAINED * size
    weights = ((usual**_TURN + floor**_TURN) / (noise**_TURN + floor**_TURN)) ** (1 / _TURN)
    return np.where(noise <= usual, 1.0, weights)


def column_offsets(C: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Estimate what is added to whole columns of a window, as the detectors of a push-broom sensor add it.

    A column is compared with its neighbours, row by row and robustly, in four strips of rows. What the strips agree on,
    more than the rows of the window agree on across it, is an offset of the column, shrunk by the share of its
    variance that is not noise. Rows count where the scene is flat. Channels go together: offsets of bands are seen in
    all of them, and where some are taken out and others left the abundances get worse, by up to a tenth. If one channel
    has too little flat ground to tell, nothing is taken out.

    Parameters
    ----------
    C : numpy.ndarray
        ``(rows, cols, channels)``, coordinates in units of the noise. Turn rows and columns for sensors whose lines run
        the other way.
    valid : numpy.ndarray
        ``(rows, cols)`` bool; pixels with a value that is not finite do not count either.

    Returns
    -------
    numpy.ndarray
        ``(cols, channels)`` float64, to be taken from the data; exactly 0 where no offset stands out of the noise
        and the scene, in columns with too little data, and in the first and the last, which have one neighbour.

    Raises
    ------
    ConfigError
        Shapes do not fit.
    """
    C = np.asarray(C)
    if C.ndim != 3 or np.shape(valid) != C.shape[:2]:
        raise ConfigError(
            f"coordinates {C.shape}, valid pixels {np.shape(valid)}", "(rows, cols, channels) and (rows, cols)"
        )
    rows, cols, channels = C.shape
    out = np.zeros((cols, channels))
    if min(rows, cols) < _STRIPS * _FEWEST:
        return out
    there = np.asarray(valid, bool) & np.isfinite(C).all(axis=2)
    images = [np.where(there, C[..., channel], np.nan).astype(np.float64) for channel in range(channels)]
    powers = [_power(X) for X in images]
    if all(power is not None for power in powers):
        for channel, (X, power) in enumerate(zip(images, powers, strict=True)):
            if power:
                out[:, channel] = _offsets(X, power)
    return out


def _power(X: np.ndarray) -> float | None:
    """Tell the variance of the offsets in one channel ``(rows, cols)``: 0 for none, None if it cannot be told."""
    G, n = _profiles(X)
    if np.median(n.sum(axis=0)) < _ROWS:
        return None
    power, error = _agreement(G, n)
    if power + _SURE * error <= _LEAST**2:
        return 0.0
    across, across_error = _agreement(*_profiles(X.T))
    real = power - max(across, 0.0)
    found = power > _SURE * error and power > _MORE * (max(across, 0.0) + across_error) and real > _LEAST**2
    return real if found else None


def _offsets(X: np.ndarray, real: float) -> np.ndarray:
    """Estimate offsets of variance ``real`` of the columns of one channel ``(rows, cols)`` with NaN: ``(cols,)``."""
    found = np.zeros(X.shape[1])
    for _ in range(_ROUNDS):
        G, n = _profiles(X - found)
        rows = n.sum(axis=0)
        whole = (G * n).sum(axis=0) / np.maximum(rows, 1)
        # strips differ by more than the noise where the scene shows through
        spare = float(np.maximum((n > 0).sum(axis=0) - 1, 0).sum())
        excess = max(float((n * (G - whole) ** 2).sum()) / max(spare, 1.0), 1.0)
        # what is found already was shrunk, too: the prior is about the sum
        found = (found + whole) * (real / (real + excess / np.maximum(rows, 1e-9)))
    return np.asarray(found)


def _profiles(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell by how much columns ``(rows, cols)`` differ from their neighbours, where the scene is flat.

    Returns ``(strips, cols)`` differences, and by how many rows each is told (0: by too few).
    """
    there = np.isfinite(X)
    filled = np.where(there, X, 0)
    sides = np.zeros((2, 2, *X.shape))  # left and right: sum, count
    for shift in range(1, _NEAR + 1):
        for kind, values in enumerate((filled, there)):
            sides[0, kind, :, shift:] += values[:, :-shift]
            sides[1, kind, :, :-shift] += values[:, shift:]
    left, right = sides[:, 0] / np.maximum(sides[:, 1], 1)
    both = there & (sides[0, 1] > 0) & (sides[1, 1] > 0)
    differ = np.where(both, filled - (left + right) / 2, 0)
    flat = np.where(both, 1 / (1 + ((left - right) / _FLAT) ** 2) ** 2, 0)
    shape = (_STRIPS, X.shape[1])
    G, n = np.zeros(shape), np.zeros(shape)
    for strip, (D, W) in enumerate(zip(np.array_split(differ, _STRIPS), np.array_split(flat, _STRIPS), strict=True)):
        for _ in range(_STEPS):
            H = W * np.minimum(1, _CLIP / np.maximum(np.abs(D - G[strip]), _CLIP))
            total = H.sum(axis=0)
            G[strip] = np.where(total > 0, (H * D).sum(axis=0) / np.where(total > 0, total, 1), 0)
        n[strip] = total**2 / np.maximum((H * H).sum(axis=0), 1e-300)
        # rows that only agree because a few are flat: what their weights add up to is no more than they are
        n[strip] = np.minimum(n[strip], total)
    n[n < _FEWEST / 2] = 0
    return np.where(n > 0, G, 0), n


def _agreement(G: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Tell the power that strips have in common, and its standard error over columns."""
    one, other = np.triu_indices(_STRIPS, 1)
    weight = np.minimum(n[one], n[other])
    told = weight.sum(axis=0)
    if (told > 0).sum() < _FEWEST:
        return 0.0, np.inf
    each = (weight * G[one] * G[other]).sum(axis=0) / np.maximum(told, 1e-300)
    mean = float((told * each).sum() / told.sum())
    spread = float(np.sqrt((told**2 * (each - mean) ** 2).sum()) / told.sum())
    return mean, max(spread, float(np.finfo(np.float64).tiny))

"""The stage ``archetypes``, the default way to find endmembers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from hsgeo.plugin import FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo.spectra.noise import noise_floor
from hsgeo.spectra.solvers import mixing_model, solve_block
from hsgeo.spectra.subspace import principal_subspace
from hsgeo_classical.config import ArchetypesOptions
from hsgeo_classical.count import count_endmembers
from hsgeo_classical.entropic import entropic_archetypes
from hsgeo_classical.purest import affine_coordinates, largest_simplex
from hsgeo_classical.sample import Pixels, keyed_normal, keyed_order, pixels_of, state_of
from hsgeo_classical.vertices import Vertices, lengths, refine

__all__ = ["Archetypes", "extract_archetypes"]

_DRAWN = 2000  # pixels of the core set drawn at random: more change the archetypes by less than restarts do
_DIRECTIONS = 150  # and the 4 farthest pixels along each of these, twice: so that no rare corner is missed
_FARTHEST = 4
_DARK = 5.0  # pixels whose norm is below this many noise norms have no direction worth the name
_SPREAD = 3.0  # restarts step with factors 2^-3 ... 2^3, as published
_LINEAR = 1.2  # mean squared residual per dimension, in noise variances, up to which the linear model is exact
_FIT_SLACK = 1.05  # restarts within 5 % of the best fit are alike in fit; the least correlated one is taken
_MARGIN = 2  # dimensions kept beyond the count: room for variability, little for noise


class Extraction(NamedTuple):
    """Endmembers and how they were found.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``, in the units of the data, or highest band 1.
    rule : str
        ``"linear"`` (a simplex explains the pixels to the noise) or ``"archetypes"``.
    noise : float
        White noise estimated, units of the data.
    """

    E: np.ndarray
    rule: str
    noise: float


class Archetypes:
    """Find endmembers by entropic archetypal analysis with restarts, robust vertices and a scale rule.

    Parameters
    ----------
    options : ArchetypesOptions
        Count, scale, restarts.
    """

    def __init__(self, options: ArchetypesOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for nothing on tiles: this stage only fits."""
        return Needs()

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``endmembers (endmember, band)``."""
        return {"endmembers": VarSpec(("endmember", "band"), scope="scene", attrs={"scale": self.options.scale})}

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for 100,000 screened pixels."""
        # float64 chunks and the core set with all restarts (float32: 24 restarts x 3200 pixels x 3 arrays x 10)
        fixed = 64 * 2**20 + self.options.restarts * 3200 * 64 * 4 * 4
        return FitNeeds("pixels", 100_000, memory=Memory(fixed=fixed, per_pixel=12 * layout.bands))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Find the endmembers of a sample; see `extract_archetypes`."""
        options = self.options
        wanted = None if options.count == "auto" else options.count
        pixels = pixels_of(sample, wanted)
        found = extract_archetypes(
            pixels,
            wanted,
            restarts=options.restarts,
            scale=options.scale,
            quantile=options.quantile,
            seed=int(ctx.rng().integers(2**31)),
        )
        return state_of(found.E, sample, scale=options.scale, rule=found.rule, noise=found.noise)

    def setup(self, state: xr.Dataset, device: str) -> None:
        """Nothing to do on tiles."""
        return


def extract_archetypes(
    pixels: Pixels,
    count: int | None,
    *,
    restarts: int = 24,
    scale: str = "physical",
    quantile: float = 0.5,
    seed: int = 0,
) -> Extraction:
    """Find the endmembers of pixels.

    1. Project on the strongest ``count + 2`` directions of the pixels' spectral directions (which takes the noise
       with it), and keep a core set: pixels drawn by position, and the farthest ones along many directions.
    2. Hypotheses: archetypes of the directions from many starts (`entropic_archetypes`; they ignore brightness, so
       shade makes no endmember), and largest simplexes of the pixels themselves (`largest_simplex`).
    3. Each is moved to robust vertices (`refine`).
    4. Where a hypothesis explains the pixels to the noise, the scene is linear and the best of those wins. Else, of
       the archetypes within 5 % of the best fit, the ones least alike win (science: for real scenes the correlation
       tells good from bad, the residual does not).
    5. Lengths by the scale rule.

    Parameters
    ----------
    pixels : Pixels
        From `pixels_of`.
    count : int or None
        Endmembers; None: counted by `count_endmembers`.
    restarts : int
        Starts of the archetypal analysis.
    scale : {"physical", "peak"}
        Length of the endmembers.
    quantile : float
        Quantile of the physical rule.
    seed : int
        All randomness is drawn from it, and tied to pixel positions.

    Returns
    -------
    Extraction
        The endmembers.
    """
    Y, key = pixels
    bands = Y.shape[0]
    noise = noise_floor(Y.T)
    norm = np.linalg.norm(Y, axis=0).astype(np.float64)
    dark = _DARK * noise * np.sqrt(bands)
    directions = Y / np.sqrt(norm**2 + dark**2 + np.finfo(np.float64).tiny).astype(np.float32)
    if count is None:
        count = count_endmembers(Y, directions)
    basis = principal_subspace(directions.T, min(count + _MARGIN, bands)).basis
    X = basis.T @ Y
    if count == 1:
        mean = X.mean(axis=1)
        e = (mean / np.linalg.norm(mean))[:, None]
        E = basis @ (e * np.quantile(e.T @ X, quantile))
        return Extraction(_scaled(E, scale), "linear", noise)
    rng = np.random.default_rng(seed)
    core = _core_set(X, key, rng.standard_normal((_DIRECTIONS, bands)) @ basis, dark, seed)
    length = np.maximum(np.linalg.norm(X[:, core], axis=0), np.finfo(np.float64).tiny)
    D = X[:, core] / length

    start = np.stack([0.1 * keyed_normal(key[core], seed + 1 + r, count).T for r in range(restarts)])
    step = 2.0 ** np.linspace(-_SPREAD, _SPREAD, restarts) if restarts > 1 else np.ones(1)
    hypotheses = list(entropic_archetypes(D, start, step).E.astype(np.float64))
    archetypes = len(hypotheses)
    Z, affine = affine_coordinates(Y, count)
    for corners in _simplexes(Z[:, core], affine, rng, restarts):
        hypotheses.append(X[:, core][:, corners])

    refined = [refine(X, E, noise) for E in hypotheses]
    best, rule = _choose(X[:, core], D, refined, archetypes, noise)
    E = basis @ (best.E * lengths(X, best, quantile))
    return Extraction(_scaled(E, scale), rule, noise)


def _core_set(X: np.ndarray, key: np.ndarray, along: np.ndarray, dark: float, seed: int) -> np.ndarray:
    norm = np.linalg.norm(X, axis=0)
    lit = np.flatnonzero(norm > dark)
    if lit.size < X.shape[1] // 2:  # a scene of dark pixels: all of them are what there is
        lit = np.arange(X.shape[1])
    chosen = [lit[keyed_order(key[lit], seed)[:_DRAWN]]]
    far = min(_FARTHEST, lit.size)
    unit = X[:, lit] / np.maximum(norm[lit], np.finfo(np.float64).tiny)
    centred = X[:, lit] - X[:, lit].mean(axis=1, keepdims=True)
    for values in (unit, centred):
        for g in along:
            chosen.append(lit[np.argpartition(-(g @ values), far - 1)[:far]])
    return np.unique(np.concatenate(chosen))


def _simplexes(Z: np.ndarray, basis: np.ndarray, rng: np.random.Generator, restarts: int) -> list[np.ndarray]:
    found: dict[tuple[int, ...], np.ndarray] = {}
    for _ in range(restarts):
        # drawn over the bands: the signs of eigenvectors, which may flip between samples, must not matter
        along = rng.standard_normal((Z.shape[0], basis.shape[0])) @ basis
        corners = largest_simplex(Z, np.array([int((g @ Z[:-1]).argmax()) for g in along]))
        found.setdefault(tuple(sorted(corners.tolist())), corners)
    return list(found.values())


def _choose(
    X: np.ndarray, D: np.ndarray, refined: list[Vertices], archetypes: int, noise: float
) -> tuple[Vertices, str]:
    residual = np.array([_mean_square(X, v.E, "nnls") for v in refined])
    if noise > 0 and residual.min() <= _LINEAR * X.shape[0] * noise**2:
        return refined[int(residual.argmin())], "linear"
    arc = np.array([_mean_square(D, v.E, "fcls") for v in refined[:archetypes]]) ** 0.5
    alike = np.array([_largest_cosine(v.E) for v in refined[:archetypes]])
    good = np.flatnonzero(arc <= _FIT_SLACK * arc.min())
    return refined[int(good[alike[good].argmin()])], "archetypes"


def _mean_square(X: np.ndarray, E: np.ndarray, constraint: Any) -> float:
    rmse = solve_block(X.astype(np.float32), mixing_model(E, constraint))[1].astype(np.float64)
    return float(np.mean(rmse**2) * X.shape[0])


def _largest_cosine(E: np.ndarray) -> float:
    cosine = E.T @ E
    np.fill_diagonal(cosine, -1)
    return float(cosine.max())


def _scaled(E: np.ndarray, scale: str) -> np.ndarray:
    return E / np.abs(E).max(axis=0) if scale == "peak" else E

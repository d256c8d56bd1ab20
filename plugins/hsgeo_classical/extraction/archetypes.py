"""The stage ``archetypes``, the default way to find endmembers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from hsgeo.plugin import FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo.spectra.metrics import match
from hsgeo.spectra.noise import noise_floor, noise_std
from hsgeo.spectra.solvers import mixing_model, solve_block
from hsgeo.spectra.subspace import principal_subspace
from hsgeo_classical.config import ArchetypesOptions
from hsgeo_classical.counting.auto import count_endmembers
from hsgeo_classical.extraction.entropic import Archetypes as Found
from hsgeo_classical.extraction.entropic import entropic_archetypes
from hsgeo_classical.extraction.purest import affine_coordinates, largest_simplex
from hsgeo_classical.extraction.vertices import (
    Vertices,
    gather,
    lengths,
    refine_corners,
    refine_directions,
    soft_length,
    unit,
)
from hsgeo_classical.sample import Pixels, keyed_normal, keyed_order, pixels_of, state_of

__all__ = ["Archetypes", "extract_archetypes"]

_DRAWN = 2000  # pixels of the core set drawn at random: more change the archetypes by less than restarts do
_DIRECTIONS = 150  # and the 4 farthest pixels along each of these, twice: so that no rare corner is missed
_FARTHEST = 4
_DARK = 5.0  # noise norms below which a pixel has no direction worth the name, and
_SHADED = 0.1  # of the median norm: what is darker (water, deep shade) is rather one material than many directions
_SPREAD = 3.0  # restarts step with factors 2^-3 ... 2^3, as published
_LINEAR = 1.2  # mean squared residual per dimension, in noise variances, up to which the linear model is exact
_TRIM = 0.15  # pixels a linear scene may hold that it does not explain: thin cloud that passed the screen
_AROUND = 20_000  # pixels among which company is looked for
_COMPANY, _COMPANY_SHARE = 5, 1e-3  # as many neighbours, or as large a share, make a pixel one of a material
_COMPANY_REACH = 1.5  # noise norms: two pixels of one material are 1.4 apart on average
_ROUNDING = 1e-12  # noise variance below float32's rounding of the data cannot be asked for
_FIT_SLACK = 1.03  # restarts this close to the best fit are alike in fit; 5 % is published, for fewer restarts than 64
_KIN = 0.15  # radians; restarts whose endmembers all lie this close are the same solution
_ALIKE = 0.05  # difference in largest correlation that sets two restarts apart
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
        Noise of one coordinate of the subspace, units of the data.
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
        # float64 chunks; the core set of all restarts: restarts x 3200 pixels x up to 64 endmembers, 4 arrays
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
    restarts: int = 64,
    scale: str = "physical",
    quantile: float = 0.5,
    seed: int = 0,
) -> Extraction:
    """Find the endmembers of pixels.

    1. Project on the strongest ``count + 2`` directions of the pixels' spectral directions (which takes the noise
       with it), and keep a core set: pixels drawn by position, and the farthest ones along many directions.
    2. Take the largest simplexes of the pixels themselves (`largest_simplex`), corners moved to the middle of the
       pixels noise cannot tell from them (`refine_corners`). Where one explains the pixels to the noise, the scene
       is linear with pure pixels, and the best of those is the answer.
    3. Else real materials vary, and shade them: archetypes of the soft directions (`soft_length`) from many starts
       (`entropic_archetypes`; blind to brightness, so shade makes no endmember, and water only one). Of those within
       3 % of the best fit the least alike win (on real scenes their correlation tells good from bad, the residual
       does not). They are moved to robust vertices (`refine_directions`), averaged with the restarts that found
       nearly the same, and get their lengths by the scale rule (`lengths`).

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
    dark = max(_DARK * noise * np.sqrt(bands), _SHADED * float(np.median(norm)))
    directions = Y / soft_length(Y, dark).astype(np.float32)
    if count is None:
        count = count_endmembers(Y, directions)
    basis = principal_subspace(directions.T, min(count + _MARGIN, bands)).basis
    X = basis.T @ Y
    # bands may differ in noise, and the floor of the eigenvalues is that of the quiet ones
    within = max(noise, float(np.sqrt(np.mean((noise_std(Y.T)[:, None] * basis) ** 2) * bands)))
    if count == 1:
        mean = X.mean(axis=1)
        e = (mean / np.linalg.norm(mean))[:, None]
        E = basis @ (e * np.quantile(e.T @ X, quantile))
        return Extraction(_scaled(E, scale), "linear", noise)
    rng = np.random.default_rng(seed)
    along = rng.standard_normal((_DIRECTIONS, bands)) @ basis
    core = _core_set(X, key, along, seed)
    dense = core[_dense(X, X[:, core], keyed_order(key, seed + 1)[:_AROUND], within)]
    corners = _largest_simplexes(X, Y, dense if dense.size >= 2 * count else core, count, rng, restarts, within)
    residual = [_mean_square(X[:, core], C) for C in corners]
    if min(residual) <= _LINEAR * max(within**2, _ROUNDING * float(np.mean(X**2))):
        return Extraction(_scaled(basis @ corners[int(np.argmin(residual))], scale), "linear", within)

    length = soft_length(X, dark)
    core = _core_set(X / length, key, along, seed)
    start = np.stack([0.1 * keyed_normal(key[core], seed + 1 + r, count).T for r in range(restarts)])
    step = 2.0 ** np.linspace(-_SPREAD, _SPREAD, restarts) if restarts > 1 else np.ones(1)
    found = entropic_archetypes(X[:, core] / length[core], start, step)
    vertices = _consensus(X, length, basis, found, noise)
    E = basis @ (unit(vertices.E) * lengths(X, vertices, quantile))
    return Extraction(_scaled(E, scale), "archetypes", noise)


def _core_set(X: np.ndarray, key: np.ndarray, along: np.ndarray, seed: int) -> np.ndarray:
    """Choose pixels by position, and the farthest ones: without one pixel, the others are chosen as before."""
    centred = X - X.mean(axis=1, keepdims=True)
    far = min(_FARTHEST, X.shape[1])
    farthest = [np.argpartition(-(g @ centred), far - 1)[:far] for g in along]
    return np.unique(np.concatenate([keyed_order(key, seed)[:_DRAWN], *farthest]))


def _dense(X: np.ndarray, points: np.ndarray, around: np.ndarray, noise: float) -> np.ndarray:
    """Tell which points have company within the noise: pure materials do, haze, glint and faults do not."""
    others = X[:, around].astype(np.float32)
    reach = (_COMPANY_REACH * noise) ** 2 * X.shape[0]
    least = max(_COMPANY, _COMPANY_SHARE * around.size)
    squares = np.einsum("dn,dn->n", others, others)
    mask = np.zeros(points.shape[1], bool)
    for start in range(0, points.shape[1], 256):  # 256 x 20,000 distances at a time: 20 MB
        P = points[:, start : start + 256].astype(np.float32)
        distance = squares - 2 * (P.T @ others) + np.einsum("dn,dn->n", P, P)[:, None]
        mask[start : start + 256] = (distance <= reach).sum(axis=1) >= least
    return mask


def _consensus(X: np.ndarray, length: np.ndarray, basis: np.ndarray, found: Found, noise: float) -> Vertices:
    """Refine the restarts alike in fit, take the one with the least similar archetypes, and average its kin.

    The average, weighted by how close a restart is to the chosen one in fit and similarity, moves smoothly with the
    sample; the choice of one restart does not.
    """
    ratio = found.fit / found.fit.min()
    good = np.flatnonzero(ratio <= _FIT_SLACK)
    alike = np.array([_largest_correlation(basis @ found.E[r].astype(np.float64)) for r in good])
    order = np.argsort(alike, kind="stable")
    good, alike = good[order], alike[order]
    refined = [refine_directions(X, length, found.E[r].astype(np.float64), noise) for r in good]
    chosen = refined[0].E
    total, weights = np.zeros_like(chosen), 0.0
    for r, similar, other in zip(good, alike, refined, strict=True):
        paired = match(other.E, chosen)
        if paired.cost.max() <= _KIN:
            excess = (similar - alike[0]) / _ALIKE + (ratio[r] - 1) / (_FIT_SLACK - 1)
            weight = float(np.exp(-excess) * (1 - (paired.cost.max() / _KIN) ** 2))
            total, weights = total + weight * other.E[:, paired.order], weights + weight
    return gather(X, length, total / weights, noise)


def _largest_correlation(E: np.ndarray) -> float:
    """Largest correlation over the bands between two spectra; a flat one correlates with none."""
    centred = E - E.mean(axis=0)
    direction = unit(centred)
    correlation = direction.T @ direction
    np.fill_diagonal(correlation, -1)
    return float(correlation.max())


def _largest_simplexes(
    X: np.ndarray, Y: np.ndarray, core: np.ndarray, count: int, rng: np.random.Generator, restarts: int, noise: float
) -> list[np.ndarray]:
    Z, basis = affine_coordinates(Y, count)
    Z = Z[:, core]
    found: dict[tuple[int, ...], np.ndarray] = {}
    for _ in range(restarts):
        # drawn over the bands: the signs of eigenvectors, which may flip between samples, must not matter
        along = rng.standard_normal((count, basis.shape[0])) @ basis
        corners = largest_simplex(Z, np.array([int((g @ Z[:-1]).argmax()) for g in along]))
        found.setdefault(tuple(sorted(corners.tolist())), corners)
    return [refine_corners(X, X[:, core[corners]], noise) for corners in found.values()]


def _mean_square(X: np.ndarray, E: np.ndarray) -> float:
    rmse = solve_block(X.astype(np.float32), mixing_model(E, "fcls"))[1].astype(np.float64)
    return float(np.mean(np.sort(rmse**2)[: int(np.ceil((1 - _TRIM) * rmse.size))]))


def _scaled(E: np.ndarray, scale: str) -> np.ndarray:
    return E / np.abs(E).max(axis=0) if scale == "peak" else E

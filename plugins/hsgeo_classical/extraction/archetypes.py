"""The stage ``archetypes``, the default way to find endmembers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from hsgeo.plugin import FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo.spectra.noise import noise_floor, noise_std
from hsgeo.spectra.subspace import principal_subspace
from hsgeo_classical.config import ArchetypesOptions
from hsgeo_classical.counting.auto import count_endmembers
from hsgeo_classical.extraction.calm import calm
from hsgeo_classical.extraction.linear import Coordinates, linear_corners
from hsgeo_classical.extraction.stage import check_span
from hsgeo_classical.extraction.varied import Start, best_vertices
from hsgeo_classical.extraction.vertices import lengths, soft_length, unit
from hsgeo_classical.sample import Pixels, count_wanted, keyed_order, pixels_of, state_of

__all__ = ["Archetypes", "Extraction", "extract_archetypes"]

_DRAWN = 2000  # pixels of the core set drawn at random: more change the archetypes by less than restarts do
_DIRECTIONS = 150  # and the 4 farthest pixels along each of these, twice: so that no rare corner is missed
_FARTHEST = 4
_DARK = 5.0  # noise norms below which a pixel has no direction worth the name, and
_SHADED = 0.05  # of the median norm: what is darker (deep shade, clear water) is rather one material than many
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
    ensemble : numpy.ndarray
        ``(members, bands, endmembers)``: solutions that explain the pixels as well, the chosen one's rivals, with its
        lengths; one member where the scene is linear.
    """

    E: np.ndarray
    rule: str
    noise: float
    ensemble: np.ndarray


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
        # float64 chunks; the core set of all restarts: restarts x 3200 pixels x up to 64 endmembers, 4 arrays;
        # neighbours of 3200 pixels, up to 320 each, in 66 dimensions
        # thrice the sample: itself, its neighbours' means, and calm
        fixed = 64 * 2**20 + (self.options.restarts + 36) * 3200 * 64 * 4 + 3200 * 320 * 66 * 8
        return FitNeeds("pixels", 100_000, memory=Memory(fixed=fixed, per_pixel=20 * layout.bands))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Find the endmembers of a sample; see `extract_archetypes`."""
        options = self.options
        wanted = count_wanted(options.count, sample)
        pixels = pixels_of(sample, wanted)
        found = extract_archetypes(
            pixels,
            wanted,
            restarts=options.restarts,
            scale=options.scale,
            quantile=options.quantile,
            seed=int(ctx.rng().integers(2**31)),
        )
        state = state_of(found.E, sample, scale=options.scale, rule=found.rule, noise=found.noise)
        members = np.ascontiguousarray(found.ensemble.transpose(0, 2, 1), dtype=np.float32)
        return state.assign(ensemble=(("member", "endmember", "band"), members))

    def setup(self, state: xr.Dataset, device: str) -> None:
        """Nothing to do on tiles."""
        return


def extract_archetypes(
    pixels: Pixels,
    count: int | None,
    *,
    restarts: int = 128,
    scale: str = "physical",
    quantile: float = 0.5,
    seed: int = 0,
) -> Extraction:
    """Find the endmembers of pixels.

    Below 12.5 dB pixels are first freed of noise by their neighbours (`calm`). Up to 24 dB this is the check on a
    linear answer (2), since noise lets many a simplex explain the pixels: endmembers of the calm pixels replace it
    where they explain these better. Then

    1. Project on the strongest ``count + 2`` directions of the pixels' spectral directions (which takes the noise
       with it), and keep a core set: pixels drawn by position, and the farthest ones along many directions.
    2. Where a simplex explains the pixels to the noise, its corners are the answer (`linear_corners`): pixels, or
       points that no pixel reaches.
    3. Else real materials vary, and shade them: the vertices of the soft directions (`soft_length`; blind to
       brightness, so shade makes no endmember, and water only one), best of many hypotheses (`best_vertices`), get
       their lengths by the scale rule (`lengths`).

    Parameters
    ----------
    pixels : Pixels
        From `pixels_of`.
    count : int or None
        Endmembers; None: counted by `count_endmembers`.
    restarts : int
        Random starts of the archetypal analysis; 0: a quick look, from simplexes alone.
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

    Raises
    ------
    ConfigError
        Fewer than 10 pixels, and no count.
    SceneError
        The pixels span fewer dimensions than ``count`` endmembers need.
    """
    if count is None:
        count = count_endmembers(pixels.Y, _directions(pixels.Y)[0])
    wanted = count

    def search(where: Pixels) -> Extraction:
        return _search(where, wanted, restarts=restarts, scale=scale, quantile=quantile, seed=seed)

    quiet = calm(pixels, count, seed=seed) if count > 1 else None
    if quiet is None:
        return search(pixels)
    if quiet.loud:
        return search(quiet.pixels)
    plain = search(pixels)
    if plain.rule != "linear":
        return plain
    found = search(quiet.pixels)
    return found if quiet.prefers(found.E, plain.E) else plain


def _directions(Y: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return the soft directions of pixels ``(bands, pixels)``, the noise, and the norm below which they are dark."""
    noise = noise_floor(Y.T)
    norm = np.linalg.norm(Y, axis=0).astype(np.float64)
    dark = max(_DARK * noise * np.sqrt(len(Y)), _SHADED * float(np.median(norm)))
    return Y / soft_length(Y, dark).astype(np.float32), noise, dark


def _search(pixels: Pixels, count: int, *, restarts: int, scale: str, quantile: float, seed: int) -> Extraction:
    Y, key = pixels
    bands = Y.shape[0]
    directions, noise, dark = _directions(Y)
    basis = principal_subspace(directions.T, min(count + _MARGIN, bands)).basis
    X = basis.T @ Y
    # bands may differ in noise, and the floor of the eigenvalues is that of the quiet ones
    within = max(noise, float(np.sqrt(np.mean((noise_std(Y.T)[:, None] * basis) ** 2) * bands)))
    if count == 1:
        mean = X.mean(axis=1)
        e = (mean / np.linalg.norm(mean))[:, None]
        return _extraction(basis @ (e * np.quantile(e.T @ X, quantile)), None, "linear", noise, scale)
    check_span(Y, count)
    rng = np.random.default_rng(seed)
    along = rng.standard_normal((_DIRECTIONS, bands)) @ basis
    seen = Coordinates(basis, X, _core_set(X, key, along, seed), within)
    corners = linear_corners(pixels, seen, count, rng, seed=seed + 1)
    if corners is not None:
        return _extraction(corners, None, "linear", within, scale)
    length = soft_length(X, dark)
    start = Start(X, length, basis, key, _core_set(X / length, key, along, seed), noise)
    found = best_vertices(start, count, rng, restarts=restarts, seed=seed)
    long = lengths(X, found.vertices, quantile)
    rivals = np.stack([basis @ (unit(E) * long) for E in found.members])
    return _extraction(basis @ (unit(found.vertices.E) * long), rivals, "archetypes", noise, scale)


def _core_set(X: np.ndarray, key: np.ndarray, along: np.ndarray, seed: int) -> np.ndarray:
    """Choose pixels by position, and the farthest ones: without one pixel, the others are chosen as before."""
    centred = X - X.mean(axis=1, keepdims=True)
    far = min(_FARTHEST, X.shape[1])
    farthest = [np.argpartition(-(g @ centred), far - 1)[:far] for g in along]
    return np.unique(np.concatenate([keyed_order(key, seed)[:_DRAWN], *farthest]))


def _extraction(E: np.ndarray, rivals: np.ndarray | None, rule: str, noise: float, scale: str) -> Extraction:
    rivals = E[None] if rivals is None else rivals
    if scale == "peak":
        E, rivals = E / np.abs(E).max(axis=0), rivals / np.abs(rivals).max(axis=1, keepdims=True)
    return Extraction(E, rule, noise, rivals)

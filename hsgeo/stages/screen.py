"""What a fit must not learn from: saturated, cloudy, glinting, corrupt and non-finite pixels."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.noise import moments
from hsgeo.spectra.subspace import signal_subspace

__all__ = ["screen"]

MISSING = 0.05  # share of bands a pixel may miss: what the product calls partial is solved, more is nodata
PHYSICAL = (-0.2, 1.6)  # reflectance; steep snow after terrain correction reaches 1.3, overcorrected haze -0.1
PILE = 0.5  # of the pixels in the top 2 % of a band's range on one value: an unclipped tail has a few ties at most
TOP = 0.02
PILE_LEAST = 3  # pixels on one value: two are a coincidence in quantised data
CLOUD_FLOOR = 0.30  # visible reflectance nearly nowhere undercut under a cloud; concrete and dry soil stay below
FLAT = 0.20  # spread over the mean, 450-900 nm; clouds 0.02-0.1, plants, soils and rocks 0.3 and more
SNOW_DROP = 0.4  # reflectance at 1600 nm over that at 850 nm: snow below 0.2, clouds 0.5-1
FEATURE = 0.10  # depth of an absorption at 2150-2400 nm: carbonates, clays and gypsum have one, clouds do not
CLOUD_MOST = 0.5  # cloud-like pixels beyond this share are the scene: salt, sand, snow seen without SWIR
CLOUD_MOST_VNIR = 0.3  # the same for sensors without SWIR, to whom snow, salt and carbonates look like clouds
CLOUD_FEWEST = 5  # cloud-like pixels that make a cloud whose thin parts are worth looking for
GLINT_SHARE = 1e-3  # bright flat pixels rarer than this are glints on water or metal, no cloud
THIN = 0.05  # cloud share from which a pixel bends an endmember by more than noise does
HAZE_EXPLAINS = 0.2  # a pixel is haze over known ground when the cloud takes its misfit down to a fifth
CORRUPT = 8.0  # misfit over the median one; spectral variability of real scenes stays within about 5
COMPANY = 3  # pixels with the same misfit that make a rare material of what would be corrupt alone
ALIKE = 0.8  # cosine of two misfits that are the same
_MOST_DIMENSIONS = 12  # of the ground seen clear: more would take in thin cloud itself
_SAMPLE = 20_000  # pixels that tell the subspaces


def screen(
    spectra: np.ndarray,
    wavelength: np.ndarray,
    quantity: str,
    saturation: float | np.ndarray | None = None,
    *,
    faults: bool = True,
) -> tuple[np.ndarray, dict[str, int]]:
    """Choose the pixels a fit may learn from. Applied to fit samples only: tiles are unmixed unscreened.

    In order: pixels that miss more than 5 % of the bands or hold infinities; saturated ones (at the level given,
    beyond physical reflectance, or piled up at a band's maximum); cloud-like ones (bright and flat from 450 to
    900 nm, without the ice bands of snow or the absorptions of bright minerals) and, where there are such, the thin
    cloud over known ground (a clear pixel plus some of that cloud); lone bright flat ones, called glint; corrupt
    ones (far from the scene's subspace, and unlike any other pixel there: a rare material has company). Where more
    than half of the scene is cloud-like (30 % for sensors without SWIR, to whom snow and salt look like clouds), that
    is what the scene is, and it stays (``cloud_kept``). Radiance has no
    absolute scale, so that clouds are told by their brightness relative to the scene's median.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(band, pixel)`` float32, NaN where missing.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    quantity : str
        ``"reflectance"`` or ``"radiance"``.
    saturation : float or numpy.ndarray, optional
        Level from which a value is saturated, one or ``(band,)``, in the units of the data.
    faults : bool
        False: look for nothing but missing values (``scene.screen: false``).

    Returns
    -------
    keep : numpy.ndarray
        ``(pixel,)`` bool.
    report : dict of str to int
        Pixels left out by reason: ``non_finite``, ``saturated``, ``cloud``, ``glint``, ``outlier``; and
        ``cloud_kept``.
    """
    Y = np.asarray(spectra, dtype=np.float32)
    wavelength = np.asarray(wavelength, dtype=np.float64)
    report = dict.fromkeys(("non_finite", "saturated", "cloud", "glint", "outlier", "cloud_kept"), 0)
    keep = (np.isnan(Y).mean(axis=0) <= MISSING) & ~np.isinf(Y).any(axis=0)
    report["non_finite"] = int((~keep).sum())
    if not (faults and keep.any()):
        return keep, report

    def leave_out(mask: np.ndarray, reason: str) -> None:
        nonlocal keep
        mask = mask & keep
        if mask.sum() < keep.sum():  # never everything: the fit itself says better what is wrong then
            report[reason] += int(mask.sum())
            keep = keep & ~mask

    leave_out(_saturated(Y, keep, quantity, saturation), "saturated")
    cloud = _cloud_like(Y, wavelength, quantity, keep) & keep
    share = cloud.sum() / keep.sum()
    if share > (CLOUD_MOST if (wavelength > 1550).any() else CLOUD_MOST_VNIR):
        report["cloud_kept"] = int(cloud.sum())
    elif cloud.sum() < max(CLOUD_FEWEST, GLINT_SHARE * keep.sum()):
        leave_out(cloud, "glint")
    else:
        thin = _thin_cloud(Y, keep, cloud)
        leave_out(cloud, "cloud")
        leave_out(thin, "cloud")
    leave_out(_corrupt(Y, keep), "outlier")
    return keep, report


def _saturated(Y: np.ndarray, keep: np.ndarray, quantity: str, saturation: float | np.ndarray | None) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        mask = np.zeros(Y.shape[1], bool)
        if saturation is not None:
            level = np.broadcast_to(np.asarray(saturation, np.float32), (Y.shape[0],))
            mask |= np.greater_equal(Y, level[:, None]).any(axis=0)
        if quantity == "reflectance":
            mask |= np.any(np.less(Y, PHYSICAL[0]) | np.greater(Y, PHYSICAL[1]), axis=0)
        free = keep & ~mask
        if not free.any():
            return mask
        highest = np.fmax.reduce(Y[:, free], axis=1)
        for y in Y:
            here = y[free]
            high = np.nanmax(here) if np.isfinite(here).any() else np.nan
            low = np.nanmin(here) if np.isfinite(here).any() else np.nan
            if not high > low:
                continue
            piled = int((here == high).sum())
            near = int((here >= high - TOP * (high - low)).sum())
            # a legitimate ceiling (a mosaic of one material) would hold half of the scene
            if PILE_LEAST <= piled <= CLOUD_MOST * here.size and piled >= PILE * near:
                pile = np.flatnonzero(free & (y == high))
                copies = not (Y[:, pile] != Y[:, pile[:1]]).any()
                # one spectrum again and again is no ceiling, unless it is the highest in every band
                if not copies or (Y[:, pile[0]] >= highest).all():
                    mask[pile] = True
    return mask


def _mean(Y: np.ndarray, wavelength: np.ndarray, low: float, high: float) -> np.ndarray | None:
    inside = (wavelength >= low) & (wavelength <= high)
    if not inside.any():
        return None
    # sums, not nanmean: pixels without any value give NaN, not a warning
    some = np.isfinite(Y[inside])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(some, Y[inside], 0).sum(axis=0) / some.sum(axis=0))


def _cloud_like(Y: np.ndarray, wavelength: np.ndarray, quantity: str, keep: np.ndarray) -> np.ndarray:
    windows = [_mean(Y, wavelength, low, low + 50) for low in range(450, 900, 50)]
    seen = [w for w in windows if w is not None]
    visible = [w for w in windows[:5] if w is not None]
    if len(seen) < 3 or not visible:  # no VNIR: clouds cannot be told
        return np.zeros(Y.shape[1], bool)
    stack = np.stack(seen)
    if quantity != "reflectance":  # relative to the sun's spectrum, for which the scene's median stands in
        stack = stack / np.maximum(np.nanmedian(stack[:, keep], axis=1, keepdims=True), np.finfo(np.float32).tiny)
        floor_needed = 2.5  # times the median: clouds are 0.6-0.9 where land is 0.1-0.25
    else:
        floor_needed = CLOUD_FLOOR
    floor = stack[: len(visible)].min(axis=0)
    mean = stack.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mask = (floor >= floor_needed) & (stack.std(axis=0) <= FLAT * mean)
        if quantity == "reflectance":
            near, short = _mean(Y, wavelength, 800, 900), _mean(Y, wavelength, 1550, 1700)
            if near is not None and short is not None:
                mask &= ~(short < SNOW_DROP * near)
            mask &= ~(_feature_depth(Y, wavelength) > FEATURE)
    return np.asarray(mask)


def _feature_depth(Y: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Depth of the deepest absorption at 2150-2400 nm below the line between its shoulders."""
    left, right = _mean(Y, wavelength, 2080, 2130), _mean(Y, wavelength, 2250, 2290)
    depth = np.zeros(Y.shape[1])
    if left is None or right is None:
        return depth
    # Al-OH stands between both shoulders; carbonate and Mg-OH have their left one alone before 2450 nm
    absorptions: list[tuple[int, int, np.ndarray]] = [(2190, 2230, (left + right) / 2), (2300, 2360, right)]
    with np.errstate(invalid="ignore", divide="ignore"):
        for start, stop, shoulder in absorptions:
            for low in range(start, stop, 10):
                inside = _mean(Y, wavelength, low, low + 10)
                if inside is not None:
                    deep = 1 - inside / shoulder
                    depth = np.where(deep > depth, deep, depth)
    return depth


def _thin_cloud(Y: np.ndarray, keep: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Find pixels that are known ground plus some of this scene's cloud."""
    out = np.zeros(Y.shape[1], bool)
    complete = keep & np.isfinite(Y).all(axis=0)
    thick = np.flatnonzero(cloud & complete)
    if thick.size < CLOUD_FEWEST:
        return out
    c = Y[:, thick].mean(axis=1, dtype=np.float64)
    # the most cloud a pixel can hold: its darkest bands bound it
    bound = np.quantile(Y[:, complete] / c[:, None], 0.05, axis=0)
    rest = np.flatnonzero(complete)[~cloud[complete]]
    bound = bound[~cloud[complete]]
    clear = rest[bound <= max(THIN, float(np.quantile(bound, 0.5)))]
    if clear.size <= 2 * _MOST_DIMENSIONS:
        return out
    clear = clear[:: max(1, clear.size // _SAMPLE)]
    basis = signal_subspace(Y[:, clear].T).basis[:, :_MOST_DIMENSIONS]
    beyond = c - basis @ (basis.T @ c)
    squared = float(beyond @ beyond)
    if squared <= (THIN * float(np.linalg.norm(c))) ** 2:  # the clear ground holds the cloud's colour itself
        return out
    X = Y[:, rest].astype(np.float64)
    X -= basis @ (basis.T @ X)
    share = beyond @ X / squared
    without = np.einsum("bn,bn->n", X, X)
    with_cloud = np.maximum(without - share**2 * squared, 0)
    out[rest] = (share > THIN) & (with_cloud <= HAZE_EXPLAINS**2 * without)
    return out


def _corrupt(Y: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Find pixels far from the subspace of the scene that no other pixel is like."""
    out = np.zeros(Y.shape[1], bool)
    complete = np.flatnonzero(keep & np.isfinite(Y).all(axis=0))
    dimensions = min(_MOST_DIMENSIONS, Y.shape[0] // 2)
    if complete.size < 10 * max(dimensions, 1) or dimensions < 1:
        return out  # too few to say what is usual
    X = Y[:, complete]
    norm = np.linalg.norm(X, axis=0)
    least = np.float32(max(0.1 * float(np.median(norm)), 1e-30))  # dark pixels would be all noise
    X = X / np.where(norm > least, norm, least)
    usual = np.ones(complete.size, bool)
    misfit = np.zeros(complete.size)
    for _ in range(3):  # corrupt pixels bend the subspace they are judged by: leave them out and look again
        _, _, second = moments(X[:, usual][:, :: max(1, int(usual.sum()) // _SAMPLE)].T)
        basis = np.linalg.eigh(second)[1][:, -dimensions:].astype(np.float32)
        rest = X - basis @ (basis.T @ X)
        misfit = np.linalg.norm(rest, axis=0)
        limit = CORRUPT * max(float(np.median(misfit)), 1e-6)
        usual = misfit <= limit
    strange = np.flatnonzero(~usual)
    if not strange.size or strange.size > 0.05 * complete.size:  # more than that is the scene, not an accident
        return out
    strange = strange[np.argsort(-misfit[strange])][:2000]  # the worst; all of them would be a large matrix
    unit = rest[:, strange] / misfit[strange]
    company = ((unit.T @ unit) > ALIKE).sum(axis=1) - 1
    out[complete[strange[company < COMPANY]]] = True
    return out

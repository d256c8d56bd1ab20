"""Which bands are good, and what one look at the sample says about a scene."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo.spectra.absorption import default_good
from hsgeo.spectra.noise import noise_std
from hsgeo.stages.recipe import SceneOptions
from hsgeo.stages.sample import Patch
from hsgeo.stages.screen import screen
from hsgeo.stages.validity import possible

__all__ = ["BEST_SNR", "MISSING", "declared_good", "look", "useful_share"]

MISSING = 0.05  # share of the valid pixels a band may miss (design.md section 3)
BEST_SNR = 500.0  # no imaging spectrometer is better; smoothed and simulated scenes seem to be
NO_REFLECTANCE = 2.0  # median of a scene: fresh snow stays below 1
NOISY = 10.0  # times the median noise that makes a band bad (docs/conventions)


def declared_good(scene: xr.Dataset, options: SceneOptions) -> np.ndarray:
    """Tell which bands are good before any pixel is read.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene.
    options : SceneOptions
        ``bad_bands`` replaces everything else.

    Returns
    -------
    numpy.ndarray
        ``(band,)`` bool: the user's word, else the file's, else the default windows.
    """
    wavelength = scene["wavelength"].values
    if options.bad_bands is not None:
        good = np.ones(wavelength.size, bool)
        for low, high in options.bad_bands:
            good &= ~((wavelength >= low) & (wavelength <= high))
        return good
    if "good" in scene.coords:
        return scene["good"].values.astype(bool)
    return np.asarray(default_good(wavelength), bool)


def look(scene: xr.Dataset, patches: Sequence[Patch], options: SceneOptions) -> xr.Dataset:
    """Look at the sample once: good bands and noise.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene that the patches are from.
    patches : sequence of Patch
        The sample.
    options : SceneOptions
        Band choices.

    Returns
    -------
    xarray.Dataset
        ``good (band)`` bool, ``noise (band)`` (standard deviation in the units of the data, NaN in bad
        bands), with ``band``, ``wavelength``, ``fwhm``; attrs ``noise_level`` and ``signal_level`` (rms of
        ordinary pixels), ``noisy_bands`` and ``lost_bands`` (JSON, nm; missing in too many pixels, not in all),
        ``zero_share`` (pixels that are 0 in every good band), ``quantity`` and ``units``.

    Raises
    ------
    SceneError
        If no band or no pixel can be used.
    """
    good = declared_good(scene, options)
    if not good.any():
        raise SceneError(
            "no band is good", "at least one band", "Give scene.bad_bands, or correct the file's bad band list"
        )
    values = np.concatenate([patch.spectra.reshape(patch.spectra.shape[0], -1) for patch in patches], axis=1)
    quantity = str(scene["spectra"].attrs.get("quantity", "reflectance"))
    _check_scale(values[good], quantity)
    limit = possible(quantity)
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(values) & (np.abs(values) <= limit)
    candidates = finite[good].any(axis=0)
    if not candidates.any():
        raise SceneError(
            "no pixel of the sample has a value in a good band: all nodata",
            "a scene with valid pixels",
            "Look at it with `hsgeo info`, check nodata value and bad bands",
        )
    missing = np.count_nonzero(~finite[:, candidates], axis=1) / candidates.sum()
    # a band that nobody has is dead; one that some pixels have is a loss, of which the user is told
    lost = good & (missing > MISSING) & (missing < 1)
    good = good & (missing <= MISSING)
    if not good.any():
        raise SceneError(
            "every good band misses more than 5 % of the valid pixels",
            "at least one band that is there",
            "Check nodata value and bad bands; scene.bad_bands sets them by hand",
        )
    whole = values[good][:, finite[good].all(axis=0)]
    # a corrupt pixel is an error, not noise: one of them would raise the estimate of every band
    ordinary, _ = screen(whole, scene["wavelength"].values[good], quantity)
    whole = whole[:, ordinary] if ordinary.sum() > 1 else whole
    noise = np.full(good.size, np.nan)
    noise[good] = noise_std(whole.T) if whole.shape[1] > 1 else 0.0
    signal = float(np.sqrt(np.mean(np.square(whole, dtype=np.float64))))
    noisy = np.zeros(good.size, bool)
    if options.bad_bands is None:  # the user's word is final; a file's list often forgets the edges of water vapour
        # resampled and simulated scenes have hardly any noise, and then a ratio of noises says nothing
        noisy = good & (np.nan_to_num(noise) > NOISY * max(float(np.nanmedian(noise)), signal / BEST_SNR))
        good, noise = good & ~noisy, np.where(noisy, np.nan, noise)
    out = xr.Dataset(
        {"good": ("band", good), "noise": ("band", noise)},
        coords={
            "band": scene["band"].values,
            "wavelength": ("band", scene["wavelength"].values.astype(np.float64)),
            "fwhm": ("band", _fwhm(scene)),
        },
    )
    out.attrs = {
        "noise_level": float(np.sqrt(np.nanmean(noise[good] ** 2))),
        "signal_level": signal,
        "zero_share": float((values[good] == 0).all(axis=0).mean()),
        "noisy_bands": json.dumps([round(float(w), 1) for w in scene["wavelength"].values[noisy]])
        if noisy.any()
        else "",
        "lost_bands": json.dumps([round(float(w), 1) for w in scene["wavelength"].values[lost]]) if lost.any() else "",
        "quantity": quantity,
        "units": str(scene["spectra"].attrs.get("units", "unknown")),
    }
    return out


def useful_share(scene: xr.Dataset, patches: Sequence[Patch], options: SceneOptions) -> float:
    """Tell which share of the sampled pixels can be learnt from, as far as one can tell before the bands are known.

    Parameters
    ----------
    scene, patches, options
        As of `look`.

    Returns
    -------
    float
        0 to 1.
    """
    if not options.screen:
        return 1.0
    good = declared_good(scene, options)
    values = np.concatenate([p.spectra[good].reshape(int(good.sum()), -1) for p in patches], axis=1)
    there = np.isfinite(values).mean(axis=1) > 0
    seen = np.isfinite(values[there]).all(axis=0)
    if not (there.any() and seen.any()):
        return 1.0  # nothing to learn from: `look` says so
    quantity = str(scene["spectra"].attrs.get("quantity", "reflectance"))
    keep, _ = screen(values[there][:, seen], scene["wavelength"].values[good][there], quantity)
    return float(keep.sum() / seen.size)


def _check_scale(values: np.ndarray, quantity: str) -> None:
    """Refuse numbers that cannot be reflectance before they give a plausible-looking product."""
    finite = values[np.isfinite(values) & (values != 0)]
    if quantity != "reflectance" or not finite.size:
        return
    median = float(np.median(np.abs(finite)))
    if median > NO_REFLECTANCE:
        raise SceneError(
            f"the spectra have a median of {median:.4g}, which is no reflectance",
            "values mostly between 0 and 1",
            f"Say the scale: standardize(scale={1 / (100 if median < 200 else 10_000):g}), or the reader's scale",
        )


def _fwhm(scene: xr.Dataset) -> np.ndarray:
    if "fwhm" in scene.coords:
        return scene["fwhm"].values.astype(np.float64)
    return np.full(scene.sizes["band"], np.nan)

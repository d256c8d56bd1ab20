"""The sensor's view of an abundance field: mixing with all that makes real scenes differ from ``E A``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.synthetic.effects import NO_EFFECTS, Effects
from hsgeo.synthetic.grf import gaussian_fields

__all__ = ["Observation", "observe"]

_MODES = 3  # structured model error is a sum of so many products of a map and a spectrum
_RAYLEIGH = 2.0  # path reflectance falls with this power of wavelength: between molecules (4) and haze (1)


@dataclass(frozen=True)
class Observation:
    """What a sensor saw, and what it would have seen without fault.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(band, y, x)`` float32, with noise, stripes and dead bands.
    clean : numpy.ndarray
        ``(band, y, x)`` float32, before noise, stripes and dead bands, after everything that happens to the light.
    gain : numpy.ndarray
        ``(y, x)`` float32, illumination of each pixel.
    noise_std : numpy.ndarray
        ``(band,)`` float64, standard deviation of the noise, without stripes; 0 in dead bands.
    dead : numpy.ndarray
        ``(band,)`` bool, bands that read 0.
    """

    spectra: np.ndarray
    clean: np.ndarray
    gain: np.ndarray
    noise_std: np.ndarray
    dead: np.ndarray


def observe(
    rng: np.random.Generator,
    E: np.ndarray,
    A: np.ndarray,
    *,
    wavelength: np.ndarray | None = None,
    effects: Effects = NO_EFFECTS,
) -> Observation:
    """Mix endmembers by abundances and add what the world and the instrument add.

    ``clean = gain * (sum_p a_p (1 + s_p + l_p u + q_p u^2) e_p + b * sum_{p<q} a_p a_q e_p e_q) + path + structure``
    with `u` from -1 to 1 over the bands; the fields `s`, `l`, `q` vary each endmember over the scene, `b` is the second
    reflection (Fan et al. 2009; with a field `b` below 1 the generalised bilinear model of Halimi et al. 2011).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same state gives the same view.
    E : numpy.ndarray
        Endmembers ``(band, endmember)``, reflectance.
    A : numpy.ndarray
        Abundances ``(endmember, y, x)``.
    wavelength : numpy.ndarray, optional
        Band centres ``(band,)`` nm, for what is smooth in wavelength; by default bands are taken as evenly spaced from
        400 to 2500 nm.
    effects : Effects
        Strengths; by default nothing is added.

    Returns
    -------
    Observation
        Spectra with and without instrument effects, and what was added.

    Raises
    ------
    ConfigError
        Shapes do not fit, or a value is not finite.
    """
    E, A = np.asarray(E, dtype=np.float32), np.asarray(A, dtype=np.float32)
    if E.ndim != 2 or A.ndim != 3 or E.shape[1] != A.shape[0] or not min(E.size, A.size):
        raise ConfigError(f"endmembers {E.shape} and abundances {A.shape}", "(band, endmember) and (endmember, y, x)")
    nm = np.linspace(400, 2500, len(E)) if wavelength is None else np.asarray(wavelength, dtype=np.float64)
    if nm.shape != (len(E),):
        raise ConfigError(f"{nm.shape} wavelengths for {len(E)} bands", "one per band")
    if not (np.isfinite(E).all() and np.isfinite(A).all() and np.isfinite(nm).all()):
        raise ConfigError("endmembers, abundances or wavelengths with values that are not finite", "finite values")
    bands, (count, height, width) = len(E), A.shape
    flat = A.reshape(count, -1)
    gain = _gain(rng, height, width, effects)
    clean, square = _mixed(rng, E, flat, gain.ravel(), nm, (height, width), effects)
    spectra = clean.copy()
    # the noise is set by what is seen, stripes and dead bands apart
    noise_std = _noise_profile(rng, nm, effects) * np.sqrt(square) * 10 ** (-effects.snr_db / 20)
    _add_stripes(rng, spectra.reshape(bands, height, width), np.sqrt(square), effects)
    if noise_std.any():
        _add_noise(rng, spectra, noise_std, effects.noise_correlation)
    dead = np.zeros(bands, bool)
    if effects.dead:
        dead = rng.random(bands) < effects.dead
        spectra[dead], noise_std[dead] = 0, 0
    shape = (bands, height, width)
    return Observation(spectra.reshape(shape), clean.reshape(shape), gain, noise_std, dead)


def _gain(rng: np.random.Generator, height: int, width: int, effects: Effects) -> np.ndarray:
    """Draw the illumination ``(y, x)``, log-normal about 1."""
    log = np.zeros((height, width), np.float32)
    if effects.gain_smooth:
        log += np.float32(effects.gain_smooth) * gaussian_fields(rng, 1, height, width, slope=rng.uniform(2, 4))[0]
    if effects.gain_pixel:
        log += np.float32(effects.gain_pixel) * rng.standard_normal((height, width), dtype=np.float32)
    return np.exp(log)


def _mixed(
    rng: np.random.Generator,
    E: np.ndarray,
    A: np.ndarray,
    gain: np.ndarray,
    nm: np.ndarray,
    size: tuple[int, int],
    effects: Effects,
) -> tuple[np.ndarray, float]:
    """Return the light that reaches the sensor, ``(band, pixel)``, and its mean square.

    All that is a product of a spectrum and a map goes into one matrix product.
    """
    u = (2 * (nm - nm.min()) / max(float(np.ptp(nm)), 1e-9) - 1).astype(np.float32)[:, None]
    count = A.shape[0]
    spectra, maps = [E], [A * gain]
    if effects.variability:
        own = gaussian_fields(rng, 3 * count, *size, slope=effects.variability_slope).reshape(3, count, -1)
        own *= (effects.variability * np.array([1, 1 / 2, 1 / 3], np.float32))[:, None, None]
        np.clip(own, -0.2, 0.2, out=own)  # the three add up to 60 % at most: reflectance stays positive
        maps[0] = maps[0] * (1 + own[0])
        spectra += [E * u, E * u * u]
        maps += [A * gain * own[1], A * gain * own[2]]
    if effects.offset:
        path = (nm / 400) ** -_RAYLEIGH
        haze = 1 + 0.2 * gaussian_fields(rng, 1, *size, slope=4.0).reshape(1, -1)
        spectra.append(path[:, None].astype(np.float32))
        maps.append(np.float32(effects.offset) * haze)
    if effects.model_error:
        # mean squares of the mixture per band and per pixel, from the small matrices A A^T and E^T E
        by_band = np.sqrt(np.einsum("bp,bp->b", E @ (A @ A.T / np.float32(A.shape[1])), E).clip(0))
        by_pixel = np.sqrt(np.einsum("pn,pn->n", (E.T @ E / np.float32(len(E))) @ A, A).clip(0))
        rms = np.sqrt(np.square(by_band).mean())
        modes = _smooth_in_wavelength(rng, _MODES, nm) * (0.9 * by_band + 0.1 * rms)
        fields = gaussian_fields(rng, _MODES, *size, slope=rng.uniform(1, 3)).reshape(_MODES, -1)
        fields *= 0.9 * by_pixel + np.float32(0.1) * rms
        now = np.sqrt(np.einsum("ij,ij->", modes @ modes.T, fields @ fields.T) / (len(E) * A.shape[1]))
        spectra.append((modes.T * (effects.model_error * rms / max(now, 1e-12))).astype(np.float32))
        maps.append(fields)
    clean = np.concatenate(spectra, axis=1) @ np.concatenate(maps)
    if effects.bilinear:
        strength = gaussian_fields(rng, 1, *size, slope=3.0).reshape(-1)
        strength = np.float32(effects.bilinear) * np.clip(0.5 + 0.4 * strength, 0, 1)
        # sum over pairs = half of (square of the sum - sum of the squares)
        pairs = np.square(E @ A)
        pairs -= np.square(E) @ np.square(A)
        pairs *= np.float32(0.5) * strength * gain
        clean += pairs
    return clean, float(np.vdot(clean, clean)) / clean.size


def _smooth_in_wavelength(rng: np.random.Generator, count: int, nm: np.ndarray) -> np.ndarray:
    """Draw ``(count, band)`` smooth curves of mean square about 1: sums of cosines of up to 6 half-waves."""
    u = (nm - nm.min()) / max(float(np.ptp(nm)), 1e-9)
    waves = np.arange(7)
    weight = rng.standard_normal((count, 7)) / (1 + waves / 2)
    curves = weight @ np.cos(np.pi * waves[:, None] * u)
    return np.asarray(curves / np.sqrt(np.maximum(np.square(curves).mean(axis=1, keepdims=True), 1e-12)))


def _noise_profile(rng: np.random.Generator, nm: np.ndarray, effects: Effects) -> np.ndarray:
    """Return the noise's standard deviation over bands ``(band,)`` relative to its root mean square."""
    if not effects.noise_spread:
        return np.ones(len(nm))
    smooth = _smooth_in_wavelength(rng, 1, nm)[0]
    rough = rng.standard_normal(len(nm))
    # three parts of a smooth curve and one that is each band's own
    log = effects.noise_spread * (smooth - smooth.mean() + rough / 3) / np.sqrt(1 + 1 / 9)
    profile = np.exp(log - log.max())
    return np.asarray(profile / np.sqrt(np.mean(np.square(profile))))


def _add_stripes(rng: np.random.Generator, spectra: np.ndarray, rms: float, effects: Effects) -> None:
    """Give each detector column ``(band, 1, x)`` its own gain and offset, in place."""
    bands, _, width = spectra.shape
    for strength, unit in ((effects.stripe_gain, None), (effects.stripe_offset, rms)):
        if not strength:
            continue
        own = rng.standard_normal((bands, 1, width), dtype=np.float32)
        common = rng.standard_normal((1, 1, width), dtype=np.float32)  # dust on the slit is seen by all bands
        column = np.float32(strength) * (np.float32(0.8) * own + np.float32(0.6) * common)
        if unit is None:
            spectra *= 1 + column
        else:
            spectra += np.float32(unit) * column


def _add_noise(rng: np.random.Generator, spectra: np.ndarray, std: np.ndarray, correlation: float) -> None:
    """Add noise to ``(band, pixel)`` in place, band after band: memory for one band only."""
    fresh = float(np.sqrt(1 - correlation**2))
    noise: np.ndarray = np.zeros(spectra.shape[1], np.float32)
    for band, level in enumerate(std):
        now: np.ndarray = rng.standard_normal(spectra.shape[1:], dtype=np.float32)
        noise = np.float32(fresh) * now + np.float32(correlation) * noise if correlation and band else now
        spectra[band] += float(level) * noise

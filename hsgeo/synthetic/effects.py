"""What an instrument and the real world do to a linear mixture, as a record that can be drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["NO_EFFECTS", "Effects"]

_BELOW_ONE = ("dead", "noise_correlation")


@dataclass(frozen=True)
class Effects:
    """Strengths of everything that `observe` can do; at the defaults it does nothing.

    Parameters
    ----------
    snr_db : float
        Signal-to-noise ratio, dB: noise variance over all bands and pixels ``mean(clean^2) * 10^(-snr_db / 10)``;
        infinity: no noise.
    noise_spread : float
        Standard deviation over bands of the logarithm of the noise's standard deviation, smooth in wavelength: 0
        white, 1 strongly band-dependent. The mean variance stays as asked.
    noise_correlation : float
        Correlation of the noise of neighbouring bands, 0 to below 1 (first-order autoregression).
    gain_smooth : float
        Standard deviation of the logarithm of the illumination, slowly changing over the scene (terrain).
    gain_pixel : float
        The same, independent from pixel to pixel (roughness, shadow).
    variability : float
        Standard deviation of each endmember's own scale; its slope and curvature over the spectrum vary by half and a
        third of it. Each is cut at 20 %, so that reflectance stays positive.
    variability_slope : float
        Spectral slope of the fields along which endmembers vary: 3 regions, 0 from pixel to pixel.
    bilinear : float
        Largest strength of second reflections between materials (Fan's model at 1); varies over the scene.
    offset : float
        Path reflectance at 400 nm, falling with wavelength; negative: overcorrected.
    model_error : float
        Root mean square of smooth structures in space and wavelength that no endmember explains, relative to the
        scene's; mostly in proportion to the brightness of band and pixel.
    stripe_gain : float
        Standard deviation of the relative gain of the columns, own in each band.
    stripe_offset : float
        Standard deviation of the columns' offset, relative to the scene's root mean square.
    dead : float
        Share of bands that read 0, 0 to below 1.

    Raises
    ------
    ConfigError
        A strength is not a number, negative (only ``offset`` and ``snr_db`` may be), or 1 and more where it must be
        below.
    """

    snr_db: float = np.inf
    noise_spread: float = 0.0
    noise_correlation: float = 0.0
    gain_smooth: float = 0.0
    gain_pixel: float = 0.0
    variability: float = 0.0
    variability_slope: float = 3.0
    bilinear: float = 0.0
    offset: float = 0.0
    model_error: float = 0.0
    stripe_gain: float = 0.0
    stripe_offset: float = 0.0
    dead: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low = -np.inf if field.name in ("snr_db", "offset") else 0.0
            high = 1.0 if field.name in _BELOW_ONE else np.inf
            # the comparison is false for NaN; no noise is the one infinity with a meaning
            fine = low <= value < high and np.isfinite(value)
            if not fine and not (field.name == "snr_db" and value == np.inf):
                raise ConfigError(
                    f"{field.name}={value} among the effects",
                    "a finite number" + (", 0 or more" if low == 0 else "") + (", below 1" if high == 1 else ""),
                    "Set snr_db to infinity for no noise" if field.name == "snr_db" else "",
                )

    @classmethod
    def random(cls, rng: np.random.Generator) -> Effects:
        """Draw a combination as real scenes have it: most effects off or weak, a few strong.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness; the same state gives the same effects.

        Returns
        -------
        Effects
            SNR 5 to 50 dB; the gain in half of the scenes, variability and model error in most, stripes and dead bands
            in few.
        """

        def some(chance: float, low: float, high: float) -> float:
            value, on = np.exp(rng.uniform(np.log(low), np.log(high))), rng.random() < chance
            return float(value) if on else 0.0

        return cls(
            snr_db=float(rng.uniform(5, 50)),
            noise_spread=some(0.5, 0.1, 1.0),
            noise_correlation=some(0.25, 0.1, 0.8),
            gain_smooth=some(0.5, 0.03, 0.25),
            gain_pixel=some(0.35, 0.01, 0.15),
            variability=some(0.7, 0.003, 0.08),
            variability_slope=float(rng.uniform(0, 3.5)),
            bilinear=some(0.25, 0.02, 0.3),
            offset=float(rng.choice([-1, 1], p=[0.4, 0.6])) * some(0.2, 0.003, 0.03),
            model_error=some(0.6, 0.002, 0.06),
            stripe_gain=some(0.15, 0.003, 0.03),
            stripe_offset=some(0.15, 0.002, 0.02),
            dead=some(0.15, 0.005, 0.08),
        )


NO_EFFECTS = Effects()
"""Nothing but the mixture."""

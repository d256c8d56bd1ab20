"""Which networks the stages use."""

from __future__ import annotations

from hsgeo.plugin import StageNetwork

__all__ = ["ABUNDANCE", "ENDMEMBER"]

ABUNDANCE = StageNetwork(
    "abundance-diffusion",
    "abundance-prior",
    "hsgeo_diffusion.abundance.network:ResUNet2D",
    "use the stage vector-tv, or run with --recipe classical",
)
"""The prior of abundances: shipped weights, or the user's."""

ENDMEMBER = StageNetwork(
    "endmember-diffusion",
    "endmember-prior",
    "hsgeo_diffusion.endmember.network:SpectrumDenoiser",
    "set prior=library, or run with --recipe classical",
)
"""The prior of endmember spectra: shipped weights, or the user's."""

"""What this plugin brings: the stages ``abundance-diffusion`` and ``endmember-diffusion``, and their trainers."""

from __future__ import annotations

from collections.abc import Iterator

from hsgeo.plugin import StageRecord, hookimpl, scene, tile


@hookimpl
def hsgeo_stages() -> Iterator[StageRecord]:
    """Name the stages."""
    yield StageRecord(
        "abundance-diffusion",
        "hsgeo_diffusion.abundance.stage:AbundanceDiffusion",
        "abundances refined by a diffusion prior as far as noise makes them wrong, blended by Stein's estimate of the "
        "error; samples on request",
        "hsgeo_diffusion.config:AbundanceDiffusionOptions",
        reads=(tile("spectra"), scene("endmembers"), tile("abundance", optional=True)),
        writes=(
            tile("abundance"),
            tile("gain", optional=True),
            tile("rmse"),
            tile("prior_influence"),
            tile("abundance_std", optional=True),
            tile("abundance_quantile", optional=True),
            tile("abundance_sample", optional=True),
        ),
        trainer="hsgeo_diffusion.abundance.trainer:AbundancePriorTrainer",
        trains="abundance-prior",
    )
    yield StageRecord(
        "endmember-diffusion",
        "hsgeo_diffusion.endmember.stage:EndmemberDiffusion",
        "noisy or drifted endmembers made again from the scene and a prior of spectra, learned or a library; left "
        "alone where noise has not made them wrong",
        "hsgeo_diffusion.config:EndmemberDiffusionOptions",
        reads=(tile("spectra"), scene("endmembers")),
        writes=(scene("endmembers"),),
        trainer="hsgeo_diffusion.endmember.trainer:EndmemberTrainer",
        trains="endmember-prior",
    )

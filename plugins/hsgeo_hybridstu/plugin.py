"""What this plugin brings: the stage ``hybridstu`` and its trainer."""

from __future__ import annotations

from collections.abc import Iterator

from hsgeo.plugin import StageRecord, hookimpl, scene, tile


@hookimpl
def hsgeo_stages() -> Iterator[StageRecord]:
    """Name the stage."""
    yield StageRecord(
        "hybridstu",
        "hsgeo_hybridstu.stage:HybridStuStage",
        "abundances by a network that sees the neighbours, too: less noise; shipped weights, any sensor (HybridSTU)",
        "hsgeo_hybridstu.config:HybridstuOptions",
        reads=(tile("spectra"), scene("endmembers"), tile("label", optional=True)),
        writes=(tile("abundance"), tile("gain", optional=True), tile("rmse"), scene("endmembers", optional=True)),
        trainer="hsgeo_hybridstu.trainer:HybridStuTrainer",
        trains="hybridstu-zero",
    )

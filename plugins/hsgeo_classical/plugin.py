"""What this plugin brings: endmember extraction and counting, and abundances by least squares."""

from __future__ import annotations

from collections.abc import Iterator

from hsgeo.plugin import StageRecord, hookimpl, scene, tile


@hookimpl
def hsgeo_stages() -> Iterator[StageRecord]:
    """Name the classical stages."""
    yield StageRecord(
        "archetypes",
        "hsgeo_classical.extraction.archetypes:Archetypes",
        "endmembers by archetypal analysis with restarts and robust vertices (default)",
        "hsgeo_classical.config:ArchetypesOptions",
        reads=(tile("spectra"),),
        writes=(scene("endmembers"),),
    )
    yield StageRecord(
        "vca",
        "hsgeo_classical.extraction.vca:Vca",
        "endmembers by vertex component analysis, largest simplex of several draws",
        "hsgeo_classical.config:VcaOptions",
        reads=(tile("spectra"),),
        writes=(scene("endmembers"),),
    )
    for name, summary in (
        ("fcls", "abundances, non-negative and summing to one (fully constrained least squares)"),
        ("nnls", "abundances, non-negative, sum free (non-negative least squares)"),
        ("ucls", "abundances, unconstrained least squares"),
    ):
        yield StageRecord(
            name,
            f"hsgeo_classical.abundance.{name}:{name.capitalize()}",
            summary,
            reads=(tile("spectra"), scene("endmembers")),
            writes=(tile("abundance"), tile("rmse")),
        )

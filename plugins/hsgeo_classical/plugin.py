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
        reads=(tile("spectra"), scene("count", optional=True)),
        writes=(scene("endmembers"),),
    )
    yield StageRecord(
        "vca",
        "hsgeo_classical.extraction.vca:Vca",
        "endmembers by vertex component analysis, largest simplex of several draws",
        "hsgeo_classical.config:VcaOptions",
        reads=(tile("spectra"), scene("count", optional=True)),
        writes=(scene("endmembers"),),
    )
    for name, summary in (
        ("nfindr", "endmembers by N-FINDR, the pixels that span the largest simplex, best of several starts"),
        ("sivm", "endmembers by simplex volume maximisation, pixel after pixel, nothing random"),
        ("sisal", "endmembers by SISAL, the smallest simplex around the pixels; for scenes without pure pixels"),
        ("atgp", "endmembers by automatic target generation, the pixels least explained, nothing random"),
    ):
        yield StageRecord(
            name,
            f"hsgeo_classical.extraction.{name}:{name.capitalize()}",
            summary,
            f"hsgeo_classical.config:{name.capitalize()}Options",
            reads=(tile("spectra"), scene("count", optional=True)),
            writes=(scene("endmembers"),),
        )
    for name, summary in (
        ("hysime", "number of endmembers and noise of the bands by HySime"),
        ("nwhfc", "number of endmembers and noise of the bands by noise-whitened eigenvalue tests (NWHFC)"),
        ("stability", "number of endmembers that halves of the scene agree on"),
    ):
        yield StageRecord(
            name,
            f"hsgeo_classical.counting.{name}:{name.capitalize()}",
            summary,
            f"hsgeo_classical.config:{'Nwhfc' if name == 'nwhfc' else 'Counting'}Options",
            reads=(tile("spectra"),),
            writes=(scene("count"), scene("noise")),
        )
    for name, summary in (
        ("bvls", "abundances between bounds, sum free (bounded-variable least squares)"),
        ("nnls", "abundances, non-negative, sum free (non-negative least squares)"),
        ("ucls", "abundances, unconstrained least squares"),
    ):
        yield StageRecord(
            name,
            f"hsgeo_classical.abundance.{name}:{name.capitalize()}",
            summary,
            f"hsgeo_classical.config:{'Bvls' if name == 'bvls' else 'Abundance'}Options",
            reads=(tile("spectra"), scene("endmembers")),
            writes=(tile("abundance"), tile("rmse"), tile("abundance_std", optional=True)),
        )
    yield StageRecord(
        "fcls",
        "hsgeo_classical.abundance.fcls:Fcls",
        "abundances, non-negative and summing to one, gain or shade on request (fully constrained least squares)",
        "hsgeo_classical.config:FclsOptions",
        reads=(tile("spectra"), scene("endmembers")),
        writes=(
            scene("endmembers", optional=True),  # with shade=explicit: the zero spectrum is one of them
            tile("abundance"),
            tile("rmse"),
            tile("gain", optional=True),
            tile("abundance_std", optional=True),
        ),
    )
    yield StageRecord(
        "noise",
        "hsgeo_classical.cleaning.noise:Noise",
        "noise of every band from every pixel, by regression or by differences of neighbours",
        "hsgeo_classical.config:NoiseOptions",
        reads=(tile("spectra"),),
        writes=(scene("noise"),),
    )
    for name, summary in (
        ("denoise", "spectra without what lies outside of the signal's subspace (minimum noise fraction)"),
        ("destripe", "spectra without column stripes; for push-broom scenes in sensor geometry"),
    ):
        yield StageRecord(
            name,
            f"hsgeo_classical.cleaning.{name}:{name.capitalize()}",
            summary,
            f"hsgeo_classical.config:{name.capitalize()}Options",
            reads=(tile("spectra"),),
            writes=(tile("spectra"),),
        )
    yield StageRecord(
        "sunsal",
        "hsgeo_classical.abundance.sunsal:Sunsal",
        "sparse abundances, few of many endmembers, sum free or one (the problem of SUnSAL, exact)",
        "hsgeo_classical.config:SunsalOptions",
        reads=(tile("spectra"), scene("endmembers")),
        writes=(tile("abundance"), tile("rmse")),
        overcomplete=True,
    )
    yield StageRecord(
        "sunsal-tv",
        "hsgeo_classical.abundance.sunsal_tv:SunsalTv",
        "sparse abundances that are alike in neighbouring pixels (SUnSAL-TV)",
        "hsgeo_classical.config:SunsalTvOptions",
        reads=(tile("spectra"), scene("endmembers")),
        writes=(tile("abundance"),),
        overcomplete=True,
    )
    for name, summary, more in (
        ("mesma", "class fractions by the best model with one library spectrum per class (MESMA)", ("model",)),
        ("sma", "class fractions by random combinations of library spectra, with spread", ("gain", "abundance_std")),
        ("bundles", "class fractions by all spectra of a library together, summed by class", ()),
    ):
        yield StageRecord(
            name,
            f"hsgeo_classical.mesma.stage_{name}:{name.capitalize()}",
            summary,
            f"hsgeo_classical.config:{name.capitalize()}Options",
            reads=(tile("spectra"), scene("library")),
            writes=(
                scene("endmembers"),
                tile("abundance"),
                tile("rmse"),
                *(tile(variable, optional=True) for variable in more),
            ),
        )

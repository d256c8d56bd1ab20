"""What this plugin brings: endmember extraction and counting, and abundances by least squares."""

from __future__ import annotations

from collections.abc import Iterator

from hsgeo.plugin import StageRecord, Var, hookimpl, scene, tile

_SPECTRA, _ENDMEMBERS = tile("spectra"), scene("endmembers")


def _stage(
    name: str,
    module: str,
    summary: str,
    *,
    reads: tuple[Var, ...],
    writes: tuple[Var, ...],
    options: str | None = None,
    overcomplete: bool = False,
) -> StageRecord:
    """Name the stage ``sunsal-tv``: the class ``SunsalTv``, with ``SunsalTvOptions`` where no others are named."""
    class_ = name.title().replace("-", "")
    target, options = f"hsgeo_classical.{module}:{class_}", f"hsgeo_classical.config:{options or class_ + 'Options'}"
    return StageRecord(name, target, summary, options, reads, writes, overcomplete=overcomplete)


@hookimpl
def hsgeo_stages() -> Iterator[StageRecord]:
    """Name the classical stages."""
    for name, summary in (
        ("archetypes", "endmembers by archetypal analysis with restarts and robust vertices (default)"),
        ("vca", "endmembers by vertex component analysis, largest simplex of several draws"),
        ("nfindr", "endmembers by N-FINDR, the pixels that span the largest simplex, best of several starts"),
        ("sivm", "endmembers by simplex volume maximisation, pixel after pixel, nothing random"),
        ("sisal", "endmembers by SISAL, the smallest simplex around the pixels; for scenes without pure pixels"),
        ("atgp", "endmembers by automatic target generation, the pixels least explained, nothing random"),
    ):
        reads = (_SPECTRA, scene("count", optional=True))
        yield _stage(name, f"extraction.{name}", summary, reads=reads, writes=(_ENDMEMBERS,))
    for name, options, summary in (
        ("hysime", "CountingOptions", "number of endmembers and noise of the bands by HySime"),
        (
            "nwhfc",
            "NwhfcOptions",
            "number of endmembers and noise of the bands by noise-whitened eigenvalue tests (NWHFC)",
        ),
        ("stability", "CountingOptions", "number of endmembers that halves of the scene agree on"),
    ):
        writes = (scene("count"), scene("noise"))
        yield _stage(name, f"counting.{name}", summary, options=options, reads=(_SPECTRA,), writes=writes)
    for name, options, summary in (
        ("bvls", "BvlsOptions", "abundances between bounds, sum free (bounded-variable least squares)"),
        ("nnls", "AbundanceOptions", "abundances, non-negative, sum free (non-negative least squares)"),
        ("ucls", "AbundanceOptions", "abundances, unconstrained least squares"),
    ):
        yield _stage(
            name,
            f"abundance.{name}",
            summary,
            options=options,
            reads=(_SPECTRA, _ENDMEMBERS),
            writes=(tile("abundance"), tile("rmse"), tile("abundance_std", optional=True)),
        )
    yield _stage(
        "fcls",
        "abundance.fcls",
        "abundances, non-negative and summing to one, gain or shade on request (fully constrained least squares)",
        reads=(_SPECTRA, _ENDMEMBERS),
        writes=(
            scene("endmembers", optional=True),  # with shade=explicit: the zero spectrum is one of them
            tile("abundance"),
            tile("rmse"),
            tile("gain", optional=True),
            tile("abundance_std", optional=True),
        ),
    )
    yield _stage(
        "noise",
        "cleaning.noise",
        "noise of every band from every pixel, by regression or by differences of neighbours",
        reads=(_SPECTRA,),
        writes=(scene("noise"),),
    )
    for name, summary in (
        ("denoise", "spectra without what lies outside of the signal's subspace (minimum noise fraction)"),
        ("destripe", "spectra without column stripes; for push-broom scenes in sensor geometry"),
    ):
        yield _stage(name, f"cleaning.{name}", summary, reads=(_SPECTRA,), writes=(_SPECTRA,))
    yield _stage(
        "sunsal",
        "abundance.sunsal",
        "sparse abundances, few of many endmembers, sum free or one (the problem of SUnSAL, exact)",
        reads=(_SPECTRA, _ENDMEMBERS),
        writes=(tile("abundance"), tile("rmse")),
        overcomplete=True,
    )
    yield _stage(
        "sunsal-tv",
        "abundance.sunsal_tv",
        "sparse abundances that are alike in neighbouring pixels (SUnSAL-TV)",
        reads=(_SPECTRA, _ENDMEMBERS),
        writes=(tile("abundance"),),
        overcomplete=True,
    )
    yield _stage(
        "vector-tv",
        "abundance.vector_tv",
        "abundances that sum to one and are alike in neighbouring pixels, as far as the noise goes (vectorial TV)",
        reads=(_SPECTRA, _ENDMEMBERS),
        writes=(tile("abundance"), tile("rmse"), tile("gain", optional=True)),
    )
    for name, summary, more in (
        ("mesma", "class fractions by the best model with one library spectrum per class (MESMA)", ("model",)),
        ("sma", "class fractions by random combinations of library spectra, with spread", ("gain", "abundance_std")),
        ("bundles", "class fractions by all spectra of a library together, summed by class", ()),
    ):
        yield _stage(
            name,
            f"mesma.stage_{name}",
            summary,
            reads=(_SPECTRA, scene("library")),
            writes=(
                _ENDMEMBERS,
                tile("abundance"),
                tile("rmse"),
                *(tile(variable, optional=True) for variable in more),
            ),
        )

"""Stages and recipes as contenders: run as users run them, told the true endmembers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.plan import code_digest
from hsgeo.evaluation.accuracy.recipes import Contender, contender, split_list
from hsgeo.evaluation.accuracy.runs import estimate
from hsgeo.evaluation.accuracy.scenes import as_scene
from hsgeo.evaluation.noise.closed import in_convention
from hsgeo.evaluation.weights import weights_digest
from hsgeo.plugin.needs import Layout
from hsgeo.plugin.registry import Registry
from hsgeo.stages.chain import build_chain, drop_endmember_steps, make_options
from hsgeo.stages.recipe import load_recipe, override

__all__ = ["content_of", "resolve", "run_stages", "window_of"]

# every pixel and band counts: the scenes were cut clear of bad ones, and their truths were made from all that is left
_WHOLE_SCENE = {"scene.screen": False, "scene.bad_bands": []}

_CHAINED = re.compile(r"\+(?![^\[]*\])")  # a plus that stands in no brackets
_ONE_STAGE = re.compile(r"([\w-]+)(?:\[(.*)\])?")


def resolve(spec: str, known: Registry, *, scale: str) -> Contender:
    """Resolve what is asked for, in a convention.

    Where abundances sum to one (``physical``), a stage with the option ``sum_to_one`` is told so unless the user says
    otherwise; where they do not (``peak``), a free sum is divided by itself before it is scored.

    Parameters
    ----------
    spec : str
        A stage with options, ``"hybridstu[mode=zero]"``, also where a recipe has its name; stages, ``"denoise+fcls"``;
        a recipe by name or file. Stages that only find endmembers are left out, as endmembers are given.
    known : Registry
        Knows stages and recipes.
    scale : {"physical", "peak"}
        Convention.

    Returns
    -------
    Contender
        Ready to run.

    Raises
    ------
    ConfigError, RecipeError
        There is no such stage, recipe or option, or it needs a library.
    """
    alone = None if _CHAINED.search(spec) else _ONE_STAGE.fullmatch(spec.strip())
    if alone and alone[1] in known.stages:
        recipe = load_recipe(None, known, stages=[{"use": alone[1], "with": _options(alone[2] or "", spec)}])
    else:
        whole = contender(spec, known, scale="physical", count=None)
        assert whole is not None  # only other scales may have none
        recipe = load_recipe(whole.recipe, known)
    found = Contender(spec, scale, override(recipe, _WHOLE_SCENE).dump(), "")
    library = any(need.name == "library" for step in found.recipe["stages"] for need in _record(step, known).reads)
    if library:
        raise ConfigError(
            f"{spec!r} needs a spectral library", "stages that take endmembers", "See hsgeo benchmark accuracy"
        )
    for step in found.recipe["stages"]:
        model = known.options(_record(step, known))
        if scale == "physical" and model is not None and "sum_to_one" in model.model_fields:
            step["with"] = {"sum_to_one": True} | step["with"]
        make_options(model, step["with"], f"stage {step['use']!r}")
    told = json.dumps({"stages": found.recipe["stages"], "scene": found.recipe["scene"]}, sort_keys=True)
    return replace(found, digest=hashlib.sha256(told.encode()).hexdigest()[:12])


def _record(step: dict[str, Any], known: Registry) -> Any:
    return known.stage(step["use"])


def _options(text: str, spec: str) -> dict[str, Any]:
    options = {}
    for pair in split_list(text):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{pair!r} in {spec!r}", "option=value", "For example sunsal-tv[lam_tv=0.01]")
        try:
            options[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"the value of {pair!r} is not YAML", "a number or a word") from error
    return options


def content_of(found: Contender, known: Registry) -> str:
    """Digest all that the result of a contender hangs on: options, code, shipped weights, files named in options.

    Parameters
    ----------
    found : Contender
        From `resolve`.
    known : Registry
        Knows where the code and the weights are.

    Returns
    -------
    str
        Hexadecimal, and the digests of one-file plugins.
    """
    steps = found.recipe["stages"]
    packages = {_record(step, known).target.partition(":")[0].partition(".")[0] for step in steps}
    digest = hashlib.sha256(found.digest.encode())
    digest.update(code_digest(("hsgeo.stages", "hsgeo.run", "hsgeo.spectra", "hsgeo.nn", *sorted(packages))).encode())
    digest.update(weights_digest([_record(step, known) for step in steps], known).encode())
    for step in steps:
        for value in step["with"].values():
            if isinstance(value, str) and Path(value).is_file():
                digest.update(Path(value).read_bytes())
    return digest.hexdigest()[:12] + "".join(sorted(known.files.values()))


def window_of(
    found: Contender, known: Registry, image: np.ndarray, wavelength: np.ndarray, names: tuple[str, ...]
) -> int | None:
    """Tell the lattice of the last stage of a contender that works in windows.

    Parameters
    ----------
    found : Contender
        From `resolve`.
    known : Registry
        Knows the stages.
    image : numpy.ndarray
        ``(rows, cols, bands)``.
    wavelength : numpy.ndarray
        ``(bands,)`` nm.
    names : tuple of str
        Of the endmembers.

    Returns
    -------
    int or None
        Pixels from one border to the next; None: all stages are pixelwise.
    """
    steps, _ = drop_endmember_steps(build_chain(load_recipe(found.recipe, known), known))
    rows, cols, bands = image.shape
    layout = Layout(
        rows, cols, tuple(map(float, wavelength)), (float("nan"),) * bands, endmembers=names, scale=found.scale
    )
    windows = [step.stage.needs(layout).window for step in steps]
    return next((window.stride for window in reversed(windows) if window is not None), None)


def run_stages(
    image: np.ndarray,
    wavelength: np.ndarray,
    E: np.ndarray,
    names: tuple[str, ...],
    *,
    found: Contender,
    seed: int,
    fit: Callable[..., Any],
    unmix: Callable[..., xr.Dataset],
) -> tuple[np.ndarray, np.ndarray, float]:
    """Run a contender on an image, told the endmembers and what their lengths mean.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)`` float32 reflectance.
    wavelength : numpy.ndarray
        ``(bands,)`` nm, ascending.
    E : numpy.ndarray
        True endmembers ``(bands, endmembers)``, as the truth has them.
    names : tuple of str
        Of these, all different.
    found : Contender
        From `resolve`.
    seed : int
        Of everything random in it.
    fit, unmix : callable
        ``hsgeo.fit`` and ``hsgeo.unmix``: what is measured is what users run.

    Returns
    -------
    A : numpy.ndarray
        Abundances ``(pixels, endmembers)`` in the order of ``names``, float64; 0 where there is no result.
    missing : numpy.ndarray
        ``(pixels,)`` bool: no result.
    seconds : float
        Fit and maps.
    """
    given = xr.Dataset(
        {"spectra": (("spectrum", "band"), in_convention(E, peak=found.scale == "peak").T)},
        {"name": ("spectrum", list(names)), "wavelength": ("band", wavelength)},
        {"scale": found.scale},
    )
    scene = as_scene(image, wavelength)
    result = estimate(scene, found, seed=seed, fit=partial(fit, endmembers=given), unmix=unmix)
    A = np.stack([result.A[:, result.names.index(n)] if n in result.names else 0 * result.A[:, 0] for n in names], 1)
    return A, result.missing, result.fit_s + result.apply_s

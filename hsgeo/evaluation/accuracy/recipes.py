"""What is benchmarked: ``extractor+solver``, with options in brackets, or a recipe by name or file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hsgeo.errors import ConfigError
from hsgeo.plugin.registry import Registry
from hsgeo.stages.chain import make_options
from hsgeo.stages.recipe import Recipe, load_recipe, override

__all__ = ["Contender", "contender", "split_list"]

_STEP = re.compile(r"([\w-]+)(?:\[(.*)\])?")


@dataclass(frozen=True)
class Contender:
    """A recipe in one scale convention, ready to run.

    Parameters
    ----------
    name : str
        As it was asked for.
    scale : str
        ``"physical"`` or ``"peak"``.
    recipe : dict
        Resolved, plain types; a seed is laid over it for every run.
    digest : str
        Of the resolved recipe.
    library : bool
        It has to be given a spectral library, and writes classes by its names.
    """

    name: str
    scale: str
    recipe: dict[str, Any]
    digest: str
    library: bool = False


def contender(spec: str, registry: Registry, *, scale: str, count: int | None) -> Contender | None:
    """Resolve what is asked for.

    In the peak convention a solver of sum-to-one abundances must know of the pixel's gain; ``fcls`` does where it has
    the option ``gain`` (``auto``), and is else replaced by ``nnls``, whose abundances the score divides by their sum.

    Parameters
    ----------
    spec : str
        ``"archetypes+fcls"``, ``"vca[restarts=1]+fcls"``, the name of a recipe, or its YAML file.
    registry : Registry
        Knows stages and recipes.
    scale : {"physical", "peak"}
        Convention; asked of the first stage that has an option ``scale``.
    count : int or None
        Number of endmembers, of the first stage that has an option ``count``; None: found out.

    Returns
    -------
    Contender or None
        None where no stage can be told the scale that is asked for.

    Raises
    ------
    ConfigError, RecipeError
        There is no such stage, recipe or option.
    """
    recipe = _recipe(spec, registry)
    fields = {step.key: _fields(step.use, registry) for step in recipe.stages}
    laid: dict[str, Any] = {}
    scaled = next((key for key, known in fields.items() if "scale" in known), None)
    if scaled is not None:
        laid[f"{scaled}.scale"] = scale
    elif scale != "physical":
        return None
    counted = next((key for key, known in fields.items() if "count" in known), None)
    if counted is not None:
        laid[f"{counted}.count"] = "auto" if count is None else count
    # these cubes were cut clear of clouds and faults, and every published method sees all of their pixels
    plain = override(recipe, laid | {"scene.screen": False}).dump()
    if scale == "peak":
        for step in plain["stages"]:
            if step["use"] == "fcls" and "gain" not in _fields("fcls", registry):
                step["use"] = "nnls"
    for step in plain["stages"]:
        make_options(registry.options(registry.stage(step["use"])), step["with"], f"stage {step['use']!r}")
    told = {"stages": plain["stages"], "scene": plain["scene"]}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
    library = any(need.name == "library" for step in plain["stages"] for need in registry.stage(step["use"]).reads)
    return Contender(spec, scale, plain, digest, library)


def split_list(text: str) -> list[str]:
    """Split a list at commas, those inside brackets excepted.

    Parameters
    ----------
    text : str
        Such as ``"vca[restarts=1,count=3]+fcls, archetypes+fcls"``.

    Returns
    -------
    list of str
        The parts, without blanks around them.
    """
    parts = re.split(r",(?![^\[]*\])", text)
    return [part.strip() for part in parts if part.strip()]


def _recipe(spec: str, registry: Registry) -> Recipe:
    if "+" not in spec or Path(spec).suffix in (".yaml", ".yml"):
        return load_recipe(spec, registry)
    stages = []
    for step in re.split(r"\+(?![^\[]*\])", spec):
        found = _STEP.fullmatch(step.strip())
        if not found:
            raise ConfigError(f"recipe {spec!r}", "stage[option=value,...]+stage", "For example vca[restarts=1]+fcls")
        options = {}
        for pair in split_list(found[2] or ""):
            key, equals, value = pair.partition("=")
            if not equals:
                raise ConfigError(f"{pair!r} in recipe {spec!r}", "option=value", "For example vca[restarts=1]+fcls")
            try:
                options[key.strip()] = yaml.safe_load(value)
            except yaml.YAMLError as error:
                raise ConfigError(f"the value of {pair!r} is not YAML", "a number or a word") from error
        stages.append({"use": found[1], "with": options})
    return load_recipe(None, registry, stages=stages)


def _fields(stage: str, registry: Registry) -> set[str]:
    model = registry.options(registry.stage(stage))
    return set(model.model_fields) if model is not None else set()

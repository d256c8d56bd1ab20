"""Recipes as the command line needs them: resolved, with everything laid over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from hsgeo.errors import ConfigError

__all__ = ["resolve_recipe", "state_recipe", "unsourced_flags"]


def state_recipe(state: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Return the recipe that a state was fitted with, plain YAML types.

    Parameters
    ----------
    state : mapping of str to xarray.Dataset
        From `fit` or `open_state`.

    Returns
    -------
    dict
        The recipe.
    """
    from hsgeo.run.plan import state_recipe as stored

    return stored(state).dump()


def resolve_recipe(
    recipe: str | Path | Mapping[str, Any] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    seed: int | None = None,
    count: int | None = None,
    reader: str | None = None,
    grid: Any = None,
) -> dict[str, Any]:
    """Resolve a recipe with everything laid over it, as it will stand in the provenance.

    Parameters
    ----------
    recipe : str, path or mapping, optional
        Name, file or content; None: the default.
    options : mapping, optional
        As for `fit`.
    seed : int, optional
        Instead of the recipe's.
    count : int, optional
        Number of endmembers, for the first stage that takes one.
    reader : str, optional
        Reader of the scene.
    grid : str or dict, optional
        Grid of the product, as for `hsgeo.georeference`.

    Returns
    -------
    dict
        The recipe, plain YAML types; `fit` and `unmix` take it.

    Raises
    ------
    RecipeError, ConfigError
        If the recipe or an option is not acceptable.
    """
    from hsgeo.plugin.registry import registry
    from hsgeo.stages.recipe import load_recipe, override

    chosen = load_recipe(recipe, registry())
    laid = dict(options or {})
    if count is not None:
        taker = next((use.key for use in chosen.stages if _takes_count(use.use)), None)
        if taker is None:
            raise ConfigError(
                f"count is {count}, but no stage of the recipe {chosen.name!r} takes one", "a recipe that counts"
            )
        laid[f"{taker}.count"] = count
    plain = override(chosen, laid, seed=seed).dump()
    if reader is not None:
        plain["scene"]["use"] = reader
    if grid is not None:
        plain["output"]["grid"] = grid
    return load_recipe(plain, registry()).dump()


def unsourced_flags(scene: xr.Dataset, options: Mapping[str, Any] | None) -> str | None:
    """Say which flags somebody asked to mask that a scene has no source for: masking them does nothing.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene.
    options : mapping, optional
        As for `fit`. Only what stands there was asked for; the default mask is for all scenes, and says nothing.

    Returns
    -------
    str or None
        For a notice; None if each flag has a source, nothing was asked for, or ``quality`` does not tell.
    """
    from hsgeo.plugin.quality import flags_known

    laid = options or {}
    within = laid.get("scene")
    asked = laid.get("scene.mask", within.get("mask") if isinstance(within, Mapping) else None)
    known = flags_known(scene)
    if asked is None or known is None:
        return None
    lacking = [flag for flag in ((asked,) if isinstance(asked, str) else asked) if flag not in known]
    if not lacking:
        return None
    source = scene.attrs.get("quality_source") or "there are no masks in what was read"
    return (
        f"masking {', '.join(lacking)} leaves no pixel out, because {scene.attrs.get('product_id') or 'the scene'} has "
        f"no source for {'it' if len(lacking) == 1 else 'them'}; its quality: {source}"
    )


def _takes_count(stage: str) -> bool:
    from hsgeo.plugin.registry import registry

    model = registry().options(registry().stage(stage))
    return model is not None and "count" in model.model_fields

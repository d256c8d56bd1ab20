"""The recipe: YAML (or a dict, or a list of stages) to a checked model, and overrides on top of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hsgeo.errors import ConfigError, RecipeError
from hsgeo.plugin.registry import Registry

__all__ = ["DEFAULT_RECIPE", "Output", "Recipe", "SceneOptions", "StageUse", "explain", "load_recipe", "override"]

DEFAULT_RECIPE = "semi-blind"

_FLAGS = ("cloud", "cloud_shadow", "cirrus", "snow", "glint", "saturated", "invalid")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SceneOptions(_Model):
    """How the scene is looked at, whatever the stages."""

    mask: tuple[Literal[_FLAGS], ...] = Field(  # type: ignore[valid-type]  # names kept once, in _FLAGS
        ("cloud", "cloud_shadow", "cirrus", "invalid"),
        description="Quality flags that leave a pixel out (flag names of docs/conventions).",
    )
    bad_bands: tuple[tuple[float, float], ...] | None = Field(
        None,
        description="Wavelength ranges to leave out, nm, such as [1340-1460, 1790-1970]; replaces all other rules.",
    )
    screen: bool = Field(
        True,
        description="Keep what looks like cloud, glint, saturation or a fault out of the fits; false for scenes that "
        "have none, such as synthetic ones.",
    )
    radiance: bool = Field(False, description="Unmix radiance on purpose; endmembers are then radiances, too.")

    @field_validator("mask", mode="before")
    @classmethod
    def _one_flag(cls, flags: object) -> object:
        listed = (flags,) if isinstance(flags, str) else flags
        if wrong := _no_flags(listed):
            raise ValueError(f"{wrong} is no quality flag; there are {', '.join(_FLAGS)}")
        return listed

    @field_validator("bad_bands", mode="before")
    @classmethod
    def _written_as_ranges(cls, ranges: object) -> object:
        """Take ``1340-1460``, or several of them, as people write it."""
        listed = [ranges] if isinstance(ranges, str) else ranges
        if not isinstance(listed, (list, tuple)):
            return ranges
        return [part.split("-") if isinstance(part, str) and part.count("-") == 1 else part for part in listed]

    @field_validator("bad_bands")
    @classmethod
    def _ordered(cls, ranges: tuple[tuple[float, float], ...] | None) -> tuple[tuple[float, float], ...] | None:
        for low, high in ranges or ():
            if low > high:
                raise ValueError(f"range {low}-{high} is empty; write the lower wavelength first")
        return ranges


def _no_flags(flags: object) -> str:
    """Name those of the flags that there are not; empty if all are known, or this is no list."""
    if not isinstance(flags, (list, tuple)):
        return ""
    return ", ".join(repr(flag) for flag in flags if flag not in _FLAGS)


class SceneUse(_Model):
    """The ``scene:`` block: which reader, and how to look at the scene."""

    use: str | None = Field(None, description="Reader; None: the one that knows the file.")
    reader: dict[str, Any] = Field(default_factory=dict, description="Options of the reader.")
    with_: SceneOptions = Field(default_factory=lambda: SceneOptions(), alias="with")


class StageUse(_Model):
    """One item of ``stages:``."""

    use: str = Field(description="Name of the stage.")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="Options of the stage.")
    id: str | None = Field(None, description="Name of this step; default: the stage's name.")

    @property
    def key(self) -> str:
        """The step's id."""
        return self.id or self.use


class Output(_Model):
    """The ``output:`` block: which writer, and which grid."""

    use: str | None = Field(None, description="Writer; None: by the suffix of the path.")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="Options of the writer.")
    grid: str | dict[str, Any] = Field(
        "auto",
        description="Grid of the product. auto: scenes with a CRS keep theirs, swaths get the grid of their lookup "
        "table, else their UTM zone; swath (or scene): that of the sensor; utm; a reference system such as EPSG:32632; "
        "a GeoTIFF or product, for its grid; or crs, transform and shape.",
    )
    method: Literal["nearest", "bilinear"] = Field(
        "nearest", description="How cells of that grid are filled: with a pixel, or a mean of four valid ones."
    )
    resolution: float | None = Field(
        None, gt=0, description="Side of a cell in the units of the grid; None: the size of the pixels."
    )


class Recipe(_Model):
    """A linear list of stages with their options, and what stands around it."""

    hsgeo: Literal[1] = Field(1, description="Version of the recipe format.")
    name: str = "unnamed"
    summary: str = ""
    seed: int = Field(0, ge=0)
    scene: SceneUse = Field(default_factory=lambda: SceneUse())
    stages: tuple[StageUse, ...] = Field(min_length=1)
    output: Output = Field(default_factory=lambda: Output())

    @field_validator("stages")
    @classmethod
    def _ids_differ(cls, stages: tuple[StageUse, ...]) -> tuple[StageUse, ...]:
        seen: set[str] = set()
        for stage in stages:
            if stage.key in seen:
                raise ValueError(f"two steps are called {stage.key!r}; give one an id of its own")
            if stage.key == "scene" or not stage.key.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"a step cannot be called {stage.key!r}; use letters, digits and hyphens")
            seen.add(stage.key)
        return stages

    def dump(self) -> dict[str, Any]:
        """Return the plain form, as it stands in provenance and YAML."""
        plain = self.model_dump(mode="json", by_alias=True)
        for step in plain["stages"]:
            if step["id"] is None:
                del step["id"]
        output = plain["output"]  # what stands as ever says nothing, and run ids stay what they were
        for key, default in (("method", "nearest"), ("resolution", None)):
            if output[key] == default:
                del output[key]
        return plain


def explain(error: ValidationError) -> str:
    """Say in one line what pydantic found wrong."""
    lines = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"]) or "value"
        message = item["msg"].removeprefix("Value error, ")
        lines.append(
            f"{where}: {message} (got {item['input']!r})" if item["type"] != "missing" else f"{where}: missing"
        )
    return "; ".join(lines)


def recipe_files(registry: Registry) -> dict[str, Any]:
    """Map recipe names to the files that installed catalogs hold."""
    found: dict[str, Any] = {}
    for record in registry.catalogs:
        if record.kind == "recipes":
            folder = files(record.package).joinpath(record.folder) if record.folder else files(record.package)
            for file in sorted(folder.iterdir(), key=lambda item: item.name):
                if file.name.endswith(".yaml"):
                    found.setdefault(file.name.removesuffix(".yaml"), file)
    return found


def _read(source: str, registry: Registry) -> Any:
    known = recipe_files(registry)
    if source in known:
        text = known[source].read_text(encoding="utf-8")
    else:
        path = Path(source)
        if path.suffix not in (".yaml", ".yml"):
            raise RecipeError(
                f"there is no recipe {source!r}",
                f"{', '.join(sorted(known))}, or a .yaml file",
                "See `hsgeo list recipes`",
            )
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"recipe {source!r} cannot be read: {error}", "a YAML text file") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"recipe {source!r} is not YAML: {' '.join(str(error).split())}", "YAML") from error


def load_recipe(
    recipe: str | Path | Mapping[str, Any] | Recipe | None,
    registry: Registry,
    *,
    stages: Sequence[Mapping[str, Any] | str] | None = None,
) -> Recipe:
    """Load a recipe by name, file or content.

    Parameters
    ----------
    recipe : str, path, mapping, Recipe or None
        None: the default recipe, or an unnamed one when ``stages`` is given.
    registry : Registry
        Knows the installed recipes.
    stages : sequence, optional
        The stages alone: names, or mappings with ``use``, ``with`` and ``id``.

    Returns
    -------
    Recipe
        The checked recipe.

    Raises
    ------
    RecipeError
        If there is no such recipe, or it is malformed.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if stages is not None:
        if recipe is not None:
            raise RecipeError("both a recipe and stages were given", "one of them", "Leave one out")
        content: Any = {"stages": [{"use": step} if isinstance(step, str) else dict(step) for step in stages]}
    elif isinstance(recipe, Mapping):
        content = dict(recipe)
    else:
        content = _read(str(recipe) if recipe is not None else DEFAULT_RECIPE, registry)
    if not isinstance(content, dict):
        raise RecipeError(f"the recipe holds {type(content).__name__}", "a mapping with 'stages:'", "See docs/recipes")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"the recipe is malformed: {explain(error)}", "the format of docs/recipes") from error


_OF_OUTPUT = ("grid", "method", "resolution")  # of the block itself; all else is the writer's


def override(recipe: Recipe, options: Mapping[str, Any] | None, *, seed: int | None = None) -> Recipe:
    """Lay options over a recipe.

    Parameters
    ----------
    recipe : Recipe
        What to change; it stays as it is.
    options : mapping, optional
        ``{"archetypes": {"count": 4}}`` or ``{"archetypes.count": 4}``; ``scene``, ``reader`` and ``output``
        name the blocks around the stages.
    seed : int, optional
        Replaces the recipe's.

    Returns
    -------
    Recipe
        A new recipe.

    Raises
    ------
    ConfigError
        If a step does not exist or a value does not fit.
    """
    plain = recipe.dump()
    if seed is not None:
        plain["seed"] = seed
    targets = {step.get("id") or step["use"]: step["with"] for step in plain["stages"]}
    targets["scene"], targets["output"] = plain["scene"]["with"], plain["output"]["with"]
    targets["reader"] = plain["scene"]["reader"]
    for name, value in (options or {}).items():
        step, _, key = str(name).partition(".")
        if step not in targets:
            raise ConfigError(
                f"option {name!r} names the step {step!r}, which the recipe {recipe.name!r} does not have",
                ", ".join(targets),
                "See `hsgeo show STAGE` for a stage's options",
            )
        given = {key: value} if key else value
        if isinstance(given, Mapping):
            for each, setting in given.items():
                block = plain["output"] if step == "output" and each in _OF_OUTPUT else targets[step]
                block[each] = setting
        else:
            raise ConfigError(f"option {name!r} is {value!r}", "step.key=value, or a mapping of keys to values")
    mask = targets["scene"].get("mask")
    if wrong := _no_flags((mask,) if isinstance(mask, str) else mask):
        raise ConfigError(
            f"{wrong} is no quality flag, and cannot be masked",
            ", ".join(_FLAGS),
            "Correct --mask or scene.mask; docs/conventions says what each flag means",
        )
    try:
        return Recipe.model_validate(plain)
    except ValidationError as error:
        raise ConfigError(f"an option does not fit: {explain(error)}", "the options that `hsgeo show` lists") from error

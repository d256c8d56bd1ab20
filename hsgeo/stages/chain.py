"""The chain: stages of a recipe made real, and the check that each finds what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from hsgeo.errors import ConfigError, PluginError, RecipeError
from hsgeo.plugin.needs import Layout, VarSpec
from hsgeo.plugin.protocols import Stage
from hsgeo.plugin.records import StageRecord, Var
from hsgeo.plugin.registry import Registry
from hsgeo.stages.recipe import Recipe, explain

__all__ = ["Step", "build_chain", "check_chain", "drop_endmember_steps", "make_options"]

FITTED_ONLY = {"endmembers", "count", "noise"}  # a stage that writes no more than this only finds or counts endmembers


@dataclass(frozen=True)
class Step:
    """One stage of the chain, ready to be asked.

    Parameters
    ----------
    id : str
        Name of the step in the recipe.
    record : StageRecord
        What the plugin declared.
    stage : Stage
        The definition, built with its options.
    """

    id: str
    record: StageRecord
    stage: Stage

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Return the stage's outputs, checked against its record."""
        specs = self.stage.outputs(layout)
        declared = {var.name: var for var in self.record.writes}
        for name, spec in specs.items():
            if name not in declared or declared[name].scope != spec.scope:
                raise PluginError(
                    f"stage {self.record.name!r} announces {name!r} with scope {spec.scope}",
                    f"what its record declares: {', '.join(f'{v.name} ({v.scope})' for v in self.record.writes)}",
                    "Correct writes= in the stage's record",
                )
        for var in self.record.writes:
            if not var.optional and var.name not in specs:
                raise PluginError(
                    f"stage {self.record.name!r} declares {var.name!r} but does not announce it in outputs()",
                    "every declared variable that is not optional",
                )
        return specs

    def reads(self, scope: str) -> tuple[Var, ...]:
        """Return the variables read with this scope."""
        return tuple(var for var in self.record.reads if var.scope == scope)


def make_options(model: type[Any] | None, values: Mapping[str, Any], what: str) -> BaseModel | None:
    """Validate options against a plugin's model.

    Parameters
    ----------
    model : type or None
        The pydantic model; None: there are no options.
    values : mapping
        What was given.
    what : str
        Named in the error, such as ``"stage 'fcls'"``.

    Returns
    -------
    pydantic.BaseModel or None
        The validated options.

    Raises
    ------
    ConfigError
        If a key is unknown or a value does not fit.
    """
    if model is None:
        if values:
            raise ConfigError(f"{what} got the option {next(iter(values))!r}", "no options")
        return None
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        accepted = ", ".join(field.alias or name for name, field in model.model_fields.items()) or "no options"
        raise ConfigError(f"{what} got an option that does not fit: {explain(error)}", accepted) from error


def build_chain(recipe: Recipe, registry: Registry) -> tuple[Step, ...]:
    """Look the stages of a recipe up and build them with their options.

    Raises
    ------
    PluginError
        If a stage is missing or broken.
    ConfigError
        If an option does not fit.
    """
    steps = []
    for use in recipe.stages:
        record = registry.stage(use.use)
        options = make_options(registry.options(record), use.with_, f"stage {use.key!r}")
        target = registry.load(record)
        steps.append(Step(use.key, record, target(options)))
    return tuple(steps)


def drop_endmember_steps(steps: Iterable[Step]) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Leave out the steps that only find or count endmembers, because these were given.

    One that counts stays where a later step that stays reads what it writes; one that only measures noise stays
    always, because the product holds the noise.

    Returns
    -------
    kept : tuple of Step
        The rest.
    dropped : tuple of str
        Their ids, for a notice.
    """
    kept: list[Step] = []
    dropped: list[str] = []
    read: set[str] = set()  # by the steps kept so far, which come later in the chain
    for step in reversed(tuple(steps)):
        writes = {var.name for var in step.record.writes}
        finds, counts = "endmembers" in writes, "count" in writes and not writes & read
        if writes <= FITTED_ONLY and (finds or counts):
            dropped.append(step.id)
        else:
            kept.append(step)
            read |= {var.name for var in step.record.reads}
    return tuple(reversed(kept)), tuple(reversed(dropped))


def check_chain(steps: Iterable[Step], layout: Layout, given: Mapping[str, str]) -> None:
    """Check, before any pixel is read, that every step finds what it reads.

    Parameters
    ----------
    steps : iterable of Step
        In order.
    layout : Layout
        What is known so far.
    given : mapping of str to str
        Variables there from the start, and their scope.

    Raises
    ------
    RecipeError
        If a variable is missing or has another scope, if no step writes abundances, or if abundances are
        computed from endmembers that a later step replaces, or from spectra that a later step corrects.
    """
    steps = tuple(steps)
    known = dict(given)
    abundance_by: Step | None = None
    for step in steps:
        for var in step.record.reads:
            if var.name not in known:
                if var.optional:
                    continue
                writers = [other.id for other in steps if any(w.name == var.name for w in other.record.writes)]
                raise RecipeError(
                    f"step {step.id!r} reads {var.name!r}, which nothing before it writes",
                    f"there are: {', '.join(sorted(known))}",
                    f"Move {writers[0]!r} before it"
                    if writers and writers[0] != step.id
                    else "Give endmembers (--endmembers)"
                    if var.name in ("endmembers", "library")
                    else f"Add a stage that writes {var.name!r} before it",
                )
            if known[var.name] != var.scope:
                raise RecipeError(
                    f"step {step.id!r} reads {var.name!r} with scope {var.scope}", f"scope {known[var.name]}"
                )
        written = step.outputs(layout)
        if "endmembers" in written:
            layout = replace(layout, scale=written["endmembers"].attrs.get("scale", "physical"))
        if "endmembers" in written and "abundance" not in written and abundance_by is not None:
            later = steps[steps.index(step) + 1 :]
            if not any(_solves(other, layout) for other in later):
                raise RecipeError(
                    f"step {step.id!r} replaces the endmembers from which {abundance_by.id!r} computed the abundances",
                    "an abundance stage that solves again after the last endmember stage",
                    f"Add one after {step.id!r}, or move {step.id!r} before {abundance_by.id!r}",
                )
        if "spectra" in written and abundance_by is not None:
            later = steps[steps.index(step) + 1 :]
            if not any(_solves(other, layout) for other in later):
                raise RecipeError(
                    f"step {step.id!r} corrects the spectra from which {abundance_by.id!r} computed the abundances",
                    "an abundance stage that solves again after the last correction",
                    f"Move {step.id!r} before {abundance_by.id!r}",
                )
        if "abundance" in written:
            abundance_by = step
        known.update({name: spec.scope for name, spec in written.items()})
    if abundance_by is None:
        raise RecipeError(
            "no step writes abundances", "a recipe with an abundance stage, such as fcls", "See `hsgeo list stages`"
        )


def _solves(step: Step, layout: Layout) -> bool:
    """Tell whether the step computes abundances anew from the endmembers, not only from abundances."""
    reads = {var.name for var in step.record.reads if not var.optional}
    return (
        "abundance" in step.outputs(layout)
        and ("endmembers" in reads or "library" in reads)
        and "abundance" not in reads
    )

"""What a user gives a fit instead of letting it look: endmembers, class names, labelled pixels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.api.labels import open_labels
from hsgeo.api.naming import library_hash
from hsgeo.errors import ConfigError
from hsgeo.plugin.registry import registry
from hsgeo.stages.labels import Labels
from hsgeo.stages.recipe import Recipe

__all__ = ["given_spectra"]


def given_spectra(
    scenes: Sequence[xr.Dataset],
    recipe: Recipe,
    *,
    endmembers: str | Path | xr.Dataset | None,
    classes: str | Sequence[str] | None,
    labels: Any,
    label_field: str | None,
    label_layer: str | None,
    names_from: Any,
    notice: Callable[[str], None],
) -> tuple[xr.Dataset | None, Labels | None]:
    """Open what was given, and refuse what does not go together.

    Parameters
    ----------
    scenes : sequence of xarray.Dataset
        What is fitted.
    recipe : Recipe
        Decides whether a class keeps all its spectra (stages for libraries) or gets one.
    endmembers, classes, labels, label_field, label_layer, names_from
        As for `hsgeo.fit`.
    notice : callable
        Told what the user should know.

    Returns
    -------
    library : xarray.Dataset or None
        Given spectra.
    labels : Labels or None
        Labelled pixels, whose classes are the given endmembers.

    Raises
    ------
    ConfigError
        Two of them exclude each other, or one cannot be used.
    """
    from hsgeo.api.verbs import open_library

    said = {"endmembers": endmembers, "classes": classes, "labels": labels}
    given = [name for name, value in said.items() if value is not None]
    if names_from is not None and given:
        raise ConfigError(
            f"names for endmembers that were given ({given[0]})", f"{given[0]} or names_from", "Use rename"
        )
    if labels is not None and len(given) > 1:
        raise ConfigError(
            f"labels together with {given[0]}",
            "one of them: labelled pixels give the endmembers themselves",
            "Leave one out",
        )
    if labels is None and (label_field is not None or label_layer is not None):
        raise ConfigError("a label field or layer without labels", "them together", "Give labels")
    if labels is not None:
        if len(scenes) > 1:
            raise ConfigError(f"labels for {len(scenes)} scenes", "one scene", "Fit the labelled scene, use its state")
        return None, open_labels(labels, scenes[0], field=label_field, layer=label_layer, notice=notice)
    if classes is not None:
        return _by_name(scenes[0], recipe, endmembers, classes, notice), None
    return None if endmembers is None else open_library(endmembers), None


def _by_name(
    scene: xr.Dataset,
    recipe: Recipe,
    endmembers: str | Path | xr.Dataset | None,
    classes: str | Sequence[str],
    notice: Callable[[str], None],
) -> xr.Dataset:
    from hsgeo.api.verbs import open_library
    from hsgeo.spectra.library import resample_library
    from hsgeo.spectra.library_classes import class_centres, find_classes

    wanted = classes.split(",") if isinstance(classes, str) else list(classes)
    library = _procedural() if endmembers is None else open_library(endmembers)
    chosen = find_classes(library, wanted)
    names = list(dict.fromkeys(chosen["class"].values.astype(str).tolist()))
    if endmembers is None:
        said = ", ".join(names)
        notice(f"no library was given: {said} are procedural spectra, typical in shape and nominal in brightness")
    path = endmembers.encoding.get("source") if isinstance(endmembers, xr.Dataset) else endmembers
    record = {
        "by": "classes",
        "names": names,
        "hash": library_hash(chosen, "class"),
        "classes": {name: {"spectra": int((chosen["class"].values == name).sum())} for name in names},
        "path": None if path is None else str(path),
        "library": "procedural" if endmembers is None else None if path is None else Path(path).name,
    }
    if not any(var.name == "library" for use in recipe.stages for var in registry().stage(use.use).reads):
        fwhm = scene["fwhm"].values if "fwhm" in scene.coords else None
        chosen = class_centres(resample_library(chosen, scene["wavelength"].values, fwhm))
    return chosen.assign_attrs(hsgeo_given=json.dumps(record, sort_keys=True))


def _procedural() -> xr.Dataset:
    from hsgeo.spectra.library import build
    from hsgeo.synthetic import MATERIALS, fine_spectrum

    wavelength = fine_spectrum(MATERIALS[0])[0]
    spectra = np.stack([fine_spectrum(name)[1] for name in MATERIALS])
    return build(spectra, wavelength, None, {"name": np.array(MATERIALS), "class": np.array(MATERIALS)})

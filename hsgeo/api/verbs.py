"""The verbs: open, fit, unmix."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.product.opening import open_product, open_state
from hsgeo.scene import check_scene, open_scene

__all__ = [
    "check_scene",
    "fit",
    "list_plugins",
    "open_library",
    "open_product",
    "open_scene",
    "open_state",
    "unmix",
]

Progress = Callable[[str, int, int], None]
"""``progress(what, done, total)``."""


def _silent(what: str, done: int, total: int) -> None:
    pass


def _warn(text: str) -> None:
    warnings.warn(text, HsgeoWarning, stacklevel=3)


def list_plugins(kind: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """List what is installed; nothing of it is loaded.

    Parameters
    ----------
    kind : {"stages", "readers", "writers", "recipes", "plugins"}, optional
        One kind; None: all.

    Returns
    -------
    dict of str to list of dict
        Name, summary and provider of each; broken plugins with their error.
    """
    from hsgeo.plugin.listing import list_all
    from hsgeo.plugin.registry import registry

    return list_all(registry(), kind)


def open_library(
    library: str | Path | xr.Dataset,
    *,
    scale: float | None = None,
    level: str | int | None = None,
    dtype: str = "float32",
    select: Iterable[str] = (),
    drop: Iterable[str] = (),
    rename: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Open endmember spectra: ENVI ``.sli``, CSV, ECOSTRESS or splib07 text, Zarr, netCDF, or an earlier product.

    Parameters
    ----------
    library : path or xarray.Dataset
        Where they are, a file or a folder of text files; a Dataset is a library or a product already opened.
    scale : float, optional
        The numbers in a file are divided by this; None: by what the file says, or by their size.
    level : str or int, optional
        Column that holds the classes, such as ``"level_2"`` (or 2); None: ``class``, as the file has it.
    dtype : {"float32", "float64"}
        Of the spectra.
    select : iterable of str
        Names to keep, in this order, or patterns such as ``"soil*"``; none: all.
    drop : iterable of str
        Names or patterns to leave out.
    rename : mapping of str to str
        New names by old ones.

    Returns
    -------
    xarray.Dataset
        ``spectra (spectrum, band)`` with ``name``, ``wavelength``, ``fwhm``.

    Raises
    ------
    ConfigError
        If it cannot be read or a name is not there.
    """
    from hsgeo.spectra.library import as_library, by_class, choose, read_library

    if isinstance(library, xr.Dataset):
        opened = as_library(library, dtype=dtype)
        said = {key: library.attrs[key] for key in ("hsgeo_given",) if key in library.attrs}
        opened = opened.assign_attrs(said)  # where a run that comes again has them from
    elif not isinstance(library, (str, Path)):
        raise ConfigError(
            f"endmembers is a {type(library).__name__}",
            "a path, or a Dataset: a library or a product",
            "See docs/conventions",
        )
    elif Path(library).suffix.lower() in (".tif", ".tiff"):  # a product in COG form carries its endmembers, too
        opened = as_library(open_product(library), dtype=dtype)
    else:
        opened = read_library(Path(library), scale=scale, dtype=dtype)
    if level is not None:
        opened = by_class(opened, level=level)
    return choose(opened, select=tuple(select), drop=tuple(drop), rename=dict(rename or {}))


def fit(
    scenes: xr.Dataset | Sequence[xr.Dataset],
    *,
    recipe: str | Path | Mapping[str, Any] | None = None,
    stages: Sequence[Mapping[str, Any] | str] | None = None,
    options: Mapping[str, Any] | None = None,
    endmembers: str | Path | xr.Dataset | None = None,
    classes: str | Sequence[str] | None = None,
    labels: Any = None,
    label_field: str | None = None,
    label_layer: str | None = None,
    names_from: Any = None,
    seed: int | None = None,
    notice: Callable[[str], None] = _warn,
    progress: Progress = _silent,
) -> dict[str, xr.Dataset]:
    """Learn what a recipe has to learn, from one scene or several; reads a bounded sample.

    Parameters
    ----------
    scenes : xarray.Dataset or sequence of xarray.Dataset
        Scenes with the same bands.
    recipe : str, path or mapping, optional
        Name, file or content; None: ``classical``.
    stages : sequence, optional
        The stages alone, instead of a recipe: names, or mappings with ``use``, ``with``, ``id``.
    options : mapping, optional
        ``{"archetypes": {"count": 4}}`` or ``{"archetypes.count": 4}``, over the recipe's.
    endmembers : path or xarray.Dataset, optional
        Given endmembers; stages that only find endmembers are left out.
    classes : str or sequence of str, optional
        Names of the classes, ``"soil,water"`` or a list, looked up among the classes and spectra of ``endmembers``
        (``soil*`` takes all that match); without ``endmembers`` among the procedural `hsgeo.synthetic.MATERIALS`.
    labels : path, mapping or xarray.DataArray, optional
        Labelled pixels, whose spectra become the endmembers, one robust centre a class: a file of polygons or points
        (``.geojson``, ``.shp``, ``.gpkg``), a ``.csv`` with ``name,x,y`` or ``name,row,col``, a mapping
        ``{name: [(row, col), ...]}``, or a DataArray ``(y, x)`` of names (empty: none) or numbers (0 and below: none).
    label_field, label_layer : str, optional
        Field or column of the file that names the class; layer of a GeoPackage.
    names_from : path, xarray.Dataset or mapping, optional
        Library that names the endmembers found, each by its nearest spectrum where that is clear
        (`hsgeo.spectra.naming`); or a mapping with ``library`` and any of ``by``, ``threshold``, ``rival``.
    seed : int, optional
        Instead of the recipe's.
    notice : callable
        Told what the user should know; default: a warning.
    progress : callable
        ``progress(what, done, total)``.

    Returns
    -------
    dict of str to xarray.Dataset
        States by step id, to be given to `unmix` as ``state``.

    Raises
    ------
    HsgeoError
        If a scene, the recipe, an option, the endmembers, classes or labels cannot be used.
    """
    from hsgeo.api.given import given_spectra
    from hsgeo.api.recipes import unsourced_flags
    from hsgeo.plugin.registry import registry
    from hsgeo.run.fit import fit_chain
    from hsgeo.stages.recipe import load_recipe, override

    opened = [scenes] if isinstance(scenes, xr.Dataset) else list(scenes)
    if not opened:
        raise ConfigError("no scene was given", "one scene or more")
    for scene in opened:
        check_scene(scene)
    chosen = override(load_recipe(recipe, registry(), stages=stages), options, seed=seed)
    for scene in opened:
        if said := unsourced_flags(scene, options):
            notice(said)
    library, marked = given_spectra(
        opened,
        chosen,
        endmembers=endmembers,
        classes=classes,
        labels=labels,
        label_field=label_field,
        label_layer=label_layer,
        names_from=names_from,
        notice=notice,
    )
    state = fit_chain(
        opened,
        chosen,
        registry(),
        library=library,
        labels=marked,
        say_dropped=recipe is not None or stages is not None,  # nobody asked for the default's own
        notice=notice,
        progress=lambda step, fraction: progress(step, round(100 * fraction), 100),
    )
    if names_from is not None:
        from hsgeo.api.naming import name_state

        name_state(state, opened[0], names_from, notice=notice)
    return state


def unmix(
    scene: xr.Dataset,
    *,
    recipe: str | Path | Mapping[str, Any] | None = None,
    stages: Sequence[Mapping[str, Any] | str] | None = None,
    options: Mapping[str, Any] | None = None,
    endmembers: str | Path | xr.Dataset | None = None,
    classes: str | Sequence[str] | None = None,
    labels: Any = None,
    label_field: str | None = None,
    label_layer: str | None = None,
    names_from: Any = None,
    state: Mapping[str, xr.Dataset] | str | Path | None = None,
    seed: int | None = None,
    tile: int | str = "auto",
    client: Any = None,
    on_tile_error: str = "raise",
    notice: Callable[[str], None] = _warn,
    progress: Progress = _silent,
) -> xr.Dataset:
    """Unmix a scene, lazily.

    Reads the fit sample at once (unless ``state`` is given) and everything else when the result is computed
    or written. The result does not depend on ``tile``, scheduler or workers.

    Parameters
    ----------
    scene : xarray.Dataset
        A scene (docs/conventions), lazy, on dask or in memory.
    recipe, stages, options, endmembers, classes, labels, label_field, label_layer, names_from
        As for `fit`.
    state : mapping or path, optional
        From `fit`, or a product that was fitted before; then nothing is learnt.
    seed : int, optional
        Instead of the recipe's.
    tile : int or "auto"
        Side of a tile in pixels; ``"auto"``: by memory.
    client : distributed.Client, optional
        Where the tiles will be computed; its workers' memory counts for ``tile="auto"``.
    on_tile_error : {"raise", "mask"}
        ``"mask"``: a failing tile becomes pixels with the quality bit ``failed``.
    notice, progress : callable
        As for `fit`.

    Returns
    -------
    xarray.Dataset
        A product: ``abundance (endmember, y, x)``, ``endmembers (endmember, band)``, ``rmse``, ``quality``, on the
        scene's own pixels; `hsgeo.georeference` brings that of a swath onto a map.

    Raises
    ------
    HsgeoError
        If the scene, the recipe, an option, the endmembers or the state cannot be used.
    """
    from hsgeo.plugin.registry import registry
    from hsgeo.product.georeferencing import kept_swath
    from hsgeo.product.georeferencing_grid import has_geolocation
    from hsgeo.product.placement import find_placement
    from hsgeo.run.plan import make_plan
    from hsgeo.run.product import plan_tile, product_of

    if on_tile_error not in ("raise", "mask"):
        raise ConfigError(f"on_tile_error is {on_tile_error!r}", "'raise' or 'mask'")
    if not (tile == "auto" or (isinstance(tile, int) and not isinstance(tile, bool) and tile > 0)):
        raise ConfigError(f"tile is {tile!r}", "a positive number of pixels, or 'auto'", "Leave it out")
    check_scene(scene)
    if state is None:
        state = fit(
            scene,
            recipe=recipe,
            stages=stages,
            options=options,
            endmembers=endmembers,
            classes=classes,
            labels=labels,
            label_field=label_field,
            label_layer=label_layer,
            names_from=names_from,
            seed=seed,
            notice=notice,
            progress=progress,
        )
    elif any(
        given is not None
        for given in (recipe, stages, options, endmembers, classes, labels, label_field, label_layer, names_from)
    ):
        raise ConfigError(
            "a state was given together with a recipe, stages, options, endmembers, classes, labels or names_from",
            "the state alone: it holds all of them",
            "Leave the others out, or fit again",
        )
    if isinstance(state, (str, Path)):
        state = open_state(state)
    if find_placement(scene).crs is None and not has_geolocation(scene):
        notice("the scene has no CRS, so the product will have none")
    plan = make_plan(scene, state, registry(), seed=seed, on_tile_error=on_tile_error)
    side = plan_tile(plan, scene, client) if tile == "auto" else int(tile)
    product = product_of(scene, plan, state, side, registry())
    if has_geolocation(product):
        product.attrs |= kept_swath(product)
    product.encoding["hsgeo_state"] = dict(state)
    return product

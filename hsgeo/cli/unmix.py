"""``hsgeo unmix``: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

__all__ = ["unmix"]


def _options(pairs: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    from hsgeo.errors import ConfigError

    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or "." not in key:
            raise ConfigError(f"-o {pair!r}", "step.key=value", "Write for example -o archetypes.count=5")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"the value of -o {pair!r} is not YAML", "a number, word or [list]") from error
    return found


def _names(pairs: tuple[str, ...]) -> dict[str, str]:
    from hsgeo.errors import ConfigError

    found = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (equals and old and new):
            raise ConfigError(f"--rename {pair!r}", "old=new", "Write for example --rename e2=soil")
        found[old] = new
    return found


@click.command("unmix")
@click.option("--input", "input_", required=True, type=click.Path(path_type=Path), help="The scene.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The product: .zarr or .tif (COG).")
@click.option("--recipe", help="Name or YAML file; default: the one for everybody.")
@click.option("-o", "options", multiple=True, metavar="STEP.KEY=VALUE", help="Option of a step, scene, reader, output.")
@click.option(
    "--endmembers",
    "--library",
    type=click.Path(path_type=Path),
    help="Library (.sli, .csv, .zarr, .nc) or a product.",
)
@click.option(
    "--classes",
    metavar="A,B,...",
    help="Classes to look up in the library, or without one among procedural spectra; soil* takes all that match.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Labelled polygons or points (.gpkg, .geojson, .shp, .csv): the scene's own spectra of these classes.",
)
@click.option("--label-field", metavar="NAME", help="Field of the labels that names the class.")
@click.option("--label-layer", metavar="NAME", help="Layer of the labels, where a GeoPackage has several.")
@click.option("--class-level", metavar="COLUMN", help="Column of the library that holds its classes, such as level_2.")
@click.option("--library-scale", type=float, help="Factor from the library's numbers to reflectance.")
@click.option(
    "--select",
    multiple=True,
    metavar="NAME",
    help="Use only these of the given endmembers; soil* takes all that match.",
)
@click.option("--drop", multiple=True, metavar="NAME", help="Leave these out.")
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="Give an endmember another name.")
@click.option(
    "--name-from",
    type=click.Path(path_type=Path),
    metavar="LIBRARY",
    help="Name the endmembers found after the nearest spectra of this library, where that is clear.",
)
@click.option("--name-by", metavar="COLUMN", help="Column of that library with the names; default: class, or name.")
@click.option("--count", type=int, help="Number of endmembers; default: found out.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.")
@click.option("--tile", type=click.IntRange(min=1), help="Tile side, pixels; default: by memory. Changes no result.")
@click.option("--state", type=click.Path(path_type=Path), help="A product fitted before: learn nothing, only apply.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--reader", help="Reader, where several know the file.")
@click.option(
    "--grid",
    metavar="auto|swath|utm|EPSG:N|PATH",
    help="Grid of the product; auto: swaths get the map grid of their file, else UTM; all others keep theirs. "
    "PATH: exactly the grid of a GeoTIFF or product.",
)
@click.option(
    "--mask",
    metavar="FLAG,...|none",
    help="Quality flags that leave a pixel out; default: cloud,cloud_shadow,cirrus,invalid. Short for -o scene.mask.",
)
@click.option(
    "--zarr-format", type=click.Choice(["2", "3"]), help="Of a .zarr product; default: 2, which all GIS read."
)
@click.option("--cluster", metavar="local:N|cuda|tcp://...", help="dask cluster; default: threads of this process.")
@click.option("--on-tile-error", type=click.Choice(["raise", "mask"]), default="raise", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an existing product.")
@click.option("--resume", is_flag=True, help="Go on with an incomplete product.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def unmix(
    input_: Path,
    out: Path,
    recipe: str | None,
    options: tuple[str, ...],
    endmembers: Path | None,
    classes: str | None,
    labels: Path | None,
    label_field: str | None,
    label_layer: str | None,
    class_level: str | None,
    library_scale: float | None,
    select: tuple[str, ...],
    drop: tuple[str, ...],
    rename: tuple[str, ...],
    name_from: Path | None,
    name_by: str | None,
    count: int | None,
    seed: int | None,
    tile: int | None,
    state: Path | None,
    plugins: tuple[Path, ...],
    reader: str | None,
    grid: str | None,
    mask: str | None,
    zarr_format: str | None,
    cluster: str | None,
    on_tile_error: str,
    overwrite: bool,
    resume: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Unmix a scene into georeferenced abundance maps."""
    from hsgeo.cli.job import Job, run_job
    from hsgeo.errors import ConfigError
    from hsgeo.plugin.registry import registry

    registry(plugins)
    if endmembers is None and (select or drop or rename or class_level):
        raise ConfigError(
            "--select, --drop, --rename or --class-level without --endmembers", "them together", "Give --endmembers"
        )
    if name_by is not None and name_from is None:
        raise ConfigError("--name-by without --name-from", "them together", "Give --name-from")
    if labels is None and (label_field or label_layer):
        raise ConfigError("--label-field or --label-layer without --labels", "them together", "Give --labels")
    if labels is not None and (endmembers or classes):
        raise ConfigError(
            f"--labels together with {'--endmembers' if endmembers else '--classes'}",
            "one of them: labelled pixels give the endmembers themselves",
            "Leave one out",
        )
    if name_from is not None and (endmembers or classes or labels):
        raise ConfigError("--name-from together with given endmembers", "one of them", "Use --rename")
    learnt = (recipe, options, mask, endmembers, classes, labels, name_from, count is not None)
    if state is not None and any(given for given in learnt):
        raise ConfigError(
            "--state together with --recipe, -o, --mask, --count, --name-from, --endmembers, --classes or --labels",
            "--state alone: it holds all of them",
            "Leave the others out, or fit again without --state",
        )
    if count is not None and (endmembers or classes or labels):
        given = "--endmembers" if endmembers else "--classes" if classes else "--labels"
        raise ConfigError(f"--count together with {given}", "one of them", "Choose with --select or --drop")
    laid = _options(options)
    if count is not None and any(key.endswith(".count") for key in laid):
        raise ConfigError("--count together with -o STEP.count", "one of them", "Leave one out")
    if mask is not None:
        if "scene.mask" in laid:
            raise ConfigError("--mask together with -o scene.mask", "one of them", "Leave one out")
        laid["scene.mask"] = [flag.strip() for flag in mask.split(",") if flag.strip() not in ("", "none")]
    if zarr_format is not None:
        laid["output.zarr_format"] = int(zarr_format)
    job = Job(
        input=input_,
        out=out,
        recipe=recipe,
        options=laid,
        endmembers=endmembers,
        classes=classes,
        labels=labels,
        label_field=label_field,
        label_layer=label_layer,
        class_level=class_level,
        library_scale=library_scale,
        select=select,
        drop=drop,
        rename=_names(rename),
        names_from=None if name_from is None else {"library": name_from, "by": name_by},
        count=count,
        seed=seed,
        tile=tile,
        state=state,
        reader=reader,
        grid=grid,
        cluster=cluster,
        on_tile_error=on_tile_error,
        overwrite=overwrite,
        resume=resume,
        quiet=quiet,
        as_json=as_json,
    )
    sys.exit(run_job(job))

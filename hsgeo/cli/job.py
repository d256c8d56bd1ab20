"""What ``hsgeo unmix`` and ``hsgeo rerun`` share: open, fit, unmix, write, sum up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

__all__ = ["Job", "run_job"]

MANY = 0.2  # of the usable pixels unmodelled: then the summary says what to try


@dataclass(frozen=True)
class Job:
    """One unmixing from file to file; the fields are the options of ``hsgeo unmix``."""

    input: Path
    out: Path
    recipe: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    endmembers: Any = None
    class_level: str | None = None
    library_scale: float | None = None
    select: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    classes: str | None = None
    labels: Any = None
    label_field: str | None = None
    label_layer: str | None = None
    names_from: Any = None
    count: int | None = None
    seed: int | None = None
    tile: int | None = None
    state: Path | None = None
    reader: str | None = None
    grid: str | None = None
    cluster: str | None = None
    on_tile_error: str = "raise"
    overwrite: bool = False
    resume: bool = False
    quiet: bool = False
    as_json: bool = False
    expected: Mapping[str, Any] | None = None
    weights: Mapping[str, Any] = field(default_factory=dict)


def run_job(job: Job) -> int:
    """Do the job and print its summary.

    Parameters
    ----------
    job : Job
        What to do.

    Returns
    -------
    int
        Exit code: 0, or 3 when some tiles failed.
    """
    from hsgeo import api
    from hsgeo.cli.progress import notice, progress_bars
    from hsgeo.run.cluster import cluster_client

    start = time.perf_counter()
    grid, like = api.read_grid(job.grid), api.grid_file(job.grid)
    read = (job.input, job.endmembers, job.state, like, api.names_path(job.names_from), api.labels_path(job.labels))
    inputs = [path for path in read if isinstance(path, Path)]
    api.check_output(job.out, overwrite=job.overwrite, resume=job.resume, inputs=inputs)
    seen: list[str] = []

    def tell(text: str) -> None:
        if text not in seen:
            seen.append(text)
            if not job.quiet:
                notice(text)

    if job.state is not None:
        state: Any = api.open_state(job.state)
        recipe = api.state_recipe(state)
    else:
        state = None
        recipe = api.resolve_recipe(
            job.recipe, options=job.options, seed=job.seed, count=job.count, reader=job.reader, grid=grid
        )
    if grid is None and (like := api.grid_file(recipe["output"]["grid"])) is not None:
        inputs.append(like)
    recipe["output"]["grid"] = api.read_grid(recipe["output"]["grid"]) if grid is None else grid
    recipe["output"]["use"] = api.writer_name(recipe["output"]["use"], job.out)
    tile = job.tile or (api.unfinished_tile(job.out) if job.resume else None) or "auto"
    scene = api.open_scene(
        job.input, reader=job.reader or recipe["scene"]["use"], options=recipe["scene"]["reader"], chunks=None
    )
    if said := api.unsourced_flags(scene, job.options):
        tell(said)
    api.check_grid(scene, recipe["output"])
    library = None
    if job.endmembers is not None:
        library = api.open_library(
            job.endmembers,
            scale=job.library_scale,
            level=job.class_level,
            select=job.select,
            drop=job.drop,
            rename=job.rename,
        )
        if isinstance(job.endmembers, Path):
            library.encoding["source"] = str(job.endmembers)
    with cluster_client(job.cluster) as client, progress_bars(quiet=job.quiet) as progress:
        if state is None:
            state = api.fit(
                scene,
                recipe=recipe,
                endmembers=library,
                classes=job.classes,
                labels=job.labels,
                label_field=job.label_field,
                label_layer=job.label_layer,
                names_from=job.names_from,
                notice=tell,
                progress=progress,
            )
            for step, learnt in state.items():
                if "told" in learnt.attrs:
                    tell(f"{step}: {learnt.attrs['told']}")
        product = api.unmix(
            scene,
            state=state,
            seed=job.seed,
            tile=tile,
            client=client,
            on_tile_error=job.on_tile_error,
            notice=tell,
        )
        if job.expected is not None:
            api.check_same_input(product, job.expected)
        api.check_same_weights(product, job.weights)
        on_sensor_grid: list[dict[str, Any]] = []  # of a swath that goes onto a map: what was measured, not its cells
        written = api.write(
            api.on_grid(product, recipe["output"]),
            job.out,
            state=state,
            writer=recipe["output"]["use"],
            options=recipe["output"]["with"],
            overwrite=job.overwrite,
            resume=job.resume,
            client=client,
            inputs=inputs,
            progress=progress,
            measured=None if job.quiet and not job.as_json else lambda ds: on_sensor_grid.append(api.summarise(ds)),
        )
    if not job.quiet or job.as_json:
        _report(job, written, state, time.perf_counter() - start, on_sensor_grid)
    return 3 if written.failed else 0


def _report(
    job: Job, written: Any, state: Mapping[str, Any], seconds: float, on_sensor_grid: Sequence[dict[str, Any]]
) -> None:
    import json

    from hsgeo import api

    product = api.open_product(job.out)
    summary = {
        "out": str(job.out),
        **(on_sensor_grid[0] if on_sensor_grid else api.summarise(product)),
        "place": {**api.placing(product), "mapped": bool(on_sensor_grid)},
        "noise": float(product.attrs.get("noise_level", float("nan"))),
        "sample": {
            step: json.loads(learnt.attrs["sample"]) for step, learnt in state.items() if "sample" in learnt.attrs
        },
        "tiles": {"all": written.tiles, "found_done": written.resumed, "failed": written.failed},
        "seconds": round(seconds, 2),
        "run_id": product.attrs.get("hsgeo_run_id"),
    }
    if job.as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    _table(summary, job)


def _on_map(place: Mapping[str, Any]) -> str:
    """Say onto which grid a swath went."""
    rows, cols = place["size"]
    sides = [f"{side:.6g}" for side in place["cell"]]
    cell = sides[0] if sides[0] == sides[1] else " x ".join(sides)
    return f"map {place['crs']}, {rows:,} x {cols:,} cells of {cell} {place['units']}"


def _table(summary: dict[str, Any], job: Job) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table(title=f"{summary['out']}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("endmember")
    table.add_column("mean abundance", justify="right")
    table.add_column("")
    for name, value in summary["endmembers"].items():
        shown = "no usable pixel" if value != value else f"{value:.3f}"
        table.add_row(escape(name), shown, "" if value != value else "█" * round(30 * min(max(value, 0.0), 1.0)))
    console.print(table)
    share = 100 * summary["usable"] / max(summary["pixels"], 1)
    lines = [
        f"rmse {summary['rmse']:.4f} (mean), noise {summary['noise']:.4f}",
        f"pixels {summary['usable']:,} of {summary['pixels']:,} unmixed ({share:.1f} %)"
        + "".join(f", {count:,} {name}" for name, count in summary["flags"].items()),
        *([_on_map(summary["place"])] if summary["place"]["mapped"] else []),
        f"tiles {summary['tiles']['all']}"
        + (f", {summary['tiles']['found_done']} found done" if summary["tiles"]["found_done"] else "")
        + (f", [red]{summary['tiles']['failed']} failed[/red]" if summary["tiles"]["failed"] else ""),
        f"time {summary['seconds']:.1f} s",
    ]
    for line in lines:
        console.print(line, highlight=False)
    unmodelled = summary["flags"].get("unmodelled", 0)
    if unmodelled > MANY * max(summary["usable"], 1):
        console.print(
            f"[yellow]{100 * unmodelled / summary['usable']:.0f} % of the pixels hold something that the endmembers "
            f"do not explain: try --count {len(summary['endmembers']) + 2}, or look at the rmse map[/yellow]",
            highlight=False,
        )
    console.print("Next:", style="bold")
    console.print(
        f"  hsgeo plot {escape(str(job.out))}        look at the maps and spectra", highlight=False, soft_wrap=True
    )
    if job.out.suffix == ".zarr":
        console.print(
            f"  hsgeo unmix --input OTHER --out other.zarr --state {escape(str(job.out))}        "
            "apply the same fit to another scene",
            highlight=False,
            soft_wrap=True,
        )
    where, name = summary["place"], escape(str(job.out))
    stem = escape(str(job.out.with_name(f"{job.out.stem}_map")))
    if where["swath"]:
        hint = f"  hsgeo georeference {name} --out {stem}.tif        bring it onto a map"
    elif where["turned"] and job.out.suffix == ".zarr":
        hint = (
            f"  hsgeo georeference {name} --out {stem}.zarr --grid utm        north up, for GDAL and QGIS: "
            "they read no turned grid from Zarr, only from .tif"
        )
    elif where["crs"] and where["cell"] and job.out.suffix == ".zarr":
        hint = f"  gdalinfo 'ZARR:\"{name}\":/abundance'        open it in GDAL or QGIS"
    else:
        return
    console.print(hint, highlight=False, soft_wrap=True)

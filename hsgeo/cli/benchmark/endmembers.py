"""``hsgeo benchmark endmembers``: endmembers before and after a stage that makes them again."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hsgeo.cli.benchmark.accuracy import MADE_SCENES, REAL_SCENES, parse_levels

__all__ = ["endmembers"]


@click.command("endmembers")
@click.option(
    "--scenes",
    metavar="A,B,...",
    help=f"Default: {REAL_SCENES} where data is given, else {MADE_SCENES}; procedural: ten.",
)
@click.option(
    "--starts",
    metavar="A,B,...",
    default="archetypes,vca",
    show_default=True,
    help="Stages that find endmembers, with options in brackets.",
)
@click.option(
    "--methods",
    metavar="A,B,...",
    default="endmember-diffusion,endmember-diffusion[prior=library]",
    show_default=True,
    help="Stages that make them again, with options in brackets.",
)
@click.option(
    "--noise", "levels", metavar="DB,...", default="inf,20,10", show_default=True, help="SNR of the noise, dB."
)
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Runs of every combination.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the scenes; default: HSGEO_DATA.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("benchmarks"),
    show_default=True,
    help="Folder of endmembers.csv (one row per run; goes on where it stopped) and endmembers.md.",
)
@click.option("--fresh", is_flag=True, help="Forget the runs that endmembers.csv holds.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--quiet", is_flag=True, help="No progress, no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the sums over the seeds as JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def endmembers(
    scenes: str | None,
    starts: str,
    methods: str,
    levels: str,
    seeds: int,
    data: Path | None,
    out: Path,
    fresh: bool,
    jobs: int,
    plugins: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Measure spectral angles of endmembers before and after they are made again, under noise."""
    import json

    from hsgeo import api
    from hsgeo.cli.progress import notice, progress_bars
    from hsgeo.evaluation.accuracy.recipes import split_list
    from hsgeo.evaluation.endmembers.page import judge

    if data is None and os.environ.get("HSGEO_DATA"):
        data = Path(os.environ["HSGEO_DATA"])
    if scenes is None:
        scenes = MADE_SCENES if data is None else REAL_SCENES
        if data is None and not quiet:
            notice("no data folder is given (--data, HSGEO_DATA), so the scenes are synthetic")
    call = f"hsgeo benchmark endmembers --scenes {scenes} --starts '{starts}' --methods '{methods}'"
    call += f" --noise {levels} --seeds {seeds}"
    numbers = parse_levels(levels)
    try:
        with progress_bars(quiet=quiet or as_json) as progress:
            summary = api.benchmark_endmembers(
                out,
                scenes=split_list(scenes),
                starts=split_list(starts),
                methods=split_list(methods),
                levels=numbers,
                seeds=seeds,
                data=data,
                fresh=fresh,
                jobs=jobs,
                plugins=plugins,
                call=call,
                progress=progress,
            )
    except KeyboardInterrupt:
        again = "the same command without --fresh" if fresh else "the same command"
        click.echo(f"Stopped. Finished runs are in {out / 'endmembers.csv'}; {again} goes on with the rest.", err=True)
        raise click.exceptions.Exit(1) from None
    if as_json:
        plain = [{**row, "snr_db": None if row["snr_db"] == float("inf") else row["snr_db"]} for row in summary]
        click.echo(json.dumps(plain, indent=2))
    elif not quiet:
        for one in judge(summary):
            at = f" ({one.where})" if one.where else ""
            said = "met" if one.passed else "not met"
            click.echo(f"{one.method}: {one.requirement} {one.value:.3f}, at most {one.limit:g}{at}: {said}")
        click.echo(f"\n{out / 'endmembers.csv'}: one row per run; {out / 'endmembers.md'}: the tables")

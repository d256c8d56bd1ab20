"""``hsgeo evaluate``: a product against a truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["evaluate"]


@click.command("evaluate")
@click.argument("product", type=click.Path(path_type=Path))
@click.option(
    "--truth",
    required=True,
    type=click.Path(path_type=Path),
    help="Raster with one band per class, .npz, polygons or points (.geojson, .shp, .gpkg), or another product.",
)
@click.option(
    "--match",
    type=click.Choice(["auto", "names", "sad", "abundance"]),
    default="auto",
    show_default=True,
    help="How endmembers and classes are matched.",
)
@click.option(
    "--convention",
    type=click.Choice(["zhu_peak_nnls", "rasti_fcls", "fcls", "synthetic", "independent"]),
    help="By which rule the truth was made; default: what it says.",
)
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="Give an endmember of the product another name.")
@click.option("--truth-scale", type=float, help="Factor from the truth's numbers to fractions, such as 0.01.")
@click.option("--class-field", metavar="NAME", help="Field of polygons or points that names the class.")
@click.option("--columns", metavar="A,B,...", help="Fields of polygons or points with fractions.")
@click.option(
    "--min-cover",
    type=click.FloatRange(0, 1),
    help="Least sum of the classes for a pixel to count; default: 0.95 for polygons and rasters of classes.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Picture to write (.png, .pdf, .svg).")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def evaluate(
    product: Path,
    truth: Path,
    match: str,
    convention: str | None,
    rename: tuple[str, ...],
    truth_scale: float | None,
    class_field: str | None,
    columns: str | None,
    min_cover: float | None,
    plot: Path | None,
    plugins: tuple[Path, ...],
    as_json: bool,
    verbose: bool,
) -> None:
    """Score PRODUCT against a truth: every number by the name of its variant."""
    import json

    from hsgeo import api
    from hsgeo.cli.unmix import _names as old_and_new
    from hsgeo.plugin.registry import registry

    registry(plugins)
    found = api.evaluate(
        product,
        truth,
        match=match,
        convention=convention,
        rename=old_and_new(rename),
        truth_scale=truth_scale,
        class_field=class_field,
        columns=[name.strip() for name in columns.split(",") if name.strip()] if columns else (),
        min_cover=min_cover,
        picture=plot,
    )
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, allow_nan=False))
        return
    _show(found, product, plot)


_LINES = (
    ("armse", "aRMSE (all pixels and classes)", ".4f"),
    ("mrmse", "mRMSE (mean of the classes' RMSE)", ".4f"),
    ("pixel_rmse", "per-pixel RMSE (mean of the pixels' RMSE)", ".4f"),
    ("mae", "MAE", ".4f"),
    ("sre_db", "SRE, dB", ".2f"),
    ("psnr_db", "PSNR, dB (mean of maps, range 1)", ".2f"),
    ("ssim", "SSIM (mean of maps, range 1, 7 x 7)", ".3f"),
    ("msad_rad", "mean SAD, rad", ".4f"),
    ("msad_deg", "mean SAD, degrees", ".2f"),
    ("mrsa", "mean MRSA, 0 to 100", ".2f"),
    ("ermse", "eRMSE (endmembers, same scale)", ".4f"),
    ("re_rmse", "RE-RMSE (residual; low is not well unmixed)", ".4f"),
    ("crps", "CRPS", ".4f"),
    ("ause", "AUSE", ".4f"),
)


def _text(value: float, form: str) -> str:
    """Return a number as text; a dash for what is not defined, such as the SSIM of one pixel."""
    return format(value, form) if value == value else "-"


def _show(found: Any, product: Path, plot: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge
        console = Console(width=140)
    spectra = any("sad_rad" in row for row in found.classes)
    stated = any("coverage" in row for row in found.classes)
    table = Table(title=str(product), title_justify="left", title_style="bold", box=None, pad_edge=False)
    heads = ["truth", "estimate", "mean", "RMSE", "MAE", "bias", "R2", "PSNR dB", "SSIM"]
    heads += ["SAD rad", "deg"] if spectra else []
    heads += ["90 % holds"] if stated else []
    for k, head in enumerate(heads):
        table.add_column(head, justify="left" if k < 2 else "right", overflow="fold" if k < 2 else "ellipsis")
    for row in found.classes:
        cells = [escape(row["truth"]), escape(row["estimate"] or "-"), f"{row['mean_truth']:.3f}"]
        cells += [f"{row[key]:.4f}" for key in ("rmse", "mae")] + [f"{row['bias']:+.4f}", _text(row["r2"], ".3f")]
        cells += [_text(row["psnr_db"], ".1f"), _text(row["ssim"], ".3f")]
        if spectra:
            cells += [f"{row['sad_rad']:.4f}", f"{row['sad_deg']:.2f}"] if "sad_rad" in row else ["-", "-"]
        if stated:
            cells.append(f"{100 * row['coverage']['0.9']:.0f} %")
        table.add_row(*cells)
    console.print(table)
    console.print()
    overall = Table(box=None, show_header=False, pad_edge=False)
    overall.add_column()
    overall.add_column(justify="right")
    for key, label, form in _LINES:
        if key in found.overall:
            value = _text(found.overall[key], form)
            overall.add_row(f"[bold]{label}[/bold]" if key == "armse" else label, value)
    for label, value in found.variants.items():
        overall.add_row(f"  aRMSE, {label}", f"{value:.4f}")
    console.print(overall)
    pixels, says = found.pixels, found.convention
    of_truth = says["truth"] or (f"{says['truth_scale']} scale" if says["truth_scale"] else "convention not stated")
    console.print(
        f"\n{pixels['scored']:,} pixels scored; {pixels['without_truth']:,} have no truth, "
        f"{pixels['without_estimate']:,} no estimate. Matched by {found.matching['by']}. "
        f"Truth: {of_truth}; product: {says['product_scale']} scale.",
        highlight=False,
    )
    for note in found.notes:
        colour = "yellow" if "disagree" in note or "mixes" in note or "no estimate" in note else "default"
        console.print(f"[{colour}]- {escape(note)}[/{colour}]", highlight=False)
    if plot is not None:
        console.print(f"Look at [bold]{escape(str(plot))}[/bold]", highlight=False)

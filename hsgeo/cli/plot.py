"""``hsgeo plot``: look at a product."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["plot"]


@click.command("plot")
@click.argument("product", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="PNG to write; default: beside the product.")
@click.option("--scene", type=click.Path(path_type=Path), help="Its scene, for a colour picture beside the maps.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def plot(product: Path, out: Path | None, scene: Path | None, verbose: bool) -> None:
    """Draw the maps and spectra of PRODUCT as a PNG."""
    from hsgeo import api

    target = out or product.with_suffix(".png")
    shown = api.open_product(product)
    api.draw(shown, target, scene=None if scene is None else api.open_scene(scene))
    click.echo(target)

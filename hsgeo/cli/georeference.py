"""``hsgeo georeference``: a product of a swath onto a map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["georeference"]


@click.command("georeference")
@click.argument("product", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The map: .zarr or .tif (COG).")
@click.option(
    "--grid",
    default="auto",
    show_default=True,
    metavar="auto|utm|EPSG:N|PATH",
    help="auto: the map grid of the file's lookup table, else UTM; PATH: exactly the grid of a GeoTIFF or product.",
)
@click.option(
    "--method",
    type=click.Choice(["nearest", "bilinear"]),
    default="nearest",
    show_default=True,
    help="Each cell takes a pixel, or a mean of four valid ones.",
)
@click.option("--resolution", type=float, help="Side of a cell, units of the grid; default: that of the pixels.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@click.option("--resume", is_flag=True, help="Go on with an incomplete output.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def georeference(
    product: Path,
    out: Path,
    grid: str,
    method: str,
    resolution: float | None,
    overwrite: bool,
    resume: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Bring PRODUCT, unmixed on the grid of its sensor, onto a map."""
    from hsgeo import api
    from hsgeo.cli.progress import notice, progress_bars
    from hsgeo.errors import ConfigError

    like = api.grid_file(grid)
    inputs = [product] if like is None else [product, like]
    api.check_output(out, overwrite=overwrite, resume=resume, inputs=inputs)
    opened = _opened(product)
    placed = api.georeference(opened, grid=grid, method=method, resolution=resolution)
    if placed is opened:
        from rasterio.crs import CRS

        crs = opened.rio.crs
        if grid not in ("auto", "swath", "scene") and isinstance(crs, CRS):
            raise ConfigError(
                f"{product} is on {crs.to_string()[:40]} already; nothing to do",
                "another --grid, or the same with another --resolution",
            )
        raise ConfigError(
            f"{product} stays as it is with --grid {grid}",
            "utm, or a reference system such as EPSG:32632; auto for a product on the grid of its sensor",
            "Give another --grid",
        )
    state = api.open_state(product) if product.is_dir() else None
    with progress_bars(quiet=quiet) as progress:
        api.write(placed, out, state=state, overwrite=overwrite, resume=resume, inputs=inputs, progress=progress)
    if not quiet:
        a, _, x, _, e, y = (float(v) for v in placed.rio.transform()[:6])
        crs = placed.rio.crs.to_string()
        size = f"{placed.sizes['y']} x {placed.sizes['x']} cells of {a:g} x {abs(e):g}"
        notice(f"{out}: {crs if len(crs) < 40 else 'the grid given'}, {size}, upper left corner {x:.10g} {y:.10g}")


def _opened(path: Path) -> Any:
    """Open the product; a scene given instead is told apart from what is nothing."""
    from hsgeo import api
    from hsgeo.errors import ConfigError, HsgeoError, ProductError

    try:
        return api.open_product(path, chunks=None)
    except ProductError:
        try:
            api.open_scene(path, chunks=None)
        except HsgeoError:
            scene = False
        else:
            scene = True
        if not scene:
            raise
        raise ConfigError(
            f"{path} is a scene",
            "a product that hsgeo unmix --grid swath wrote",
            f"Unmix it first: hsgeo unmix --input {path} --out abund.zarr --grid utm gives the map at once",
        ) from None

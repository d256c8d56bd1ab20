"""The writers this plugin offers."""

from __future__ import annotations

from collections.abc import Iterator

from hsgeo.plugin import WriterRecord, hookimpl

__all__ = ["hsgeo_writers"]


@hookimpl
def hsgeo_writers() -> Iterator[WriterRecord]:
    """Name the Zarr and the COG writer."""
    yield WriterRecord(
        "zarr",
        "hsgeo_products.zarr_writer:ZarrWriter",
        "one flat Zarr group with everything, fit states in child groups",
        options="hsgeo_products.config:ZarrOptions",
        suffixes=(".zarr",),
    )
    yield WriterRecord(
        "cog",
        "hsgeo_products.cog_writer:CogWriter",
        "Cloud Optimized GeoTIFFs for GIS, one per variable, and the endmembers as CSV",
        options="hsgeo_products.config:CogOptions",
        suffixes=(".tif", ".tiff"),
    )

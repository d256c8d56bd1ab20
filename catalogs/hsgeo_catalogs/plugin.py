"""What this package provides: folders of data."""

from __future__ import annotations

from collections.abc import Iterator

from hsgeo.plugin import CatalogRecord, hookimpl


@hookimpl
def hsgeo_catalogs() -> Iterator[CatalogRecord]:
    """Name the folders."""
    yield CatalogRecord("sensors", "hsgeo_catalogs", "sensors")
    yield CatalogRecord("recipes", "hsgeo_catalogs", "recipes")
    yield CatalogRecord("weights", "hsgeo_catalogs", "weights")

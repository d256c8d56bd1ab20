"""What this plugin provides: four readers."""

from __future__ import annotations

from collections.abc import Iterator

from hsgeo.plugin import ReaderRecord, hookimpl


@hookimpl
def hsgeo_readers() -> Iterator[ReaderRecord]:
    """Name the readers."""
    yield ReaderRecord(
        "prisma",
        "hsgeo_sensors.prisma:PrismaReader",
        "PRISMA level 2D granule, .he5 or the delivered .zip",
        options="hsgeo_sensors.config:PrismaOptions",
        patterns=("*.he5", "*.zip"),
    )
    yield ReaderRecord(
        "envi",
        "hsgeo_sensors.envi:EnviReader",
        "ENVI image (data file with its .hdr), compressed or not",
        options="hsgeo_sensors.config:EnviOptions",
    )
    yield ReaderRecord(
        "geotiff",
        "hsgeo_sensors.geotiff:GeoTiffReader",
        "GeoTIFF with the wavelength of each band in its tags",
        options="hsgeo_sensors.config:GeoTiffOptions",
        patterns=("*.tif", "*.tiff", "*.gtif"),
    )
    yield ReaderRecord(
        "native",
        "hsgeo_sensors.native:NativeReader",
        "scene in hsgeo's own convention, Zarr or netCDF-4",
        options="hsgeo_sensors.config:NativeOptions",
    )

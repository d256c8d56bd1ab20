"""What this plugin provides: a reader for each family of products, and for files of no product in particular."""

from __future__ import annotations

from collections.abc import Iterator

from hsgeo.plugin import ReaderRecord, hookimpl


@hookimpl
def hsgeo_readers() -> Iterator[ReaderRecord]:
    """Name the readers."""
    yield ReaderRecord(
        "prisma",
        "hsgeo_sensors.prisma.reader:PrismaReader",
        "PRISMA granule of level 1, 2B, 2C or 2D: .he5, or the .zip as delivered",
        options="hsgeo_sensors.config:PrismaOptions",
        patterns=("*.he5", "*.zip"),
        yardsticks="hsgeo_sensors.prisma.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "emit",
        "hsgeo_sensors.emit.reader:EmitReader",
        "EMIT granule, L2A reflectance or L1B radiance: .nc, with its mask, uncertainty and observation files",
        options="hsgeo_sensors.config:EmitOptions",
        patterns=("*.nc",),
        yardsticks="hsgeo_sensors.emit.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "enmap",
        "hsgeo_sensors.enmap.reader:EnmapReader",
        "EnMAP product of level 1B, 1C or 2A: folder, METADATA.XML, spectral image, or the archive as delivered",
        options="hsgeo_sensors.config:EnmapOptions",
        yardsticks="hsgeo_sensors.enmap.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "tanager",
        "hsgeo_sensors.tanager.reader:TanagerReader",
        "Tanager scene, basic or ortho, radiance or surface reflectance: .h5",
        options="hsgeo_sensors.config:TanagerOptions",
        patterns=("*.h5",),
        yardsticks="hsgeo_sensors.tanager.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "neon",
        "hsgeo_sensors.neon.reader:NeonReader",
        "NEON AOP surface reflectance, flight line or tile: .h5",
        options="hsgeo_sensors.config:NeonOptions",
        patterns=("*.h5",),
        yardsticks="hsgeo_sensors.neon.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "desis",
        "hsgeo_sensors.desis.reader:DesisReader",
        "DESIS product of level 1B, 1C or 2A: folder, METADATA.xml, SPECTRAL_IMAGE.tif, or the archive as delivered",
        options="hsgeo_sensors.config:DesisOptions",
        yardsticks="hsgeo_sensors.desis.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "hyperion",
        "hsgeo_sensors.hyperion.reader:HyperionReader",
        "EO-1 Hyperion level 1T (radiance): folder, metadata file, or the archive as delivered",
        options="hsgeo_sensors.config:HyperionOptions",
        yardsticks="hsgeo_sensors.hyperion.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "aviris",
        "hsgeo_sensors.aviris.reader:AvirisReader",
        "AVIRIS Classic, NG, 3 and 5: ENVI image, netCDF-4, or their folder",
        options="hsgeo_sensors.config:AvirisOptions",
        yardsticks="hsgeo_sensors.aviris.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "envi",
        "hsgeo_sensors.envi.reader:EnviReader",
        "ENVI image (data file with its .hdr), compressed or not",
        options="hsgeo_sensors.config:EnviOptions",
        yardsticks="hsgeo_sensors.envi.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "geotiff",
        "hsgeo_sensors.geotiff.reader:GeoTiffReader",
        "GeoTIFF that says the wavelength of each band in its tags",
        options="hsgeo_sensors.config:GeoTiffOptions",
        patterns=("*.tif", "*.tiff", "*.gtif"),
        yardsticks="hsgeo_sensors.geotiff.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "arrays",
        "hsgeo_sensors.arrays.reader:ArraysReader",
        "benchmark cube: MATLAB .mat or NumPy .npz",
        options="hsgeo_sensors.config:ArraysOptions",
        patterns=("*.mat", "*.npz"),
        yardsticks="hsgeo_sensors.arrays.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "cf",
        "hsgeo_sensors.cf.reader:CfReader",
        "any other netCDF-4, HDF5 or Zarr (CF) with a spectral variable and its wavelengths",
        options="hsgeo_sensors.config:CfOptions",
        yardsticks="hsgeo_sensors.cf.yardsticks:YARDSTICKS",
    )
    yield ReaderRecord(
        "native",
        "hsgeo_sensors.native.reader:NativeReader",
        "scene in hsgeo's own convention: Zarr or netCDF-4",
        options="hsgeo_sensors.config:NativeOptions",
    )

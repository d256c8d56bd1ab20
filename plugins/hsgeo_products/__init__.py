"""Writers of products: Zarr for analysis, Cloud Optimized GeoTIFF for GIS."""

"""AVIRIS Classic, NG, 3 and 5: ENVI images and netCDF-4."""

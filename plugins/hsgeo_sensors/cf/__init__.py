"""CF netCDF-4, other HDF5, and Zarr."""

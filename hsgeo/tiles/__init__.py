"""TILES: cut the scene into tiles, blocks and windows. Plain integers and numpy, no dask, no torch."""

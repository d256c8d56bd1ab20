"""Carry the plan out on dask: fits, the graph of tiles, the workers, the bounded window of tiles."""

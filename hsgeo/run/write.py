"""Write a lazy product tile by tile, in a bounded window of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import dask
import numpy as np
import xarray as xr

from hsgeo.plugin.protocols import Sink
from hsgeo.plugin.quality import Quality
from hsgeo.tiles.grid import Box, TileGrid

__all__ = ["Written", "local_workers", "write_tiles"]

AHEAD = 2  # tiles in flight per worker: one in work, one waiting, so that no worker idles


class Written:
    """What a run did: tiles in all, found done, computed, failed, and the pixels' quality and abundance sums."""

    def __init__(self, tiles: int, resumed: int) -> None:
        self.tiles, self.resumed, self.computed, self.failed = tiles, resumed, 0, 0

    def add(self, tile: xr.Dataset) -> None:
        """Count one computed tile."""
        self.computed += 1
        if "quality" in tile:
            bits = tile["quality"].values
            failed = (bits & np.uint16(Quality.FAILED)) != 0
            tried = (bits & np.uint16(Quality.NODATA | Quality.MASKED)) == 0
            self.failed += bool(failed.any() and failed[tried].all())


def local_workers() -> int:
    """Return how many tiles this process works on at a time, as dask is configured."""
    scheduler = dask.config.get("scheduler", None)
    if scheduler in ("sync", "synchronous", "single-threaded"):
        return 1
    from dask.system import CPU_COUNT

    return int(dask.config.get("num_workers", None) or CPU_COUNT)


def write_tiles(
    product: xr.Dataset,
    sink: Sink,
    tile: int,
    *,
    client: Any = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Compute the tiles of a product and hand them to a sink.

    Parameters
    ----------
    product : xarray.Dataset
        Lazy, one dask chunk per tile (or in memory).
    sink : Sink
        Where they go; `Sink.done` regions are skipped, `Sink.finish` is called at the end.
    tile : int
        Side of a tile.
    client : distributed.Client, optional
        Where to compute; None: threads of this process.
    progress : callable
        ``progress(tiles done, tiles in all)``.

    Returns
    -------
    Written
        What was done.
    """
    rasters = product[[str(n) for n, v in product.data_vars.items() if v.dims[-2:] == ("y", "x")]].reset_coords(
        drop=True
    )
    grid = TileGrid(product.sizes["y"], product.sizes["x"], tile)
    done = {(y.start, x.start) for y, x in sink.done()}
    boxes = [box for box in grid if (box.y0, box.x0) not in done]
    written = Written(len(grid), len(grid) - len(boxes))
    progress(written.resumed, written.tiles)
    compute = _on_cluster if client is not None else _on_threads
    for box, values in compute(rasters, boxes, client):
        sink.write(box.region, values)
        written.add(values)
        progress(written.resumed + written.computed, written.tiles)
    sink.finish()
    return written


def _part(rasters: xr.Dataset, box: Box) -> xr.Dataset:
    y, x = box.region
    return rasters.isel(y=y, x=x)


def _on_threads(rasters: xr.Dataset, boxes: list[Box], _client: None) -> Iterator[tuple[Box, xr.Dataset]]:
    workers = local_workers()
    if workers == 1:
        for box in boxes:
            yield box, _part(rasters, box).compute(scheduler="synchronous")
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="hsgeo")
    try:
        yield from _bounded(
            boxes,
            lambda box: pool.submit(_part(rasters, box).compute, scheduler="synchronous"),
            workers * AHEAD,
        )
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _bounded(
    boxes: list[Box], submit: Callable[[Box], Future[xr.Dataset]], most: int
) -> Iterator[tuple[Box, xr.Dataset]]:
    waiting = iter(boxes)
    running: dict[Future[xr.Dataset], Box] = {}
    for box in waiting:
        running[submit(box)] = box
        if len(running) >= most:
            break
    while running:
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            box = running.pop(future)
            following = next(waiting, None)
            if following is not None:
                running[submit(following)] = following
            yield box, future.result()


def _on_cluster(rasters: xr.Dataset, boxes: list[Box], client: Any) -> Iterator[tuple[Box, xr.Dataset]]:
    from distributed import as_completed

    most = max(1, sum(client.nthreads().values())) * AHEAD
    waiting = iter(boxes)
    places: dict[Any, Box] = {}

    def submit(box: Box) -> Any:
        future = client.compute(_part(rasters, box))
        places[future.key] = box
        return future

    first = [submit(box) for _, box in zip(range(most), waiting, strict=False)]  # range stops the zip
    if not first:
        return
    queue = as_completed(first)
    for future in queue:
        box, values = places.pop(future.key), future.result()
        following = next(waiting, None)
        if following is not None:
            queue.add(submit(following))
        future.release()
        yield box, values

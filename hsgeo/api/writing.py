"""Write a product: tile by tile, resumably; one of a swath by way of the sensor grid."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from hsgeo.api.verbs import Progress
from hsgeo.errors import HsgeoError, ProductError
from hsgeo.product.opening import open_product, unfinished

__all__ = ["spool_of", "write"]


def write(
    product: xr.Dataset,
    path: str | Path,
    *,
    state: Mapping[str, xr.Dataset] | None = None,
    writer: str | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    client: Any = None,
    inputs: Iterable[str | Path] = (),
    progress: Progress = lambda what, done, total: None,
    measured: Callable[[xr.Dataset], object] | None = None,
) -> Any:
    """Write a product tile by tile, with bounded memory, resumably.

    Parameters
    ----------
    product : xarray.Dataset
        From `unmix`, or from `georeference`: then what was not computed yet is unmixed on the sensor grid into a hidden
        store beside the output first, so that no pixel is unmixed twice.
    path : path
        ``.zarr`` or ``.tif``; the suffix chooses the writer.
    state : mapping, optional
        Fit states to keep with the product, so that ``state=path`` works later; None: those `unmix` used.
    writer : str, optional
        Instead of the suffix.
    options : mapping, optional
        Options of the writer.
    overwrite, resume : bool
        Replace an existing output; go on with an incomplete one.
    client : distributed.Client, optional
        Where to compute.
    inputs : iterable of path
        Files that must not be overwritten; the scene's own is known.
    progress : callable
        ``progress(what, done, total)``.
    measured : callable, optional
        Called with what was unmixed on the sensor grid, once the map of it is written and before it is removed: a map
        repeats pixels and has cells without one. Not called for a product that is written on the grid it has.

    Returns
    -------
    hsgeo.run.write.Written
        Tiles computed, found done, failed.

    Raises
    ------
    HsgeoError
        If the output cannot be written; then nothing is left behind.
    """
    from hsgeo.plugin.registry import registry
    from hsgeo.product.convention import check_product
    from hsgeo.product.provenance import read_provenance
    from hsgeo.product.template import placed
    from hsgeo.product.writing import check_target, choose_writer
    from hsgeo.run.product import tile_of
    from hsgeo.stages.chain import make_options

    path = Path(path)
    record = choose_writer(path, writer)
    known = read_provenance(product)
    source = known.get("source", {}).get("path")
    check_target(path, overwrite=overwrite, resume=resume, inputs=[*inputs, *([source] if source else [])])
    check_product(product)
    if state is None:
        state = product.encoding.get("hsgeo_state")  # where `unmix` leaves it
    product = placed(product)
    reg = registry()
    target = reg.load(record)(make_options(reg.options(record), options or {}, f"writer {record.name!r}"))
    with _spooled(product, path, resume=resume, client=client, progress=progress) as (ready, failed):
        side = tile_of(ready)
        sink = target.create(ready, path, state=state or {}, tile=(side, side), overwrite=overwrite, resume=resume)
        written = _written(ready, sink, side, client, lambda done, total: progress("tiles", done, total))
        written.failed += failed
        if measured is not None and ready is not product:
            measured(open_product(spool_of(path)))
    return written


def _written(product: xr.Dataset, sink: Any, side: int, client: Any, progress: Callable[[int, int], None]) -> Any:
    from hsgeo.run.write import write_tiles

    finished = 0

    def count(done: int, total: int) -> None:
        nonlocal finished
        finished = done
        progress(done, total)

    try:
        return write_tiles(product, sink, side, client=client, progress=count)
    except HsgeoError:
        if finished == 0:  # nothing worth resuming: bad input leaves nothing behind
            sink.discard()
        raise


def spool_of(path: str | Path) -> Path:
    """Name the hidden store that holds a product on the sensor grid while its map is written.

    Parameters
    ----------
    path : path
        The output.

    Returns
    -------
    pathlib.Path
        Beside it; removed when the output is complete, taken up by a run that resumes.
    """
    path = Path(path)
    return path.with_name(f".{path.name}.swath.zarr")


@contextmanager
def _spooled(
    product: xr.Dataset, path: Path, *, resume: bool, client: Any, progress: Progress
) -> Iterator[tuple[xr.Dataset, int]]:
    """Compute what a georeferenced product is made of once, and put the map on top of that.

    The cells of a map tile come from several tiles of the sensor grid, each of which would be unmixed for each of them.
    """
    from hsgeo.plugin.registry import registry
    from hsgeo.product.georeferencing import georeferenced
    from hsgeo.product.template import placed
    from hsgeo.product.writing import choose_writer
    from hsgeo.run.product import tile_of

    made_of = product.encoding.get("hsgeo_swath")
    names = [name for name, label in (made_of.layers if made_of else {}).items() if _is(product, name, label)]
    if made_of is None or not names:
        yield product, 0
        return
    spool, failed = spool_of(path), 0
    swath = placed(made_of.swath)
    if not (resume and _is_run(spool, swath)):
        side = tile_of(swath)
        writer = registry().load(choose_writer(spool))()
        go_on = resume and unfinished(spool) is not None
        sink = writer.create(swath, spool, state={}, tile=(side, side), overwrite=not go_on, resume=go_on)
        failed = _written(swath, sink, side, client, lambda done, total: progress("swath", done, total)).failed
    again = georeferenced(open_product(spool, chunks=None), **made_of.asked)
    yield product.assign({name: product[name].copy(data=again[name].data) for name in names}), failed
    shutil.rmtree(spool, ignore_errors=True)


def _is(product: xr.Dataset, name: str, label: str) -> bool:
    """Tell whether a variable is still the very array that was georeferenced, not cut and not changed."""
    return name in product and getattr(product[name].data, "name", None) == label


def _is_run(spool: Path, swath: xr.Dataset) -> bool:
    try:
        return open_product(spool).attrs.get("hsgeo_run_id") == swath.attrs.get("hsgeo_run_id")
    except ProductError:
        return False

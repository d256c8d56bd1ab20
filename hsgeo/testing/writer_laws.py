"""The laws of writers, on a tiny product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ProductError
from hsgeo.plugin import Region, Sink, Writer, WriterRecord
from hsgeo.plugin.registry import Registry, registry
from hsgeo.testing.laws import Law, always, assert_light, assert_options, same_bits, same_datasets
from hsgeo.testing.scenes import known_product

__all__ = ["WRITER_LAWS", "WriterCase"]

TILE = 16  # pixels; every tiled format takes multiples of 16, and the scene of 24 x 20 has ragged tiles then


class WriterCase:
    """A writer, a product, and a fresh folder for every output.

    Parameters
    ----------
    name : str
        Of the writer.
    options : mapping, optional
        Its options.
    reopen : callable, optional
        ``reopen(path) -> Dataset`` in the product convention; default: `hsgeo.open_product`.
    files : sequence of str
        One-file plugins to load first.
    """

    def __init__(
        self,
        name: str,
        *,
        options: Mapping[str, Any] | None = None,
        reopen: Callable[[Path], xr.Dataset] | None = None,
        files: tuple[str, ...] = (),
    ) -> None:
        self.name, self.values, self.files = name, dict(options or {}), files
        self._reopen = reopen
        self._outputs = 0

    @property
    def registry(self) -> Registry:
        """The registry of the process with the case's files."""
        return registry(self.files)

    @property
    def record(self) -> WriterRecord:
        """The writer's record."""
        return self.registry.writer(self.name)

    @cached_property
    def _folder(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory()  # gone with the case

    @cached_property
    def product(self) -> xr.Dataset:
        """The product in memory."""
        return known_product()

    def template(self, run: str = "run-1") -> xr.Dataset:
        """Return the product with rasters that fail when anybody computes them."""
        import dask.array as da

        def fail(block: np.ndarray) -> np.ndarray:
            raise AssertionError("the writer computes the template")

        lazy = {}
        for name in self.rasters:
            array = self.product[name]
            zeros = da.zeros(array.shape, dtype=array.dtype, chunks=(*array.shape[:-2], TILE, TILE))
            lazy[name] = (
                array.dims,
                zeros.map_blocks(fail, dtype=array.dtype, meta=np.empty(0, array.dtype)),
                array.attrs,
            )
        return self.product.assign(lazy).assign_attrs(hsgeo_run_id=run)

    @property
    def rasters(self) -> list[str]:
        """Names of the tile variables."""
        return [str(name) for name, array in self.product.data_vars.items() if array.dims[-2:] == ("y", "x")]

    @property
    def regions(self) -> list[Region]:
        """Every tile, row by row."""
        height, width = self.product.sizes["y"], self.product.sizes["x"]
        return [
            (slice(y, min(y + TILE, height)), slice(x, min(x + TILE, width)))
            for y in range(0, height, TILE)
            for x in range(0, width, TILE)
        ]

    def path(self) -> Path:
        """Return a fresh path in a folder of its own."""
        self._outputs += 1
        folder = Path(self._folder.name) / str(self._outputs)
        folder.mkdir()
        return folder / f"product{self.record.suffixes[0]}"

    def create(self, path: Path, *, run: str = "run-1", overwrite: bool = False, resume: bool = False) -> Sink:
        """Begin, or take up, an output."""
        model = self.registry.options(self.record)
        writer: Writer = self.registry.load(self.record)(model.model_validate(self.values) if model else None)
        return writer.create(self.template(run), path, state={}, tile=(TILE, TILE), overwrite=overwrite, resume=resume)

    def write(self, sink: Sink, region: Region) -> None:
        """Write one tile."""
        sink.write(region, self.product[self.rasters].isel(y=region[0], x=region[1]).copy(deep=True))

    def reopen(self, path: Path) -> xr.Dataset:
        """Open an output and load it."""
        if self._reopen is not None:
            return self._reopen(path).load()
        from hsgeo.product.opening import open_product

        return open_product(path).load()

    def assert_equal(self, path: Path) -> None:
        """Assert that an output holds the product."""
        back = self.reopen(path)
        for name in self.rasters:
            array = back[name].transpose(*self.product[name].dims)
            assert same_bits(array.values, self.product[name].values), f"{name!r} reads back differently"
        names = [str(name) for name in back["endmember"].values]
        assert names == [str(name) for name in self.product["endmember"].values], f"endmembers read back as {names}"
        close = np.allclose(back["endmembers"].values, self.product["endmembers"].values, rtol=1e-6, equal_nan=True)
        assert close, "endmembers read back differently"
        for axis in ("y", "x"):
            assert np.array_equal(back[axis].values, self.product[axis].values), f"pixels have moved along {axis}"
        assert back.rio.crs == self.product.rio.crs, "the CRS is lost"


def imports_light(case: WriterCase) -> None:
    """Check that importing the plugin's module loads none of the heavy packages."""
    assert_light(case.registry.provider(case.record).module, case.files, f"writer {case.name!r}")


def options_round_trip(case: WriterCase) -> None:
    """Check that options are frozen, forbid extras, are described, and survive JSON and YAML."""
    assert_options(case.registry.options(case.record), case.values, f"writer {case.name!r}")


def product_reads_back(case: WriterCase) -> None:
    """Check that a finished output holds the product bit for bit, in its place, and nothing is left beside it."""
    path = case.path()
    sink = case.create(path)
    for region in case.regions:
        case.write(sink, region)
    sink.finish()
    case.assert_equal(path)
    hidden = [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")]
    assert not hidden, f"{hidden[0]} is left beside the output"


def order_and_threads_mean_nothing(case: WriterCase) -> None:
    """Check that tiles may come in any order, from several threads at once."""
    path = case.path()
    sink = case.create(path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda region: case.write(sink, region), case.regions[::-1]))
    sink.finish()
    case.assert_equal(path)


def tiles_are_untouched(case: WriterCase) -> None:
    """Check that writing changes no bit of the tile it was given."""
    sink = case.create(case.path())
    region = case.regions[0]
    given = case.product[case.rasters].isel(y=region[0], x=region[1]).copy(deep=True)
    kept = given.copy(deep=True)
    sink.write(region, given)
    changed = same_datasets(given, kept)
    assert not changed, f"write() changed {changed!r} of its tile in place"


def unfinished_is_refused(case: WriterCase) -> None:
    """Check that an unfinished output cannot be taken for a product, nor be finished while a tile is missing."""
    path = case.path()
    sink = case.create(path)
    case.write(sink, case.regions[0])
    _assert_refused(lambda: case.reopen(path), "an unfinished output opens as a product")
    _assert_refused(sink.finish, "an output with missing tiles can be finished")


def existing_output_is_kept(case: WriterCase) -> None:
    """Check that an existing output is kept unless overwriting was asked for, and replaced whole when it was."""
    path = case.path()
    for overwrite in (False, True):
        sink = case.create(path, overwrite=overwrite)
        for region in case.regions:
            case.write(sink, region)
        sink.finish()
        case.assert_equal(path)
        _assert_refused(lambda: case.create(path), "an existing output is replaced without being asked for")
        case.assert_equal(path)


def resume_goes_on(case: WriterCase) -> None:
    """Check that an interrupted output names its finished tiles and is completed by the rest."""
    path = case.path()
    sink = case.create(path)
    first, rest = case.regions[1:3], [case.regions[0], *case.regions[3:]]
    for region in first:
        case.write(sink, region)
    del sink
    again = case.create(path, resume=True)
    done = {_bounds(region) for region in again.done()}
    assert done == {_bounds(region) for region in first}, f"done() names {sorted(done)}"
    for region in rest:
        case.write(again, region)
    again.finish()
    case.assert_equal(path)


def resume_of_another_run_is_refused(case: WriterCase) -> None:
    """Check that an output of another run is not gone on with."""
    path = case.path()
    case.write(case.create(path), case.regions[0])
    _assert_refused(lambda: case.create(path, run="run-2", resume=True), "another run's output is gone on with")


def _bounds(region: Region) -> tuple[int, int, int, int]:
    return int(region[0].start), int(region[0].stop), int(region[1].start), int(region[1].stop)


def _assert_refused(call: Callable[[], Any], what: str) -> None:
    try:
        call()
    except ProductError:
        return
    raise AssertionError(what)


WRITER_LAWS: tuple[Law, ...] = tuple(
    Law(check.__name__, check, always)
    for check in (
        imports_light,
        options_round_trip,
        product_reads_back,
        order_and_threads_mean_nothing,
        tiles_are_untouched,
        unfinished_is_refused,
        existing_output_is_kept,
        resume_goes_on,
        resume_of_another_run_is_refused,
    )
)

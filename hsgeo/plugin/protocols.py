"""The contract: what stages, readers, writers and trainers are, as typing protocols."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr

from hsgeo.plugin.needs import FitNeeds, Layout, Needs, VarSpec

if TYPE_CHECKING:
    from hsgeo.nn import Moment, TrainingResult

__all__ = [
    "ApplyContext",
    "FitContext",
    "Kernel",
    "Reader",
    "ReduceFit",
    "Region",
    "Sink",
    "Stage",
    "Trainer",
    "Writer",
]

Region = tuple[slice, slice]
"""Rows and columns of a tile, absolute, with plain integer bounds and no step."""


class ApplyContext(Protocol):
    """What a kernel is told besides its data."""

    @property
    def seed(self) -> int:
        """Seed of the run."""

    @property
    def stage(self) -> str:
        """Id of the stage in the recipe."""

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda"``."""

    def noise(self, row: int, col: int, height: int, width: int, *, channels: int = 1, step: int = 0) -> np.ndarray:
        """Draw ``(channels, height, width)`` float32 standard normal noise pinned to absolute pixels."""


class FitContext(ApplyContext, Protocol):
    """What a fit is told besides its sample."""

    def rng(self, *key: int) -> np.random.Generator:
        """Return a generator derived from (seed, stage, key)."""

    def report(self, fraction: float, text: str = "") -> None:
        """Report progress between 0 and 1."""

    def again(self, change: Callable[[np.ndarray, int, int], np.ndarray]) -> xr.Dataset:
        """Return the sample of this fit once more, with the spectra changed before earlier stages see them.

        It answers what earlier stages would have written had the measurement been slightly different: what Stein's
        unbiased risk estimate by a random probe asks. What they have learnt stays as it is; each call runs their
        kernels again.

        Parameters
        ----------
        change : callable
            ``change(spectra, row, col)`` returns other spectra for a box: float32 ``(band, y, x)``, good bands only, in
            the units of the scene, the first pixel at the absolute place (row, col). It is called for every box that is
            read, and boxes overlap, so it has to depend on absolute pixels alone, as ``ctx.noise(row, col, height,
            width, channels=bands)`` does. NaN stays NaN, all else finite. It may work in place.

        Returns
        -------
        xarray.Dataset
            As the ``sample`` of `Stage.fit`: the same pixels or patches in the same order, the same variables. Without
            an earlier stage it is the sample changed. It counts to the memory that `fit_needs` declares.

        Raises
        ------
        PluginError
            If the fit is a reduction, which has no sample; or if ``change`` returns another shape or type, or a missing
            value where there was none.
        """


@runtime_checkable
class Kernel(Protocol):
    """The working form of a stage on one worker: weights loaded, factorisations done. Thread-safe."""

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Compute the tile-scope outputs of a batch.

        Parameters
        ----------
        windows : xarray.Dataset
            The tile-scope variables the stage reads, numpy-backed; not to be changed. Exactly
            ``Needs.batch`` pixels or windows; invalid and padding pixels are NaN in every band.

            Pixelwise: ``spectra (band, pixel)``, ``abundance (endmember, pixel)``, with ``row(pixel)``
            and ``col(pixel)``, absolute.
            Windowed: ``spectra (window, band, y, x)`` and so on, with ``row(window)`` and
            ``col(window)``, the absolute position of each window's first pixel (may be negative).
        ctx : ApplyContext
            Seed and pinned noise.

        Returns
        -------
        xarray.Dataset
            Every tile-scope variable of `Stage.outputs`, with ``(y, x)`` replaced as in the input:
            ``(endmember, pixel)`` or ``(window, endmember, y, x)``. A stage that writes ``spectra``
            (float32, the same bands) corrects the data: later stages and their fits see what it
            returned, the product does not hold it.
        """

    def close(self) -> None:
        """Free what the kernel holds."""


@runtime_checkable
class Stage(Protocol):
    """The definition of a stage: cheap, picklable, no weights. Built as ``Target(options)``."""

    def needs(self, layout: Layout) -> Needs:
        """Say how the kernel wants to be called."""

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Say what will be written, scene and tile scope, given what is known so far."""

    def fit_needs(self, layout: Layout) -> FitNeeds | None:
        """Say what the fit wants to see; None: nothing to learn."""

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn once per scene or archive.

        Parameters
        ----------
        sample : xarray.Dataset
            What `fit_needs` asked for, with every variable the stage reads: ``spectra (band, pixel)`` or
            ``(patch, band, y, x)``, earlier stages' tile variables on the same pixels, scene variables;
            coordinates ``wavelength(band)``, ``fwhm(band)``, ``row``, ``col``.
        ctx : FitContext
            Seed, generators, progress.

        Returns
        -------
        xarray.Dataset
            The state: plain arrays that survive Zarr. Variables that `outputs` declares with scene
            scope become visible to later stages. The attributes ``weights`` (name or path) and
            ``weights_sha256`` say which weights the stage uses; provenance and run id have them from there.
            The attribute ``told`` is a sentence for the user of the command line.
        """

    def setup(self, state: xr.Dataset, device: str) -> Kernel | None:
        """Make the kernel, once per worker process.

        Parameters
        ----------
        state : xarray.Dataset
            What `fit` returned, and every scene-scope variable the stage reads.
        device : str
            ``"cpu"`` or ``"cuda"``.

        Returns
        -------
        Kernel or None
            None: the stage only fits.
        """


@runtime_checkable
class ReduceFit(Protocol):
    """What a stage adds when its fit is a reduction over the whole scene."""

    def partial(self, tile: xr.Dataset, previous: xr.Dataset | None, ctx: FitContext) -> xr.Dataset:
        """Reduce a block ``(band, y, x)`` (``row``, ``col``: absolute scalars); ``previous``: the last pass's state."""

    def combine(self, left: xr.Dataset, right: xr.Dataset) -> xr.Dataset:
        """Join two partial results; called in a fixed order."""


@runtime_checkable
class Reader(Protocol):
    """Opens one kind of file as a scene."""

    def score(self, path: Path) -> int:
        """Return 0 for no, 1 for a generic yes, 2 for exactly this product. Never raises."""

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None, chunks: Mapping[Hashable, int] | None
    ) -> xr.Dataset:
        """Open lazily as a scene (docs/conventions); ``chunks=None``: lazy arrays that read only what is indexed."""


@runtime_checkable
class Sink(Protocol):
    """An output being written, tile by tile, from one process and any of its threads."""

    def write(self, region: Region, tile: xr.Dataset) -> None:
        """Write one tile; ``tile`` is numpy-backed and has every tile variable of the template."""

    def done(self) -> Iterable[Region]:
        """Name the regions that an earlier run finished."""

    def finish(self) -> None:
        """Complete the product and mark it so."""

    def discard(self) -> None:
        """Remove what was begun, because the input turned out to be bad before a tile was finished."""


@runtime_checkable
class Writer(Protocol):
    """Makes outputs of one format. Built as ``Target(options)``."""

    def create(
        self,
        template: xr.Dataset,
        path: Path,
        *,
        state: Mapping[str, xr.Dataset],
        tile: tuple[int, int],
        overwrite: bool,
        resume: bool,
    ) -> Sink:
        """Write the metadata and everything of scene scope, marked incomplete.

        Parameters
        ----------
        template : xarray.Dataset
            The lazy product: every variable, coordinate and attribute; tile variables are not computed.
        path : pathlib.Path
            Where to.
        state : mapping of str to xarray.Dataset
            Fit states by stage id, to be kept with the product where the format can.
        tile : tuple of int
            Rows and columns of the regions that will be written (the last ones may be smaller).
        overwrite : bool
            Replace an existing output.
        resume : bool
            Go on with an incomplete output of the same run id.
        """


@runtime_checkable
class Trainer(Protocol):
    """Trains the network of a stage; optional. Built as ``Target()``, without an argument."""

    def train(
        self,
        *,
        out: Path,
        budget: str,
        device: str,
        seed: int,
        size: str,
        precision: str,
        threads: int | None,
        resume: bool,
        command: str,
        progress: Callable[[Moment], None],
        finetune: xr.Dataset | None = None,
    ) -> TrainingResult:
        """Train, usually by `hsgeo.nn.train`, which takes all of these but ``size`` and ``finetune``.

        Parameters
        ----------
        out : pathlib.Path
            Folder of the files: weights (safetensors), model card, curve, checkpoint.
        budget : str
            ``"2000steps"``, ``"30min"`` and the like.
        device : str
            ``"auto"``, ``"cpu"`` or ``"cuda"``.
        seed : int
            Of everything random.
        size : str
            ``"full"``, or ``"small"``: a network and data for a CPU.
        precision : str
            ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        threads : int or None
            Threads of torch; None: as they are.
        resume : bool
            Go on with a training in ``out``.
        command : str
            What repeats the training, for the card.
        progress : callable
            Called with a `hsgeo.nn.Moment` after every step.
        finetune : xarray.Dataset, optional
            Adapt the shipped weights to patches of a scene: ``spectra (patch, band, y, x)`` in the good bands,
            ``abundance (patch, endmember, y, x)`` and ``endmembers (endmember, band)`` as a run has found them, NaN in
            pixels that are not valid, perhaps ``gain (patch, y, x)``; attributes that tell the scene. A trainer that
            cannot leaves the parameter out of its signature, and ``hsgeo train --finetune`` refuses before anything is
            read; otherwise it is given only where it is asked for.

        Returns
        -------
        hsgeo.nn.TrainingResult
            Files and figures.
        """

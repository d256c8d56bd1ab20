"""What a stage declares about its work: windows, memory, device, samples, outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hsgeo.errors import PluginError
from hsgeo.plugin.records import Scope

__all__ = ["FitNeeds", "Layout", "Memory", "Needs", "VarSpec", "Window"]

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Layout:
    """What is known of the scene before a pixel is unmixed. Stages see the good bands only.

    Parameters
    ----------
    height, width : int
        Size of the scene in pixels.
    wavelength, fwhm : tuple of float
        Nanometres, one per good band; ``fwhm`` is NaN where unknown.
    quantity : str
        ``"reflectance"`` or ``"radiance"``.
    endmembers : tuple of str or None
        Names, once a stage (or the user) has given them.
    classes : tuple of str or None
        Class names of the given library, in order of first appearance.
    scale : str
        What the lengths of the endmembers mean: ``"physical"`` (units of the scene) or ``"peak"`` (highest band 1, so
        that a pixel's brightness is its gain). Known before any value is: the attribute ``scale`` that the stage
        which writes ``endmembers`` gives in its `VarSpec`.
    units : str
        Of the spectra: ``"1"``, or such as ``"W m-2 sr-1 um-1"``; ``"unknown"`` where nobody says.
    """

    height: int
    width: int
    wavelength: tuple[float, ...]
    fwhm: tuple[float, ...]
    quantity: str = "reflectance"
    endmembers: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    scale: str = "physical"
    units: str = "1"

    @property
    def bands(self) -> int:
        """Number of good bands."""
        return len(self.wavelength)


@dataclass(frozen=True)
class Memory:
    """Peak working memory of one call, in bytes, input and output not counted.

    Parameters
    ----------
    fixed : int
        Bytes whatever the size (weights, scratch).
    per_pixel : int
        Bytes for every pixel of the batch.
    """

    fixed: int = 0
    per_pixel: int = 0

    def __call__(self, height: int, width: int) -> int:
        """Return the bytes for a batch of ``height * width`` pixels."""
        return self.fixed + self.per_pixel * height * width


@dataclass(frozen=True)
class Window:
    """A square window on the absolute lattice that is anchored at pixel (0, 0) of the scene.

    Window ``(i, j)`` has its core at rows ``i * stride ... (i + 1) * stride`` and a margin of
    ``(size - stride) // 2`` pixels around it.

    Parameters
    ----------
    size, stride : int
        Pixels; ``stride <= size`` and ``size - stride`` even.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        if not 0 < self.stride <= self.size or (self.size - self.stride) % 2:
            raise PluginError(
                f"window size {self.size} with stride {self.stride}",
                "0 < stride <= size with an even difference",
            )

    @property
    def margin(self) -> int:
        """Pixels around the core."""
        return (self.size - self.stride) // 2


@dataclass(frozen=True)
class Needs:
    """How the kernel of a stage wants to be called.

    Parameters
    ----------
    window : Window, optional
        None: pixelwise, blocks of ``batch`` pixels. Else: batches of ``batch`` windows.
    batch : int
        Pixels in a block, or windows in a batch. Every call has exactly this many (padded with NaN).
    device : tuple of {"cpu", "cuda"}
        Devices the kernel can run on, the preferred one last.
    memory : Memory
        Working memory of one call.
    tolerance : float
        Largest absolute difference of an output between devices.
    """

    window: Window | None = None
    batch: int = 4096
    device: tuple[Device, ...] = ("cpu",)
    memory: Memory = field(default_factory=Memory)
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise PluginError(f"needs batch={self.batch}", "at least 1")


@dataclass(frozen=True)
class FitNeeds:
    """What the fit of a stage wants to see.

    Parameters
    ----------
    kind : {"pixels", "patches", "reduce"}
        ``"pixels"``: screened single pixels, dims ``(band, pixel)``.
        ``"patches"``: square patches, dims ``(patch, band, y, x)``, unscreened, invalid pixels NaN.
        ``"reduce"``: the whole scene, block by block, through `ReduceFit.partial` and `combine`.
    pixels : int
        Most pixels wanted (all patches together); the runner's own bounds stand above it.
    patch : int
        Side of a patch, pixels (``"patches"`` only).
    passes : int
        Times the scene is read (``"reduce"`` only).
    device, memory
        As in `Needs`.
    """

    kind: Literal["pixels", "patches", "reduce"] = "pixels"
    pixels: int = 100_000
    patch: int = 64
    passes: int = 1
    device: tuple[Device, ...] = ("cpu",)
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        if self.kind not in ("pixels", "patches", "reduce"):
            raise PluginError(f"fit needs kind={self.kind!r}", "'pixels', 'patches' or 'reduce'")
        if min(self.pixels, self.patch, self.passes) < 1:
            raise PluginError("fit needs pixels, patch or passes below 1", "at least 1 each")


@dataclass(frozen=True)
class VarSpec:
    """A variable that a stage will write, before any value is known.

    Parameters
    ----------
    dims : tuple of str
        Tile scope: ends in ``("y", "x")``; an ``endmember`` dim has the layout's endmembers unless
        ``coords`` says otherwise. Scene scope: free.
    dtype : str
        numpy dtype name.
    scope : {"scene", "tile"}
        Where the variable lives.
    coords : mapping of str to tuple
        Coordinate values of extra dims, such as ``{"sample": (0, 1, 2)}`` or class names.
    attrs : mapping
        Attributes of the variable in the product.
    range : tuple of float, optional
        Lowest and highest possible value, checked by the conformance kit.
    sum : {"one", "at_most_one", "free"}, optional
        Sum over ``endmember`` (abundance only).
    """

    dims: tuple[str, ...]
    dtype: str = "float32"
    scope: Scope = "tile"
    coords: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    range: tuple[float, float] | None = None
    sum: Literal["one", "at_most_one", "free"] | None = None

    def __post_init__(self) -> None:
        if self.scope == "tile" and self.dims[-2:] != ("y", "x"):
            raise PluginError(f"a tile variable has dims {self.dims}", "dims that end in ('y', 'x')")

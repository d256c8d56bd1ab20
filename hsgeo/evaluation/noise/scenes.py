"""The scenes of the noise benchmark: those of the accuracy benchmark, and held-out procedural ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.scenes import BenchScene, load_scene
from hsgeo.evaluation.noise.closed import closed_form, in_convention
from hsgeo.synthetic import Effects, observe, random_bands, random_field, random_spectra

__all__ = ["GROUPS", "HELD_OUT", "WIDE", "expand", "group_of", "load"]

HELD_OUT = tuple(f"procedural-{k}" for k in range(10))
"""Scenes drawn from the same formulas as those that networks learn from, with seeds that no training uses."""

WIDE = "wide"
"""A soft procedural scene of 400 x 400 pixels, large enough to show the borders of windows."""

GROUPS = {"procedural": HELD_OUT}
"""Words that stand for several scenes."""

_NAME = re.compile(r"procedural-([0-9])")

# First word of the seed. Trainings draw from [seed, size, count, index] with seeds 0, 1, ... and 1000003, ...: a first
# word near neither, and two words instead of four, is another stream.
_SEED = 0x48454C44

_SIDE, _WIDE_SIDE = 100, 400  # pixels: that of Jasper Ridge; four lattices of the largest stride in use (128) fit 400
_BANDS = (130, 170)  # about as many as Samson has (156)


def expand(names: Sequence[str]) -> tuple[str, ...]:
    """Write groups of scenes out.

    Parameters
    ----------
    names : sequence of str
        Scenes and words of `GROUPS`.

    Returns
    -------
    tuple of str
        Scenes, each once.
    """
    return tuple(dict.fromkeys(scene for name in names for scene in GROUPS.get(name, (name,))))


def group_of(scene: str) -> str:
    """Tell what a scene counts as.

    Parameters
    ----------
    scene : str
        Its name.

    Returns
    -------
    str
        ``"real"`` (Samson, Jasper Ridge), ``"cartoon"`` (Sim1, DC1), ``"procedural"`` (of `HELD_OUT`), ``"wide"``, or
        ``"other"``.
    """
    if _NAME.fullmatch(scene):
        return "procedural"
    if scene == WIDE:
        return "wide"
    if scene.startswith(("samson", "jasper")):
        return "real"
    return "cartoon" if scene in ("sim1", "dc1") else "other"


def load(name: str, data: Path | None) -> BenchScene:
    """Load or draw a scene.

    Parameters
    ----------
    name : str
        Of `hsgeo.evaluation.accuracy.scenes.SCENES`, of `HELD_OUT`, or `WIDE`.
    data : pathlib.Path or None
        Folder of the scenes that come from files.

    Returns
    -------
    BenchScene
        The scene and its truth.

    Raises
    ------
    ConfigError
        There is no such scene, or its file is missing or damaged.
    """
    if name == WIDE:
        return _procedural(len(HELD_OUT), _WIDE_SIDE, WIDE, kind="softmax")  # soft: no edge of its own on the lattice
    found = _NAME.fullmatch(name)
    if found:
        return _procedural(int(found[1]), _SIDE, name)
    try:
        return load_scene(name, data)
    except ConfigError as error:
        if name.startswith("procedural"):
            raise ConfigError(
                f"there is no benchmark scene {name!r}",
                f"procedural, {HELD_OUT[0]} to {HELD_OUT[-1]}",
                "Choose with --scenes",
            ) from error
        raise


@lru_cache(maxsize=2)  # 6 MB each, and runs come scene by scene
def _procedural(index: int, side: int, name: str, *, kind: str | None = None) -> BenchScene:
    """Draw a scene; even ones are of the peak convention, endmembers go 3, 3, 4, 4, 5, 5, 6, 6, 3, 3.

    The truth is what training aims at: the closed form of the image before its noise. Effects are those of training,
    but variability and model error are never off, as in real scenes; stripes and noise are the benchmark's own matter.
    """
    rng = np.random.default_rng([_SEED, index])
    peak, count = index % 2 == 0, 3 + index // 2 % 4
    with threadpool_limits(1):  # the bits of a matrix product change with the threads, and a run's key with the bits
        wavelength, fwhm = random_bands(rng)
        while not _BANDS[0] <= wavelength.size <= _BANDS[1]:
            wavelength, fwhm = random_bands(rng)
        E = in_convention(random_spectra(rng, count, wavelength, fwhm), peak=False)
        A = random_field(rng, side, side, count, kind=kind)
        effects = replace(
            Effects.random(rng),
            variability=float(np.exp(rng.uniform(*np.log([0.01, 0.08])))),  # the upper ends are those of training
            model_error=float(np.exp(rng.uniform(*np.log([0.01, 0.06])))),
        )
        clean = observe(rng, E, A, wavelength=wavelength, effects=effects).clean
        image = np.ascontiguousarray(np.moveaxis(clean, 0, 2))
        truth = closed_form(image.reshape(-1, len(E)), in_convention(E, peak=peak), peak=peak).A
    content = hashlib.sha256(image.tobytes() + E.tobytes() + truth.tobytes())
    return BenchScene(
        name,
        name,
        content.hexdigest()[:12],
        image,
        wavelength,
        E,
        truth,
        tuple(f"material-{k + 1}" for k in range(count)),
        "zhu_peak_nnls" if peak else "fcls",
    )

"""Draw the pictures of docs/synthetic.md into docs/images: kinds of fields, families of spectra, effects.

Run it as ``python tests/tools/write_synthetic.py``; it needs no data.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from hsgeo.synthetic import FIELD_KINDS, Effects, observe, random_field, random_spectra
from hsgeo.synthetic.families import FAMILIES, GRID, draw_family

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SIDE, COLUMNS = 96, 7  # pixels of a field; fields in a row
COLOURS = np.array(  # trees, straw, soil, water, concrete, tiles, rape, heather
    [
        [0.13, 0.45, 0.16],
        [0.78, 0.68, 0.38],
        [0.55, 0.33, 0.20],
        [0.12, 0.30, 0.60],
        [0.75, 0.75, 0.75],
        [0.75, 0.30, 0.20],
        [0.90, 0.90, 0.40],
        [0.50, 0.20, 0.60],
    ]
)
VIEWS = {
    "the mixture": Effects(),
    "smooth gain 0.2": Effects(gain_smooth=0.2),
    "pixel gain 0.1": Effects(gain_pixel=0.1),
    "variability 0.08": Effects(variability=0.08),
    "bilinear 0.3": Effects(bilinear=0.3),
    "offset 0.03": Effects(offset=0.03),
    "model error 0.06": Effects(model_error=0.06),
    "noise 20 dB": Effects(snr_db=20),
    "stripes 0.03": Effects(stripe_gain=0.03),
    "random": Effects.random(np.random.default_rng(31)),
}


def save(figure: Figure, name: str) -> None:
    """Write a figure as a PNG of 128 colours."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=72)
    plt.close(figure)
    IMAGES.mkdir(exist_ok=True)
    Image.open(buffer).convert("RGB").quantize(128).save(IMAGES / name, optimize=True)


def fields() -> None:
    """Draw seven fields of three to six endmembers of every kind."""
    figure, axes = plt.subplots(len(FIELD_KINDS), COLUMNS, figsize=(11, 15.6), layout="constrained")
    for row, kind in enumerate(FIELD_KINDS):
        for column, ax in enumerate(axes[row]):
            rng = np.random.default_rng([column, row])
            A = random_field(rng, SIDE, SIDE, 3 + column % 4, kind=kind)
            colours = COLOURS[rng.permutation(len(COLOURS))[: len(A)]]
            ax.imshow(np.clip(np.tensordot(A.transpose(1, 2, 0), colours, 1), 0, 1), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
        axes[row, 0].set_ylabel(kind, fontsize=13)
    save(figure, "synthetic-fields.png")


def spectra() -> None:
    """Draw eight spectra of every family, and three sets."""
    figure, axes = plt.subplots(3, 4, figsize=(12, 8), layout="constrained", sharex=True, sharey=True)
    for ax, name in zip(axes.flat, FAMILIES, strict=False):
        ax.plot(GRID, draw_family(np.random.default_rng(1), name, 8).T, lw=1)
        ax.set_title(name)
    wavelength = np.arange(400.0, 2450, 10)
    for seed, ax in enumerate(axes.flat[len(FAMILIES) :]):
        ax.plot(wavelength, random_spectra(np.random.default_rng(seed), 6, wavelength), lw=1.4)
        ax.set_title(f"a set of 6, seed {seed}")
    axes[0, 0].set_ylim(0, 1)
    for ax in axes[-1]:
        ax.set_xlabel("wavelength, nm")
    for ax in axes[:, 0]:
        ax.set_ylabel("reflectance")
    save(figure, "synthetic-spectra.png")


def effects() -> None:
    """Draw one scene with one effect at a time: true colour, and a band's difference from the mixture."""
    wavelength = np.arange(400.0, 2450, 20)
    rng = np.random.default_rng(8)
    E, A = random_spectra(rng, 5, wavelength), random_field(rng, SIDE, SIDE, 5, kind="voronoi")
    linear = np.tensordot(E, A, 1)
    show = [int(np.argmin(np.abs(wavelength - nm))) for nm in (660, 560, 480)]
    infrared = int(np.argmin(np.abs(wavelength - 860)))
    brightest = np.quantile(linear[show], 0.98)
    figure, axes = plt.subplots(4, len(VIEWS) // 2, figsize=(11, 9.2), layout="constrained")
    for index, (name, view) in enumerate(VIEWS.items()):
        row, column = 2 * (index // 5), index % 5
        seen = observe(np.random.default_rng(5), E, A, wavelength=wavelength, effects=view).spectra
        colour = np.clip(seen[show].transpose(1, 2, 0) / brightest, 0, 1) ** 0.7
        axes[row, column].imshow(colour, interpolation="nearest")
        axes[row, column].set_title(name, fontsize=11)
        limit = 0.1 * np.quantile(linear[infrared], 0.98)
        difference = seen[infrared] - linear[infrared]
        axes[row + 1, column].imshow(difference, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    save(figure, "synthetic-effects.png")


def main() -> None:
    """Draw all pictures."""
    fields()
    spectra()
    effects()


if __name__ == "__main__":
    main()

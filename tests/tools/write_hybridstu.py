"""Draw the pictures of docs/hybridstu.md into docs/images, and print its table of lone targets.

Run it as ``python tests/tools/write_hybridstu.py [weights.safetensors]``; it needs no data. Without an argument the
maps and the table are made with the shipped weights: run it again when these change.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

import hsgeo
from hsgeo.synthetic import SyntheticScene, synthetic_scene

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
LEVELS = (30.0, 20.0, 10.0)  # dB
NAMES = ("green-vegetation", "dry-vegetation", "soil", "asphalt", "concrete", "water")
SHOWN = ("dry-vegetation", "concrete")
RARE = "concrete"
SIDE, SEED = 64, 4
AS_IT_IS = {"scene.bad_bands": [], "scene.screen": False}  # noise is what is shown: no band is left out for it
GREY, BLUE, TEAL = "#e9ecef", "#d0e2f2", "#cfe8e0"


def save(figure: Figure, name: str) -> None:
    """Write a figure as a PNG of 128 colours."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    plt.close(figure)
    IMAGES.mkdir(exist_ok=True)
    Image.open(buffer).convert("RGB").quantize(128).save(IMAGES / name, optimize=True)


def solved(made: SyntheticScene, stage: dict[str, object]) -> xr.DataArray:
    """Estimate abundances with the true endmembers given."""
    product = hsgeo.unmix(made.scene, stages=[stage], endmembers=made.truth, options=AS_IT_IS, seed=0)
    return product["abundance"].sel(endmember=list(NAMES)).compute()


def maps(weights: str | None) -> None:
    """Draw truth, closed form and ``hybridstu`` of two endmembers at every noise level."""
    columns = 1 + 2 * len(LEVELS)
    figure, axes = plt.subplots(len(SHOWN), columns, figsize=(2 * columns, 4.6), layout="constrained")
    for number, level in enumerate(LEVELS):
        made = synthetic_scene(SIDE, SIDE, names=NAMES, snr_db=level, seed=SEED)
        truth = made.abundance.sel(endmember=list(NAMES))
        found = {"closed form": solved(made, {"use": "fcls"}), "hybridstu": solved(made, network(weights))}
        for offset, (method, A) in enumerate(found.items()):
            column = 1 + 2 * number + offset
            error = float(np.sqrt(np.nanmean((A.values - truth.values) ** 2)))
            print(f"{level:g} dB {method}: aRMSE {error:.4f}")
            axes[0, column].set_title(f"{level:g} dB, {method}\naRMSE {error:.3f}", fontsize=10)
            for row, name in enumerate(SHOWN):
                show(axes[row, column], A.sel(endmember=name).values)
        for row, name in enumerate(SHOWN):
            show(axes[row, 0], truth.sel(endmember=name).values)
            axes[row, 0].set_ylabel(name, fontsize=11)
    axes[0, 0].set_title("truth\n", fontsize=10)
    save(figure, "hybridstu-maps.png")


def targets(weights: str | None) -> None:
    """Print what is left of lone pixels, half of which is a material that is nowhere else."""
    rng = np.random.default_rng(SEED)
    made = synthetic_scene(SIDE, SIDE, names=NAMES, snr_db=np.inf, seed=SEED)
    spectra, E = made.scene["spectra"].values, made.endmembers.values
    rare = NAMES.index(RARE)
    share = made.abundance.sel(endmember=RARE).values
    clean = spectra - np.multiply.outer(E[rare] - E[NAMES.index("soil")], share)  # elsewhere soil takes its place
    lattice = np.arange(6, SIDE - 6, 12)
    rows, cols = (axis.ravel() for axis in np.meshgrid(lattice, lattice, indexing="ij"))
    clean[:, rows, cols] = 0.5 * clean[:, rows, cols] + 0.5 * E[rare][:, None]
    elsewhere = np.ones((SIDE, SIDE), bool)
    elsewhere[rows, cols] = False
    for level in (40.0, *LEVELS):
        noise = rng.standard_normal(clean.shape) * np.sqrt(np.mean(clean**2) * 10 ** (-level / 10))
        scene = made.scene.copy()
        scene["spectra"] = made.scene["spectra"].copy(data=(clean + noise).astype(np.float32))
        for method, stage in {"closed form": {"use": "fcls"}, "hybridstu": network(weights)}.items():
            A = solved(SyntheticScene(scene, made.truth, 0.0), stage).sel(endmember=RARE).values
            print(
                f"{level:g} dB {method}: {len(rows)} targets of 0.5 have {A[rows, cols].mean():.2f} "
                f"+- {A[rows, cols].std():.2f}, elsewhere rms {np.sqrt(np.mean(A[elsewhere] ** 2)):.3f}"
            )


def network(weights: str | None) -> dict[str, object]:
    """Name the stage."""
    return {"use": "hybridstu", "with": {} if weights is None else {"weights": weights}}


def show(ax: Axes, image: np.ndarray) -> None:
    """Draw a map of abundances from 0 to 1."""
    ax.imshow(image, vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
    ax.set(xticks=[], yticks=[])


def box(ax: Axes, x: float, y: float, width: float, height: float, text: str, *, colour: str) -> None:
    """Draw a box with its lower left corner at ``x, y``; the first line of the text is its name."""
    ax.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.12", fc=colour, ec="#495057", lw=1)
    )
    name, _, rest = text.partition("\n")
    if not rest:
        ax.text(x + width / 2, y + height / 2, name, ha="center", va="center", fontsize=10.5, weight="bold")
        return
    ax.text(x + width / 2, y + height - 0.17, name, ha="center", va="top", fontsize=10.5, weight="bold")
    ax.text(x + width / 2, y + height - 0.52, rest, ha="center", va="top", fontsize=9, linespacing=1.35)


def arrow(ax: Axes, *points: tuple[float, float]) -> None:
    """Draw an arrow along points."""
    ax.plot(*zip(*points[:-1], strict=True), color="#495057", lw=1.3, solid_capstyle="round")
    ax.annotate("", points[-1], points[-2], arrowprops={"arrowstyle": "-|>", "color": "#495057", "lw": 1.3})


def built() -> None:
    """Draw how the mode zero is built."""
    figure, ax = plt.subplots(figsize=(12.6, 4.7), layout="constrained")
    ax.set(xlim=(0, 14), ylim=(0, 5.2))
    ax.axis("off")
    closed = "fcls, or with a gain per pixel;\nreach: what noise does to\nleast squares, at most 0.5"
    eight = "closed form, least squares, its error,\ntheir difference, misfit, brightness,\nvalid, convention"
    volume = "16 wavelength windows, 2 x 2 pixels:\nangle, brightness, misfit,\nsignal to noise, bands there"
    unet = "per endmember, shared weights; after each\nblock the endmembers meet: mean, largest,\n"
    unet += "and along the correlation of their errors"
    result = "closed form + reach x F,\nprojected to the simplex:\nexact zeros"
    box(ax, 0.1, 1.85, 1.9, 1.5, "Given\nspectra of a window,\nendmembers,\nnoise of each band", colour=GREY)
    box(ax, 2.7, 3.65, 3.1, 1.5, "Closed form\n" + closed, colour=GREY)
    box(ax, 2.7, 1.85, 3.1, 1.5, "8 maps per endmember\n" + eight, colour=BLUE)
    box(ax, 2.7, 0.05, 3.1, 1.5, "Correlation volume\n" + volume, colour=BLUE)
    box(ax, 6.5, 0.05, 2.4, 1.5, "3-D convolutions\nover window, y and x,\nper endmember,\nshared weights", colour=TEAL)
    box(ax, 6.5, 1.85, 3.9, 1.5, "2-D U-net\n" + unet, colour=TEAL)
    box(ax, 11.2, 2.75, 2.7, 1.5, "Abundances\n" + result, colour=GREY)
    arrow(ax, (2.0, 3.0), (2.35, 3.0), (2.35, 4.4), (2.7, 4.4))
    arrow(ax, (2.0, 2.6), (2.7, 2.6))
    arrow(ax, (2.0, 2.2), (2.35, 2.2), (2.35, 0.8), (2.7, 0.8))
    arrow(ax, (5.8, 4.4), (10.8, 4.4), (10.8, 3.85), (11.2, 3.85))
    arrow(ax, (5.8, 2.6), (6.5, 2.6))
    arrow(ax, (5.8, 0.8), (6.5, 0.8))
    arrow(ax, (8.9, 0.8), (9.5, 0.8), (9.5, 1.85))
    arrow(ax, (10.4, 2.6), (10.8, 2.6), (10.8, 3.2), (11.2, 3.2))
    ax.text(8.3, 4.5, "where it starts, and how far it may go", ha="center", va="bottom", fontsize=9)
    ax.text(9.65, 1.2, "at half resolution", ha="left", va="center", fontsize=9)
    ax.text(10.6, 2.5, "F", ha="center", va="top", fontsize=10.5, weight="bold")
    save(figure, "hybridstu-network.png")


def main() -> None:
    """Draw both pictures, print the table."""
    weights = sys.argv[1] if len(sys.argv) > 1 else None
    built()
    maps(weights)
    targets(weights)


if __name__ == "__main__":
    main()

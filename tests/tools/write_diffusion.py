"""Draw the picture of docs/diffusion.md into docs/images: ``python tests/tools/write_diffusion.py``.

It needs no data. Run it again when the shipped weights change.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from PIL import Image

import hsgeo
from hsgeo.synthetic import SyntheticScene, synthetic_scene

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
LEVELS = (30.0, 20.0, 10.0)  # dB
NAMES = ("green-vegetation", "dry-vegetation", "soil", "asphalt", "concrete", "water")
SHOWN = "dry-vegetation"
SIDE, SEED = 96, 11
AS_IT_IS = {"scene.bad_bands": [], "scene.screen": False}  # noise is what is shown: no band is left out for it
REFINE = {"use": "abundance-diffusion", "with": {"samples": 20, "quantiles": [0.05, 0.95]}}
CHAINS: dict[str, list[dict[str, object]]] = {
    "closed form": [{"use": "fcls"}],
    "vector-tv": [{"use": "vector-tv"}],
    "hybridstu": [{"use": "hybridstu"}],
    "refined": [{"use": "hybridstu"}, REFINE],
}


def solved(made: SyntheticScene, stages: list[dict[str, object]]) -> xr.Dataset:
    """Estimate abundances with the true endmembers given."""
    return hsgeo.unmix(made.scene, stages=stages, endmembers=made.truth, options=AS_IT_IS, seed=0).compute()


def show(ax: Axes, image: np.ndarray, *, cmap: str = "viridis", top: float = 1.0) -> None:
    """Draw a map from 0 to ``top``."""
    ax.imshow(image, vmin=0, vmax=top, cmap=cmap, interpolation="nearest")
    ax.set(xticks=[], yticks=[])


def main() -> None:
    """Draw one material at every noise level: truth, four estimates, spread, error."""
    columns = ["truth", *CHAINS, "standard deviation", "error of refined"]
    figure, axes = plt.subplots(
        len(LEVELS), len(columns), figsize=(2 * len(columns), 2.35 * len(LEVELS)), layout="constrained"
    )
    for row, level in enumerate(LEVELS):
        made = synthetic_scene(SIDE, SIDE, names=NAMES, snr_db=level, seed=SEED)
        truth = made.abundance.sel(endmember=list(NAMES)).values
        show(axes[row, 0], truth[NAMES.index(SHOWN)])
        axes[row, 0].set_ylabel(f"{level:g} dB", fontsize=11)
        for place, (name, stages) in enumerate(CHAINS.items(), 1):
            product = solved(made, stages)
            A = product["abundance"].sel(endmember=list(NAMES)).values
            error = float(np.sqrt(np.nanmean((A - truth) ** 2)))
            print(f"{level:g} dB {name}: aRMSE {error:.4f}")
            show(axes[row, place], A[NAMES.index(SHOWN)])
            axes[row, place].set_title(f"{name}\naRMSE {error:.3f}" if row == 0 else f"aRMSE {error:.3f}", fontsize=10)
        spread = product["abundance_std"].sel(endmember=SHOWN).values
        wrong = np.abs(A - truth)[NAMES.index(SHOWN)]
        top = max(3 * float(np.nanmedian(spread)), 0.02)
        for ax, image in ((axes[row, -2], spread), (axes[row, -1], wrong)):
            show(ax, image, cmap="magma", top=top)
            ax.set_title(f"0 to {top:.2f}", fontsize=10)
    for place in (0, -2, -1):
        axes[0, place].set_title(f"{columns[place]}\n{axes[0, place].get_title()}", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    Image.open(buffer).convert("RGB").quantize(128).save(IMAGES / "abundance-diffusion.png", optimize=True)


if __name__ == "__main__":
    main()

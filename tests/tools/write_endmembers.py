"""Draw the picture of endmember-diffusion into docs/images.

Run it as ``python tests/tools/write_endmembers.py [weights.safetensors]``; it needs no data. Without an argument it is
made with the shipped weights: run it again when these change.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

import hsgeo
from hsgeo.spectra.metrics import match, sad
from hsgeo.synthetic import synthetic_scene

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
LEVELS = (30.0, 20.0, 10.0)  # dB
NAMES = ("green-vegetation", "dry-vegetation", "soil", "water")
COLOURS = ("#2b8a3e", "#e67700", "#862e2e", "#1864ab")
SIDE, SEED = 64, 4
AS_IT_IS = {"scene.bad_bands": [], "scene.screen": False}  # noise is what is shown: no band is left out for it
PEAK_OF_WATER = 6  # how much the darkest spectrum is stretched, so that it can be seen


def save(figure: plt.Figure, name: str) -> None:
    """Write a figure as a PNG of 128 colours."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    plt.close(figure)
    IMAGES.mkdir(exist_ok=True)
    Image.open(buffer).convert("RGB").quantize(128).save(IMAGES / name, optimize=True)


def spectra(weights: str | None) -> None:
    """Draw what vca finds and what is made of it at every noise level."""
    figure, axes = plt.subplots(2, len(LEVELS), figsize=(13, 6.4), layout="constrained", sharex=True, sharey=True)
    with_ = {} if weights is None else {"weights": weights}
    for column, level in enumerate(LEVELS):
        made = synthetic_scene(SIDE, SIDE, names=NAMES, snr_db=level, seed=SEED)
        wavelength = made.scene["wavelength"].values
        truth = made.endmembers.sel(endmember=list(NAMES)).values.T
        stages = [{"use": "vca", "with": {"count": 4}}, {"use": "endmember-diffusion", "with": with_}, "fcls"]
        state = hsgeo.fit(made.scene, stages=stages, options=AS_IT_IS, seed=0)
        for row, (stage, title) in enumerate({"vca": "vca", "endmember-diffusion": "then endmember-diffusion"}.items()):
            E = state[stage]["endmembers"].transpose("band", "endmember").values.astype(np.float64)
            E = E[:, match(E, truth).order]
            angle = float(sad(E, truth).mean())
            print(f"{level:g} dB {stage}: mean spectral angle {angle:.4f} rad")
            ax = axes[row, column]
            for k, (name, colour) in enumerate(zip(NAMES, COLOURS, strict=True)):
                stretch = PEAK_OF_WATER if name == "water" else 1
                scale = np.linalg.norm(truth[:, k]) / np.linalg.norm(E[:, k]) * stretch
                ax.plot(wavelength, E[:, k] * scale, color=colour, lw=1, label=name + (" x 6" if stretch > 1 else ""))
                ax.plot(wavelength, truth[:, k] * stretch, color="black", lw=0.8, ls=(0, (1, 1)))
            ax.set_title(f"{level:g} dB, {title}: {angle:.3f} rad", fontsize=11)
            ax.set_ylim(-0.05, 0.75)
    for ax in axes[1]:
        ax.set_xlabel("wavelength, nm")
    for ax in axes[:, 0]:
        ax.set_ylabel("reflectance")
    axes[0, 0].legend(fontsize=9, frameon=False)
    save(figure, "endmember-diffusion.png")


if __name__ == "__main__":
    spectra(sys.argv[1] if len(sys.argv) > 1 else None)

"""Scenes with known truth, for tests, training and the demo: landscapes, spectra, noise, planted faults."""

from hsgeo.synthetic.abundances import AbundanceField
from hsgeo.synthetic.fractal import Fractal
from hsgeo.synthetic.scene import DEFAULT_MATERIALS, Rows, SceneModel, SyntheticScene, synthetic_scene
from hsgeo.synthetic.spectra import MATERIALS, fine_spectrum, reflectance

__all__ = [
    "DEFAULT_MATERIALS",
    "MATERIALS",
    "AbundanceField",
    "Fractal",
    "Rows",
    "SceneModel",
    "SyntheticScene",
    "fine_spectrum",
    "reflectance",
    "synthetic_scene",
]

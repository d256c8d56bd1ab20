"""Scenes with known truth, for tests, training and the demo: landscapes, spectra, noise, planted faults."""

from hsgeo.synthetic.abundances import AbundanceField
from hsgeo.synthetic.effects import Effects
from hsgeo.synthetic.endmembers import random_spectra
from hsgeo.synthetic.fields import FIELD_KINDS, random_field
from hsgeo.synthetic.fractal import Fractal
from hsgeo.synthetic.leaks import without
from hsgeo.synthetic.observation import Observation, observe
from hsgeo.synthetic.scene import DEFAULT_MATERIALS, Rows, SceneModel, SyntheticScene, synthetic_scene
from hsgeo.synthetic.sensors import random_bands
from hsgeo.synthetic.spectra import MATERIALS, fine_spectrum, reflectance

__all__ = [
    "DEFAULT_MATERIALS",
    "FIELD_KINDS",
    "MATERIALS",
    "AbundanceField",
    "Effects",
    "Fractal",
    "Observation",
    "Rows",
    "SceneModel",
    "SyntheticScene",
    "fine_spectrum",
    "observe",
    "random_bands",
    "random_field",
    "random_spectra",
    "reflectance",
    "synthetic_scene",
    "without",
]

"""The door: everything a plugin author imports.

A plugin is a module with one or more of the five hooks (`hsgeo.plugin.hooks`), named in the
``hsgeo`` entry-point group of its package or given with ``--plugin file.py``.
"""

from hsgeo.errors import (
    ConfigError,
    HsgeoError,
    HsgeoWarning,
    PluginError,
    ProductError,
    RecipeError,
    SceneError,
    TileError,
)
from hsgeo.plugin.hooks import hookimpl
from hsgeo.plugin.needs import FitNeeds, Layout, Memory, Needs, VarSpec, Window
from hsgeo.plugin.networks import StageNetwork
from hsgeo.plugin.protocols import (
    ApplyContext,
    FitContext,
    Kernel,
    Reader,
    ReduceFit,
    Region,
    Sink,
    Stage,
    Trainer,
    Writer,
)
from hsgeo.plugin.quality import Quality, quality_attrs
from hsgeo.plugin.records import CatalogRecord, ReaderRecord, StageRecord, Var, WriterRecord, scene, tile
from hsgeo.plugin.shipped import shipped_weights
from hsgeo.plugin.yardstick import Yardstick

__all__ = [
    "ApplyContext",
    "CatalogRecord",
    "ConfigError",
    "FitContext",
    "FitNeeds",
    "HsgeoError",
    "HsgeoWarning",
    "Kernel",
    "Layout",
    "Memory",
    "Needs",
    "PluginError",
    "ProductError",
    "Quality",
    "Reader",
    "ReaderRecord",
    "RecipeError",
    "ReduceFit",
    "Region",
    "SceneError",
    "Sink",
    "Stage",
    "StageNetwork",
    "StageRecord",
    "TileError",
    "Trainer",
    "Var",
    "VarSpec",
    "Window",
    "Writer",
    "WriterRecord",
    "Yardstick",
    "hookimpl",
    "quality_attrs",
    "scene",
    "shipped_weights",
    "tile",
]

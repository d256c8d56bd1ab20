"""hsgeo: georeferenced hyperspectral scenes to abundance maps people can trust.

The story is ``scene -> tiles -> stages -> product``: `open_scene`, `unmix` and `write` tell it, and ``ds.hsu``
tells it inside xarray.
"""

from hsgeo._version import __version__
from hsgeo.accessor import HsuAccessor
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

_VERBS = (
    "check_scene",
    "evaluate",
    "fit",
    "georeference",
    "library_facts",
    "list_plugins",
    "open_library",
    "open_product",
    "open_scene",
    "open_state",
    "resample_library",
    "subset",
    "train",
    "unmix",
    "write",
    "write_library",
    "write_scene",
)

__all__ = [
    "ConfigError",
    "HsgeoError",
    "HsgeoWarning",
    "HsuAccessor",
    "PluginError",
    "ProductError",
    "RecipeError",
    "SceneError",
    "TileError",
    "__version__",
    *_VERBS,
]


def __getattr__(name: str) -> object:
    if name in _VERBS:  # loaded on first use, so that `import hsgeo` costs no more than xarray
        from hsgeo import api

        return getattr(api, name)
    raise AttributeError(f"module 'hsgeo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

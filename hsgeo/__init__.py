"""hsgeo: georeferenced hyperspectral scenes to abundance maps people can trust.

The story is ``scene -> tiles -> stages -> product``; `open_scene`, `unmix` and `write` tell it.
"""

from hsgeo._version import __version__

__all__ = ["__version__"]

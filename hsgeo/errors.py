"""The errors hsgeo raises on purpose: one root, a few children, three-part messages."""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "HsgeoError",
    "HsgeoWarning",
    "PluginError",
    "ProductError",
    "RecipeError",
    "SceneError",
    "TileError",
]


class HsgeoError(Exception):
    """Root of every error that hsgeo raises on purpose.

    A message has three parts: what was found, what is accepted, what to do next.

    Parameters
    ----------
    found : str
        What was found, with the offending value.
    accepted : str, optional
        What would have been accepted.
    do : str, optional
        What the user can do next.
    """

    def __init__(self, found: str, accepted: str = "", do: str = "") -> None:
        self.found, self.accepted, self.do = found, accepted, do
        super().__init__(found, accepted, do)

    def __str__(self) -> str:
        parts = [self.found.rstrip(".") + "."]
        if self.accepted:
            parts.append(f"Accepted: {self.accepted.rstrip('.')}.")
        if self.do:
            parts.append(self.do.rstrip(".") + ".")
        return " ".join(parts)


class SceneError(HsgeoError, ValueError):
    """The input is not a scene that hsgeo can unmix."""


class ConfigError(HsgeoError, ValueError):
    """An option, argument or library is not acceptable."""


class RecipeError(HsgeoError, ValueError):
    """A recipe is malformed or its stages do not fit together."""


class PluginError(HsgeoError, LookupError):
    """A plugin is missing, broken, or two plugins claim one name."""


class TileError(HsgeoError, RuntimeError):
    """A stage failed on a tile."""


class ProductError(HsgeoError, OSError):
    """A product cannot be written, opened or resumed."""


class HsgeoWarning(UserWarning):
    """Something the user should know that does not stop the work."""

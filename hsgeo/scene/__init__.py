"""Scene in: conventions, opening, other people's datasets, sensors. A name is imported when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hsgeo.scene.catalog import Sensor, sensor, sensors
    from hsgeo.scene.convention import check_scene
    from hsgeo.scene.foreign import standardize
    from hsgeo.scene.opening import find_reader, open_scene
    from hsgeo.spectra.absorption import default_good

__all__ = [
    "Sensor",
    "check_scene",
    "default_good",
    "find_reader",
    "open_scene",
    "sensor",
    "sensors",
    "standardize",
]

_HOMES = {
    "Sensor": "hsgeo.scene.catalog",
    "check_scene": "hsgeo.scene.convention",
    "default_good": "hsgeo.spectra.absorption",
    "find_reader": "hsgeo.scene.opening",
    "open_scene": "hsgeo.scene.opening",
    "sensor": "hsgeo.scene.catalog",
    "sensors": "hsgeo.scene.catalog",
    "standardize": "hsgeo.scene.foreign",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""How far a map is from the abundances that were drawn, at the places where they were drawn."""

import numpy as np
from scipy.ndimage import map_coordinates


def at_places(layers, transform, x, y):
    """Values ``(layer, place)`` of a map ``(layer, row, column)`` at places in its coordinates.

    Interpolated between the centres of cells, so that a shift of half a cell is seen.
    """
    col, row = ~transform * (x, y)
    where = np.round((row - 0.5, col - 0.5), 6)  # the centres of the outermost cells are inside
    return np.stack([map_coordinates(layer, where, order=1, cval=np.nan) for layer in layers])


def apart(found, true):
    """Mean squared differences of each layer found ``(layer, place)`` from each true one: ``(layer, endmember)``."""
    return np.nanmean((found[:, None] - true[None]) ** 2, axis=2)

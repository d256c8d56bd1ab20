"""The verb ``evaluate``: how far a product is from a truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.product.opening import open_product

if TYPE_CHECKING:
    from hsgeo.evaluation.score import Evaluation

__all__ = ["evaluate"]


def evaluate(
    product: str | Path | xr.Dataset,
    truth: str | Path | xr.Dataset,
    *,
    match: str = "auto",
    convention: str | None = None,
    rename: Mapping[str, str] | None = None,
    truth_scale: float | None = None,
    class_field: str | None = None,
    columns: Sequence[str] = (),
    min_cover: float | None = None,
    picture: str | Path | None = None,
) -> Evaluation:
    """Score a product against a truth, every number by the name of its variant.

    Parameters
    ----------
    product : path or xarray.Dataset
        From `unmix` or `open_product`, or where it lies.
    truth : path or xarray.Dataset
        Raster with one band per class, ``.npz``, polygons or points, another product, or a dataset with
        ``abundance (endmember, y, x)``. Grids may differ: the finer one is averaged by area.
    match : {"auto", "names", "sad", "abundance"}
        How estimates and classes are matched; one Hungarian assignment unless by names.
    convention : str, optional
        By which rule the truth was made: ``zhu_peak_nnls``, ``rasti_fcls``, ``fcls``, ``synthetic``,
        ``independent``; None: what the truth says.
    rename : mapping of str to str, optional
        New names of the product's endmembers by old ones, before matching.
    truth_scale : float, optional
        What the fractions are multiplied by, such as 0.01; None: found out for whole numbers of a raster.
    class_field : str, optional
        Field of polygons or points with the class; None: the one that shares names with the product.
    columns : sequence of str
        Fields of polygons or points with fractions.
    min_cover : float, optional
        Least sum of the classes for a pixel to count, 0 to 1; None: 0.95 for polygons and rasters, else no limit.
    picture : path, optional
        Picture of truth, estimate and difference to write: .png, .pdf or .svg.

    Returns
    -------
    hsgeo.evaluation.score.Evaluation
        ``overall``, ``classes``, ``pixels``, ``notes`` and more; ``to_dict()`` is ready for JSON.

    Raises
    ------
    ConfigError
        The truth cannot be read, lies elsewhere, or cannot be matched.
    ProductError
        The product cannot be opened, or the picture not saved.
    """
    from hsgeo.evaluation.conventions import check_convention
    from hsgeo.evaluation.picture import check_picture, score_picture
    from hsgeo.evaluation.score import score
    from hsgeo.evaluation.sound import check_fractions, check_scale, covered, scaled
    from hsgeo.evaluation.truth import open_truth

    if picture is not None:
        check_picture(picture)
    opened = open_product(product) if isinstance(product, (str, Path)) else product
    if "abundance" not in opened or opened["abundance"].dims != ("endmember", "y", "x"):
        raise ConfigError("there is no abundance (endmember, y, x) to score", "a product of hsgeo")
    opened = _renamed(opened, dict(rename or {}))
    if isinstance(truth, xr.Dataset):
        if "abundance" not in truth or set(truth["abundance"].dims) != {"endmember", "y", "x"}:
            raise ConfigError("the truth has no abundance (endmember, y, x)", "a Dataset with it, or a path")
        known = truth.assign(abundance=truth["abundance"].transpose("endmember", "y", "x"))
        if "endmember" not in known.coords:
            known = known.assign_coords(endmember=[f"class-{k + 1}" for k in range(known.sizes["endmember"])])
        known.attrs["convention"] = check_convention(convention or known.attrs.get("convention"))
        notes: list[str] = []
        known = scaled(known, check_scale(truth_scale))
        check_fractions(known, "the truth")
        if min_cover is not None:
            known, notes = covered(known, min_cover)
    else:
        known, notes = open_truth(
            truth,
            opened,
            convention=convention,
            scale=truth_scale,
            class_field=class_field,
            columns=columns,
            min_cover=min_cover,
        )
    found = score(opened, known, match=match, notes=notes)
    if picture is not None:
        score_picture(found, picture)
    return found


def _renamed(product: xr.Dataset, names: dict[str, str]) -> xr.Dataset:
    if not names:
        return product
    have = [str(name) for name in product["endmember"].values]
    missing = [name for name in names if name not in have]
    new = [names.get(name, name) for name in have]
    if missing or len(set(new)) < len(new):
        what = f"{', '.join(missing)} is not there" if missing else "two names would be alike"
        raise ConfigError(
            f"the product cannot be renamed: {what}",
            f"old names among {', '.join(have)}, and different new ones",
            "See hsgeo info PRODUCT",
        )
    return product.assign_coords(endmember=new)

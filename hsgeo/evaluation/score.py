"""Score a product against a truth: every number by the name of its variant, and everything left out counted."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.evaluation.conventions import CONVENTIONS, as_peak, scale_of_convention
from hsgeo.evaluation.grids import align
from hsgeo.evaluation.who import MATCHES, Who, find_who, has_spectra, true_spectra
from hsgeo.spectra import metrics

__all__ = ["MATCHES", "Evaluation", "score"]

_SUM_LOW = 0.95  # classes that sum to less leave much of a pixel unsaid
_ABSENT = 1e-6  # an abundance that solvers leave by rounding: no map holds anything


@dataclass(frozen=True)
class Evaluation:
    """How far a product is from a truth.

    Parameters
    ----------
    overall : dict of str to float
        ``armse`` (primary), ``mrmse``, ``pixel_rmse``, ``mae``, ``sre_db``, ``psnr_db`` and ``ssim`` (means over the
        maps, data range 1; these two and ``mrmse`` without classes that are absent from truth and estimate),
        ``msad_rad``, ``msad_deg``, ``mrsa``, ``ermse`` (physical scale only), ``re_rmse`` (of the
        product's own residual map); ``ause`` where the product states uncertainties and errs.
    classes : list of dict
        By truth class: ``truth``, ``estimate`` (None: none left), ``mean_truth``, ``rmse``, ``mae``, ``bias``, ``r2``,
        ``psnr_db``, ``ssim``, ``sad_rad``, ``sad_deg``, and ``coverage`` by level and ``crps``.
    spare : dict of str to float
        Mean abundance of the estimates that belong to no truth class.
    pixels : dict of str to int
        ``scored``, ``without_truth``, ``without_estimate``.
    variants : dict of str to float
        aRMSE of the same product read differently, such as in the other scale convention.
    matching : dict
        ``by``, ``order``, and ``abundances_agree``: whether matching by abundances gives the same pairs.
    convention : dict
        ``truth`` (convention id or None), ``truth_scale``, ``product_scale``, ``comparable``.
    notes : list of str
        What one must know to read the numbers.
    maps : xarray.Dataset
        ``truth`` and ``estimate (endmember, y, x)``, matched, for pictures.
    """

    overall: dict[str, float]
    classes: list[dict[str, Any]]
    spare: dict[str, float]
    pixels: dict[str, int]
    variants: dict[str, float]
    matching: dict[str, Any]
    convention: dict[str, Any]
    notes: list[str]
    maps: xr.Dataset = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the maps in plain types, ready for JSON; what is not finite becomes None."""
        plain: dict[str, Any] = _plain(
            {key: value for key, value in asdict(self, dict_factory=_shallow).items() if key != "maps"}
        )
        return plain


def score(product: xr.Dataset, truth: xr.Dataset, *, match: str = "auto", notes: list[str] | None = None) -> Evaluation:
    """Score a product.

    The aRMSE is over the classes of the truth: one without an estimate is compared with zero, and a spare estimate is
    no column of its own, because what it holds is missing in the others.

    Parameters
    ----------
    product : xarray.Dataset
        ``abundance (endmember, y, x)``; ``endmembers``, ``abundance_std``, ``rmse`` where there; attributes
        ``scale``, ``sum``.
    truth : xarray.Dataset
        ``abundance (endmember, y, x)``; ``endmembers`` where known; attribute ``convention``.
    match : {"auto", "names", "sad", "abundance"}
        Who is who: by names; by spectral angles; by abundances. ``"auto"``: by names where the product has at
        least half of the truth's, else by spectra where there are any, else by abundances.
    notes : list of str, optional
        Carried into the result.

    Returns
    -------
    Evaluation
        The numbers.

    Raises
    ------
    ConfigError
        Product and truth have no pixel in common, or cannot be matched that way.
    """
    notes = list(notes or ())
    product, truth, how = align(product, truth)
    if not how.startswith("same pixels"):
        notes.append(how)
    true = truth["abundance"].load()
    A_true, A = _pixels(true.values), _pixels(product["abundance"].values)
    known, solved = np.isfinite(A_true).all(axis=1), np.isfinite(A).all(axis=1)
    both = known & solved
    if not both.any():
        raise ConfigError(
            f"no pixel has both: the truth knows {int(known.sum())}, the product {int(solved.sum())}",
            "at least one pixel in common",
            "See whether they cover the same place",
        )
    if partly := int((np.isfinite(A_true).any(axis=1) & ~known).sum()):
        notes.append(f"{partly} pixels with a truth in some classes only were left out")
    low = int((A_true[both].sum(axis=1) < _SUM_LOW).sum())
    if low:
        notes.append(
            f"in {low} of {int(both.sum())} pixels the classes of the truth sum to less than {_SUM_LOW} "
            "(--min-cover leaves such pixels out)"
        )
    who = find_who(product, truth, A[both], A_true[both], by=match)
    notes += who.notes
    A_found = _chosen(A, who)
    std = _pixels(product["abundance_std"].values) if "abundance_std" in product else None
    flat = {"found": A_found[both], "true": A_true[both]}
    shape = true.shape[1:]
    overall = {
        name: function(flat["found"], flat["true"])
        for name, function in (
            ("armse", metrics.armse), ("pixel_rmse", metrics.pixel_rmse), ("mae", metrics.mae),
            ("sre_db", metrics.sre),
        )
    }  # fmt: skip
    classes = _by_class(A_found, A_true, both, shape, who, truth)
    present, absent = _present(flat, classes)
    notes += absent
    overall["mrmse"] = float(np.mean([row["rmse"] for row in present]))
    for key in ("psnr_db", "ssim"):
        overall[key] = float(np.mean([row[key] for row in present]))
    scale = str(product.attrs.get("scale", "physical"))
    wanted = _scale_of(truth)
    overall |= _spectral(product, truth, who, classes, physical=scale == wanted == "physical")
    if "rmse" in product and product["rmse"].shape == shape:
        overall["re_rmse"] = float(np.sqrt(np.mean(np.square(product["rmse"].values.ravel()[both].astype(float)))))
    if std is not None:
        overall |= _uncertain(flat, _chosen(std, who)[both], classes)
    stated, more = _convention(scale, wanted, truth)
    free = product.attrs.get("sum") == "free"
    estimate = A_found.T.reshape(true.shape).astype(np.float32)
    return Evaluation(
        overall=overall,
        classes=classes,
        spare={str(product["endmember"].values[i]): float(A[both][:, i].mean()) for i in who.spare},
        pixels={
            "scored": int(both.sum()),
            "without_truth": int((~known).sum()),
            "without_estimate": int((known & ~solved).sum()),
        },
        variants=_variants(product, A[both], who, flat["true"], peak=scale == "physical" != wanted, free=free),
        matching={
            "by": who.by,
            "order": {row["truth"]: row["estimate"] for row in classes},
            "abundances_agree": who.abundances_agree,
        },
        convention=stated,
        notes=notes + more,
        maps=xr.Dataset(
            {"truth": true, "estimate": (true.dims, np.where(np.isfinite(true.values), estimate, np.nan))},
            attrs=dict(product.attrs),
        ),
    )


def _pixels(cube: np.ndarray) -> np.ndarray:
    return cube.reshape(cube.shape[0], -1).T.astype(np.float64)


def _chosen(A: np.ndarray, who: Who) -> np.ndarray:
    """Return the estimates in the order of the truth; zero where there is none (NaN where the pixel has none)."""
    nothing = np.where(np.isfinite(A).all(axis=1), 0.0, np.nan)
    return np.stack([nothing if i is None else A[:, i] for i in who.order], axis=1)


def _by_class(
    A: np.ndarray, A_true: np.ndarray, both: np.ndarray, shape: tuple[int, ...], who: Who, truth: xr.Dataset
) -> list[dict[str, Any]]:
    found, true = A[both], A_true[both]
    columns: dict[str, np.ndarray] = {
        "mean_truth": true.mean(axis=0),
        "mean_estimate": found.mean(axis=0),
        "rmse": metrics.rmse_per_endmember(found, true),
        "mae": metrics.mae_per_endmember(found, true),
        "bias": metrics.bias(found, true),
        "r2": metrics.r2(found, true),
    }
    rows = []
    for q, name in enumerate(truth["endmember"].values):
        row: dict[str, Any] = {"truth": str(name), "estimate": who.name(q)}
        row |= {key: float(values[q]) for key, values in columns.items()}
        row["psnr_db"] = metrics.psnr(found[:, q], true[:, q], data_range=1.0)
        maps = (np.where(both, values[:, q], np.nan).reshape(shape) for values in (A, A_true))
        row["ssim"] = metrics.ssim(*maps, data_range=1.0)
        rows.append(row)
    return rows


def _spectral(
    product: xr.Dataset, truth: xr.Dataset, who: Who, classes: list[dict[str, Any]], *, physical: bool
) -> dict[str, float]:
    E_true = true_spectra(product, truth)
    if E_true is None:
        return {}
    pairs = [(q, i) for q, i in enumerate(who.order) if i is not None]
    E = product["endmembers"].values.T.astype(np.float64)[:, [i for _, i in pairs]]
    E_true = E_true[:, [q for q, _ in pairs]]
    angle = metrics.sad(E, E_true)
    for (q, _), value in zip(pairs, angle, strict=True):
        classes[q] |= {"sad_rad": float(value), "sad_deg": float(np.rad2deg(value))}
    found = {
        "msad_rad": float(angle.mean()),
        "msad_deg": float(np.rad2deg(angle.mean())),
        "mrsa": float(metrics.mrsa(E, E_true).mean()),
    }
    if physical:
        found["ermse"] = metrics.ermse(E, E_true)
    return found


def _uncertain(flat: dict[str, np.ndarray], std: np.ndarray, classes: list[dict[str, Any]]) -> dict[str, float]:
    covered = metrics.coverage(flat["found"], std, flat["true"])
    points = metrics.crps(flat["found"], std, flat["true"])
    for q, row in enumerate(classes):
        row["coverage"] = {f"{level:g}": float(covered[k, q]) for k, level in enumerate(metrics.LEVELS)}
        row["crps"] = float(points[q])
    error = np.sqrt(np.mean(np.square(flat["found"] - flat["true"]), axis=1))
    stated = np.sqrt(np.mean(np.square(std), axis=1))
    overall = {f"coverage_{level:g}": float(covered[k].mean()) for k, level in enumerate(metrics.LEVELS)}
    overall["crps"] = float(points.mean())
    area = metrics.ause(error, stated)
    return overall | ({"ause": area} if math.isfinite(area) else {})  # without an error there is nothing to rank


def _present(flat: dict[str, np.ndarray], classes: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the classes that truth or estimate hold somewhere; two empty maps agree without saying anything."""
    held = np.maximum(np.abs(flat["found"]), np.abs(flat["true"])).max(axis=0) > _ABSENT
    present = [row for row, some in zip(classes, held, strict=True) if some]
    if not present or len(present) == len(classes):
        return classes, []
    names = ", ".join(row["truth"] for row, some in zip(classes, held, strict=True) if not some)
    return present, [f"absent from truth and estimate, so in no mean over classes (mRMSE, PSNR, SSIM): {names}"]


def _scale_of(truth: xr.Dataset) -> str | None:
    """Return the scale of a truth: of its convention, else, where it is a product, its own."""
    own = truth.attrs.get("scale")
    return scale_of_convention(truth.attrs.get("convention")) or (own if own in ("physical", "peak") else None)


def _convention(scale: str, wanted: str | None, truth: xr.Dataset) -> tuple[dict[str, Any], list[str]]:
    convention = truth.attrs.get("convention")
    notes = []
    if wanted is None:
        notes.append(
            "the truth does not say by which convention it was made (--convention "
            + ", ".join(CONVENTIONS)
            + "); truths of different ones are not comparable"
        )
        if "endmembers" in truth and np.allclose(truth["endmembers"].max("band"), 1, atol=0.01):
            notes.append("its endmembers have highest band 1: it may be zhu_peak_nnls")
    elif wanted != scale:
        notes.append(
            f"the product's endmembers are {scale}, the truth is {wanted} ({convention or 'a product'}): "
            f"the aRMSE mixes error and convention; unmix with -o STAGE.scale={wanted} for a fair score"
        )
    stated = {"truth": convention, "truth_scale": wanted, "product_scale": scale, "comparable": wanted in (None, scale)}
    return stated, notes


def _variants(
    product: xr.Dataset, A: np.ndarray, who: Who, A_true: np.ndarray, *, peak: bool, free: bool
) -> dict[str, float]:
    """Return the aRMSE of the same product in other conventions, where they can be had from it."""
    found = {}

    def measured(other: np.ndarray) -> float:
        return metrics.armse(_chosen(np.nan_to_num(other), who), A_true)

    if free:
        total = A.sum(axis=1, keepdims=True)
        found["divided by their sum"] = measured(A / np.where(total > 0, total, np.nan))
    if peak and has_spectra(product):  # physical both: carrying one alone would compare two conventions
        found["carried to the peak convention"] = measured(as_peak(A, product["endmembers"].values.T))
    return found


def _shallow(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value

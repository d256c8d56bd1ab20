"""``hsgeo demo``: a synthetic granule with known truth, unmixed and scored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from hsgeo.synthetic import SyntheticScene

__all__ = ["demo"]

SWATH_ANGLE = 12.0  # degrees: about what PRISMA's orbit gives on a UTM grid in middle latitudes
SNR_DB = 40.0  # white noise of 1 % of the mean signal, of the order of PRISMA's in the visible and near infrared
PROMISE = 1.2  # times the error of FCLS that is told the true endmembers


@click.command("demo")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default="demo", show_default=True, help="Folder to fill."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed, another landscape.")
@click.option(
    "--size",
    type=click.IntRange(60, 1000),
    default=300,
    show_default=True,
    help="Columns of the granule; it has 14 rows for 15 columns.",
)
@click.option(
    "--sensor",
    default="prisma",
    show_default=True,
    metavar="NAME",
    callback=lambda context, parameter, value: _known(value),
    help="Whose bands and format; an unknown name lists all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def demo(out: Path, seed: int, size: int, sensor: str, as_json: bool) -> None:
    """Unmix a synthetic granule whose truth is known, and compare.

    Writes the granule, abund.zarr, abund.tif (a map, also where the granule is a swath), truth.zarr, truth.csv and
    demo.png; files of an earlier demo are replaced. Ends with exit code 1 when the abundances are not as good as
    promised: at most 1.2 times the error of FCLS with the true endmembers on the same noisy data.
    """
    import json
    import time

    from hsgeo import api
    from hsgeo.product.picture import picture

    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    granule, made = _write_granule(out, sensor=sensor, height=round(size * 14 / 15), width=size, seed=seed)
    scene = api.open_scene(granule)
    chosen = {"scene.radiance": True} if scene["spectra"].attrs["quantity"] == "radiance" else None
    state = api.fit(scene, options=chosen)
    api.write(api.unmix(scene, state=state), out / "abund.zarr", state=state, overwrite=True)
    product = api.open_product(out / "abund.zarr", chunks=None).load()
    truth = _truth(made, product, scene)
    score = _score(scene, product, truth)
    _write_truth(truth, out)
    shown = [product, scene, truth]
    if "lat" in product.coords:  # a swath: what was scored on its own grid is shown on a map
        shown = [api.georeference(part) for part in shown]
    api.write(shown[0], out / "abund.tif", state=state, overwrite=True)
    picture(shown[0], out / "demo.png", scene=shown[1], truth=shown[2])
    score["seconds"] = round(time.perf_counter() - began, 1)
    score["files"] = {path.name: str(path) for path in sorted(out.iterdir()) if path.name in (granule.name, *_FILES)}
    if as_json:
        click.echo(json.dumps(score, indent=2))
    else:
        _tell(score, granule, out)
    if not score["promise_kept"]:
        raise SystemExit(1)


_FILES = ("abund.zarr", "abund.tif", "truth.zarr", "truth.csv", "demo.png")


def _known(name: str) -> str:
    """Check that a sensor's bands are in a catalog and that its reader can write its format."""
    from hsgeo.plugin.registry import registry
    from hsgeo.scene import sensors

    reg = registry()
    writers = {name: reg.load(reg.readers[name]) for name in sensors() if name in reg.readers}
    names = [name for name, reader in writers.items() if hasattr(reader, "synthesize") and hasattr(reader, "example")]
    if name not in names:
        raise click.BadParameter(f"{name!r} is not one of {', '.join(names)}")
    return name


def _write_granule(out: Path, *, sensor: str, height: int, width: int, seed: int) -> tuple[Path, SyntheticScene]:
    """Let the sensor's reader plugin write its format around a synthetic landscape."""
    from hsgeo.plugin.registry import registry
    from hsgeo.scene import sensor as look_up
    from hsgeo.synthetic import synthetic_scene

    bands = look_up(sensor)
    made = synthetic_scene(
        height,
        width,
        wavelength=bands.wavelength,
        fwhm=bands.fwhm,
        snr_db=SNR_DB,
        seed=seed,
        swath_angle=SWATH_ANGLE,
    )
    reg = registry()
    reader = reg.load(reg.reader(sensor))
    return reader.synthesize(out / reader.example, made.scene.assign_coords(detector=("band", bands.detector))), made


def _truth(made: SyntheticScene, product: xr.Dataset, scene: xr.Dataset) -> xr.Dataset:
    """Return true abundances (NaN outside the swath) and spectra on the product's grid and bands, in its quantity."""
    import numpy as np
    import xarray as xr

    from hsgeo.synthetic import reflectance

    names = [str(name) for name in made.abundance["endmember"].values]
    E = reflectance(names, product["wavelength"].values, product["fwhm"].values)
    if scene["spectra"].attrs["quantity"] == "radiance":  # the writer lit the landscape, band by band
        A = _pixels(made.abundance.values)
        valid = np.isfinite(A).all(axis=1)
        drawn, seen = A[valid] @ E.T, _pixels(scene["spectra"].values)[valid]
        E *= ((drawn * seen).sum(axis=0) / (drawn * drawn).sum(axis=0))[:, None]
    coords = {name: product.coords[name] for name in _PLACES if name in product.coords}
    mapping = {"grid_mapping": "spatial_ref"} if "spatial_ref" in coords else {}
    return xr.Dataset(
        {
            "abundance": (("endmember", "y", "x"), made.abundance.values, mapping),
            "endmembers": (("endmember", "band"), E.T.astype("float32")),
        },
        {"endmember": names, **coords},
    )


_PLACES = ("y", "x", "spatial_ref", "lat", "lon", "glt_y", "glt_x", "band", "wavelength", "fwhm", "good")


def _score(scene: xr.Dataset, product: xr.Dataset, truth: xr.Dataset) -> dict[str, Any]:
    """Compare with the truth, and with FCLS that is told the true endmembers."""
    import numpy as np

    from hsgeo.spectra import metrics, solvers

    good = product["good"].values
    E, E_true = (ds["endmembers"].values[:, good].T.astype(float) for ds in (product, truth))
    A, A_true = (_pixels(ds["abundance"].values) for ds in (product, truth))
    valid = np.isfinite(A_true).all(axis=1)
    found, wanted = E.shape[1], E_true.shape[1]
    if found < wanted:  # a material that was not found has abundance 0 and the least fitting spectrum
        E = np.concatenate([E, np.repeat(E[:, :1], wanted - found, axis=1)], axis=1)
        A = np.concatenate([A, np.zeros((len(A), wanted - found))], axis=1)
    order = metrics.match(E, E_true).order
    Y = _pixels(scene["spectra"].values[good])[valid].astype(float)
    oracle = solvers.fcls(Y, E_true)
    both = valid & np.isfinite(A).all(axis=1)
    armse = metrics.armse(A[both][:, order], A_true[both])
    armse_oracle = metrics.armse(oracle, A_true[valid])
    mask = np.isnan(product["abundance"].values)
    same_mask = bool((mask == ~valid.reshape(mask.shape[1:])).all())
    return {
        "pixels": int(valid.sum()),
        "endmembers_found": found,
        "endmembers_true": wanted,
        "armse": armse,
        "armse_fcls_true_endmembers": armse_oracle,
        "ratio": armse / armse_oracle,
        "mean_sad_rad": metrics.msad(E[:, order], E_true),
        "sad_rad": dict(
            zip(map(str, truth["endmember"].values), metrics.sad(E[:, order], E_true).tolist(), strict=True)
        ),
        "nan_mask_equals_truth": same_mask,
        "promise_kept": bool(armse <= PROMISE * armse_oracle and same_mask and found == wanted),
    }


def _pixels(cube: np.ndarray) -> np.ndarray:
    """Turn ``(layer, y, x)`` into ``(pixels, layer)``."""
    return cube.reshape(cube.shape[0], -1).T


def _write_truth(truth: xr.Dataset, out: Path) -> None:
    """Leave the truth as Zarr, and its spectra as a CSV library."""
    import csv
    import shutil

    from hsgeo.synthetic import fine_spectrum

    shutil.rmtree(out / "truth.zarr", ignore_errors=True)
    truth.to_zarr(out / "truth.zarr", mode="w", zarr_format=2)
    names = [str(name) for name in truth["endmember"].values]
    wavelength = fine_spectrum(names[0])[0]
    spectra = [fine_spectrum(name)[1] for name in names]
    with (out / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["wavelength", *names])
        for i, centre in enumerate(wavelength):
            table.writerow([f"{centre:g}", *(f"{spectrum[i]:.6f}" for spectrum in spectra)])


def _tell(score: dict[str, Any], granule: Path, out: Path) -> None:
    """Say what came of it, and where to look."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title="against the truth", title_justify="left", title_style="bold", box=None, show_header=False)
    rows = (
        ("endmembers", f"{score['endmembers_found']} found, {score['endmembers_true']} there are"),
        ("abundances, aRMSE", f"{score['armse']:.4f}"),
        ("  FCLS told the true endmembers", f"{score['armse_fcls_true_endmembers']:.4f}"),
        ("  ratio", f"{score['ratio']:.2f} (promised: at most {PROMISE})"),
        ("endmembers, mean spectral angle", f"{score['mean_sad_rad']:.4f} rad"),
        ("nodata", "exactly where the truth has none" if score["nan_mask_equals_truth"] else "NOT as in the truth"),
        ("pixels, time", f"{score['pixels']}, {score['seconds']} s"),
    )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    program = _program()
    console.print(
        f"\nLook at [bold]{out / 'demo.png'}[/bold]; open [bold]{out / 'abund.tif'}[/bold] in QGIS, "
        f"or in Python: hsgeo.open_product('{out / 'abund.zarr'}')\n"
        f"Next: {program} info {granule}; {program} unmix --help",
        highlight=False,
        soft_wrap=True,
    )


def _program() -> str:
    """Return how this command line is called from here: ``hsgeo``, or its path where it is not on PATH."""
    import os
    import shutil
    import sys

    called = Path(sys.argv[0])
    if called.name != "hsgeo" or shutil.which("hsgeo") == str(called.absolute()):
        return "hsgeo"
    return os.path.relpath(called)

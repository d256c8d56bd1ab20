"""The laws of stages that need no runner: the stage is called directly, on a tiny scene with known truth."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import xarray as xr

from hsgeo.stages.context import Applying
from hsgeo.testing import bench
from hsgeo.testing.case import StageCase
from hsgeo.testing.disturb import assert_memory, changed_outside, inside, nan_at, places, touched, unwatched
from hsgeo.testing.laws import Law, always, assert_light, assert_options, same_bits, same_datasets, tiles
from hsgeo.testing.randomness import global_random

__all__ = ["KERNEL_LAWS"]

PICKLE_MOST = 65_536  # bytes: a definition is options, not weights
SUM_TOLERANCE = 1e-5  # of float32 sums, as docs/conventions promises
RANGE_TOLERANCE = 1e-6
PARTIAL_CHANGE = 0.1  # abundance; leaving out one band in twenty of a well-posed pixel moves it by noise only
THREADS = 8


def imports_light(case: StageCase) -> None:
    """Check that importing the plugin's module loads none of the heavy packages."""
    info = case.registry.provider(case.record)
    assert_light(info.module, case.files, f"stage {case.name!r}")


def options_round_trip(case: StageCase) -> None:
    """Check that options are frozen, forbid extras, are described, and survive JSON and YAML."""
    assert_options(case.registry.options(case.record), case.values, f"stage {case.name!r}")


def definition_is_cheap_and_picklable(case: StageCase) -> None:
    """Check that a definition pickles small, and its copy answers the same."""
    stage = case.stage()
    data = pickle.dumps(stage)
    assert len(data) <= PICKLE_MOST, (
        f"the definition pickles to {len(data)} bytes (at most {PICKLE_MOST}): load in setup()"
    )
    copy = pickle.loads(data)  # noqa: S301  made one line above
    layout = case.inputs.layout
    for question in ("needs", "outputs", "fit_needs"):
        first, second = getattr(stage, question)(layout), getattr(copy, question)(layout)
        assert first == second, f"{question}() answers differently after pickling: {first} and {second}"


def outputs_are_as_declared(case: StageCase) -> None:
    """Check that state and kernel give every declared variable as declared, and the kernel no other."""
    stage = case.stage()
    declared = {var.name: var for var in case.record.writes}
    specs = stage.outputs(case.layout)
    for name, spec in specs.items():
        assert name in declared, f"outputs() has {name!r}, which writes= of the record does not name"
        assert spec.scope == declared[name].scope, (
            f"{name!r} has scope {spec.scope} in outputs(), another in the record"
        )
    silent = [name for name, var in declared.items() if not var.optional and name not in specs]
    assert not silent, f"outputs() lacks {silent[0]!r}, which the record declares as not optional"
    sizes = {"band": case.layout.bands, "y": case.layout.height, "x": case.layout.width}
    if case.layout.endmembers:
        sizes["endmember"] = len(case.layout.endmembers)
    found: dict[str, xr.DataArray] = {str(name): case.state[name] for name in case.state.data_vars}
    if tiles(case.record):
        found |= case.result
        batch, _ = bench.batches(case.inputs, case.needs)[0]
        extra = set(bench.apply_batch(case.kernel, batch, case.inputs).data_vars) - set(case.specs)
        assert not extra, (
            f"the kernel returns {sorted(map(str, extra))}, which outputs() does not declare with tile scope"
        )
    for name, spec in specs.items():
        assert name in found, f"{name!r} is declared with scope {spec.scope} and not returned"
        array = found[name]
        assert array.dims == spec.dims, f"{name!r} has dims {array.dims}, declared {spec.dims}"
        assert array.dtype == np.dtype(spec.dtype), f"{name!r} has dtype {array.dtype}, declared {spec.dtype}"
        for dim, size in zip(array.dims, array.shape, strict=True):
            want = len(spec.coords[str(dim)]) if dim in spec.coords else sizes.get(str(dim))
            assert want is None or size == want, f"{name!r} has {size} along {dim!r}, expected {want}"
    if "endmembers" in specs:
        assert "endmember" in case.state.coords, "endmembers are written without names: give the coordinate 'endmember'"


def input_is_untouched(case: StageCase) -> None:
    """Check that neither fit, setup nor apply changes a bit of what it was given."""
    stage = case.stage()
    needs = stage.fit_needs(case.inputs.layout)
    if needs is not None and needs.kind != "reduce":
        sample = bench.sample(case.inputs, needs)
        kept = sample.copy(deep=True)
        stage.fit(sample, bench.context(case.inputs, needs))
        changed = same_datasets(sample, kept)
        assert not changed, f"fit() changed {changed!r} of its sample in place"
    if tiles(case.record):
        batch, _ = bench.batches(case.inputs, case.needs)[0]
        kept = batch.copy(deep=True)
        case.kernel.apply(batch, Applying(case.seed, "case"))
        changed = same_datasets(batch, kept)
        assert not changed, f"apply() changed {changed!r} of its input in place"


def state_survives_zarr(case: StageCase) -> None:
    """Check that the state, written to Zarr and read back, gives the same outputs bit for bit."""
    from zarr.storage import MemoryStore

    store = MemoryStore()
    case.state.to_zarr(store, zarr_format=2, consolidated=False)
    back = xr.open_zarr(store, consolidated=False, decode_timedelta=False).load()
    lost = set(case.state.variables) - set(back.variables)
    assert not lost, f"the state loses {sorted(map(str, lost))} through Zarr"
    for name in case.state.variables:
        assert same_bits(case.state[name].values, back[name].values), f"{name!r} of the state changes through Zarr"
    if tiles(case.record):
        worker = bench.kernel(case.stage(), back, case.inputs)
        assert worker is not None
        again = bench.apply_scene(worker, case.inputs, case.needs, case.specs)
        changed = same_datasets(case.result, again)
        assert not changed, f"{changed!r} differs when the state has been through Zarr"


def same_twice(case: StageCase) -> None:
    """Check that a second definition, fitted and applied again, gives the same bits."""
    state = bench.fit(case.stage(), case.inputs)
    changed = same_datasets(case.state, state)
    assert not changed, f"{changed!r} of the state differs between two fits of the same sample and seed"
    if tiles(case.record):
        worker = bench.kernel(case.stage(), state, case.inputs)
        assert worker is not None
        changed = same_datasets(case.result, bench.apply_scene(worker, case.inputs, case.needs, case.specs))
        assert not changed, f"{changed!r} differs between two runs of the same kernel on the same input"


def position_in_the_batch_means_nothing(case: StageCase) -> None:
    """Check that a pixel, or a window, gives the same bits at every place of the batch."""
    number = places(case)
    for order in (np.roll(np.arange(number), 7), np.random.default_rng(1).permutation(number)):
        changed = same_datasets(case.result, case.apply(case.inputs, order=order))
        assert not changed, (
            f"{changed!r} depends on the place in the batch: BLAS and vectorised sums change bits with the shape; "
            "compute pixel by pixel in a fixed order"
        )


def window_is_honest(case: StageCase) -> None:
    """Check that a pixel outside the declared window changes nothing."""
    keep, compare = inside(case)
    other = changed_outside(case.inputs, keep)
    result = case.apply(other)
    for name, array in case.result.items():
        same = same_bits(array.values[..., compare], result[name].values[..., compare])
        assert same, (
            f"{name!r} of a pixel depends on pixels outside its declared window ({case.needs.window or 'pixelwise'})"
        )


def nan_stays_where_it_is(case: StageCase) -> None:
    """Check that a NaN pixel, and padding, change nothing beyond the window, and make no other pixel NaN."""
    row, col = case.layout.height // 2, case.layout.width // 2
    itself = np.zeros((case.layout.height, case.layout.width), bool)
    itself[row, col] = True
    # pixels that any other value there would change are the business of the law of windows
    changed = case.apply(changed_outside(case.inputs, ~itself))
    result = case.apply(nan_at(case.inputs, row, col))
    beyond = ~touched(case, row, col)
    for name, array in case.result.items():
        lead = tuple(range(array.ndim - 2))
        stays = beyond & (array.values == changed[name].values).all(axis=lead)
        same = same_bits(array.values[..., stays], result[name].values[..., stays])
        assert same, f"one NaN pixel changes {name!r} of other pixels"
        if array.dtype.kind == "f":
            new = np.isnan(result[name].values) & ~np.isnan(array.values)
            assert not new[..., ~itself].any(), f"one NaN pixel makes {name!r} of other pixels NaN"
    part = np.arange(places(case))[: max(1, min(places(case), case.needs.batch) // 2 + 1)]  # the rest is padding
    padded = case.apply(case.inputs, order=part)
    if case.needs.window is None:
        for name, array in case.result.items():
            flat = array.values.reshape(*array.shape[:-2], -1)[..., part]
            again = padded[name].values.reshape(*array.shape[:-2], -1)[..., part]
            assert same_bits(flat, again), f"padding with NaN changes {name!r} of the pixels in the same block"


def fit_ignores_excluded_pixels(case: StageCase) -> None:
    """Check that a fit that sees NaN pixels stays finite, and that an invalid block changes no ``reduce`` fit."""
    stage = case.stage()
    needs = stage.fit_needs(case.inputs.layout)
    if needs is None or needs.kind == "pixels":  # the runner leaves invalid pixels out of these
        return
    state = bench.fit(stage, nan_at(case.inputs, case.layout.height // 2, case.layout.width // 2))
    for name, array in state.data_vars.items():
        if array.dtype.kind == "f":
            new = np.isnan(array.values).any() and not np.isnan(case.state[name].values).any()
            assert not new, f"one NaN pixel in the sample makes {name!r} of the state NaN"
    if needs.kind == "reduce":
        height = case.inputs.layout.height
        more = {n: a.pad({"y": (0, 8)}, constant_values=np.nan) for n, a in case.inputs.tiles.items()}
        taller = replace(case.inputs, tiles=more, layout=replace(case.inputs.layout, height=height + 8))
        again = bench.fit(stage, taller)
        for name, array in case.state.data_vars.items():
            close = np.allclose(array.values, again[name].values, rtol=1e-6, atol=0, equal_nan=True)
            assert close, f"{name!r} of the state changes when a block without a valid pixel is added"


def partial_pixels_are_solved(case: StageCase) -> None:
    """Check that a pixel that lacks one band in twenty gets a result near that of the whole pixel."""
    if "spectra" not in case.inputs.tiles or case.needs.window is not None or "abundance" not in case.specs:
        return
    lacking = case.layout.bands // 20
    assert lacking, "the scene of this law needs at least 20 bands"
    row, col = case.layout.height // 2, case.layout.width // 2

    def drop(values: np.ndarray) -> None:
        values[:lacking, row, col] = np.nan

    result = case.apply(case.inputs.with_spectra(drop))["abundance"].values
    whole = case.result["abundance"].values
    assert np.isfinite(result[..., row, col]).all(), "a pixel that lacks one band in twenty gets no abundance"
    change = np.abs(result - whole)[..., row, col].max()
    assert change <= PARTIAL_CHANGE, f"lacking one band in twenty changes an abundance by {change:.3f}"


def sum_and_range_are_as_declared(case: StageCase) -> None:
    """Check that values lie in the declared range; abundances sum as declared; valid pixels have values."""
    found: dict[str, xr.DataArray] = {str(name): array for name, array in case.state.data_vars.items()}
    if tiles(case.record):
        found |= case.result
    for name, spec in case.stage().outputs(case.layout).items():
        values = found[name].values
        if values.dtype.kind == "f" and spec.scope == "tile":
            assert np.isfinite(values).all(), f"{name!r} is not finite on a scene of valid pixels"
        if spec.range is not None:
            low, high = spec.range
            bad = (values < low - RANGE_TOLERANCE) | (values > high + RANGE_TOLERANCE)
            assert not bad.any(), f"{name!r} leaves its declared range {spec.range}: {values[bad].flat[0]}"
        if spec.sum in ("one", "at_most_one"):
            total = values.sum(axis=spec.dims.index("endmember"), dtype=np.float64)
            off = (total - 1).max() if spec.sum == "at_most_one" else np.abs(total - 1).max()
            assert off <= SUM_TOLERANCE, f"{name!r} declares sum={spec.sum!r} and is off by {off:.2e}"


def kernel_is_thread_safe(case: StageCase) -> None:
    """Check that eight threads that share one kernel get the bits that one thread gets."""
    ctx = Applying(case.seed, "case")
    made = [batch for batch, _ in bench.batches(case.inputs, case.needs)]
    work = [made[k % len(made)].copy(deep=True) for k in range(max(2 * THREADS, len(made)))]
    alone = [case.kernel.apply(batch.copy(deep=True), ctx) for batch in made]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(lambda batch: case.kernel.apply(batch, ctx), work))
    for k, result in enumerate(together):
        changed = same_datasets(
            alone[k % len(made)].drop_vars(["row", "col"], errors="ignore"),
            result.drop_vars(["row", "col"], errors="ignore"),
        )
        assert not changed, f"{changed!r} differs when {THREADS} threads share the kernel: keep scratch inside apply()"


def memory_estimate_holds(case: StageCase) -> None:
    """Check that peak memory of apply and fit, outputs not counted, stays below 1.5 times the estimate plus 1 MiB."""
    stage = case.stage()
    fit_needs = stage.fit_needs(case.inputs.layout)
    if fit_needs is not None and fit_needs.kind != "reduce":
        sample = bench.sample(case.inputs, fit_needs)
        pixels = sample.sizes.get("pixel") or sample.sizes["patch"] * fit_needs.patch**2
        estimate = fit_needs.memory(1, pixels)
        ctx, peaks = unwatched(bench.context(case.inputs, fit_needs))
        assert_memory("fit()", lambda: stage.fit(sample, ctx), estimate, peaks)
    if tiles(case.record):
        batch, _ = bench.batches(case.inputs, case.needs)[0]
        window = case.needs.window
        side = (1, case.needs.batch) if window is None else (case.needs.batch * window.size, window.size)
        case.kernel.apply(batch.copy(deep=True), Applying(case.seed, "case"))  # compiles, caches
        assert_memory(
            "apply()", lambda: case.kernel.apply(batch, Applying(case.seed, "case")), case.needs.memory(*side)
        )


def seeds_are_declared(case: StageCase) -> None:
    """Check that the global random generators are neither used nor advanced; randomness comes from the context."""
    results = []
    for seed in (1, 2):
        with global_random(seed) as touched:
            state = bench.fit(case.stage(), case.inputs)
            found = {str(name): state[name] for name in state.variables}
            if tiles(case.record):
                worker = bench.kernel(case.stage(), state, case.inputs)
                assert worker is not None
                found |= bench.apply_scene(worker, case.inputs, case.needs, case.specs)
        assert not touched, f"the global generator of {touched[0]} was advanced: use ctx.rng() or ctx.noise()"
        results.append(found)
    changed = same_datasets(*results)
    assert not changed, f"{changed!r} depends on a global random state: use ctx.rng() or ctx.noise()"


def truth_is_recovered(case: StageCase) -> None:
    """Check that endmembers lie within an angle of the truth, and abundances within an error."""
    from scipy.optimize import linear_sum_assignment

    truth = case.known.endmembers.values
    specs = case.stage().outputs(case.layout)
    E = case.state["endmembers"].values if "endmembers" in specs else None
    if E is None and "endmembers" in case.inputs.scenes:
        E = case.inputs.scenes["endmembers"].values
    order = np.arange(len(truth))
    if E is not None:
        unit, want = (M / np.linalg.norm(M, axis=1, keepdims=True) for M in (E.astype(float), truth.astype(float)))
        angles = np.arccos(np.clip(want @ unit.T, -1, 1))
        rows, order = linear_sum_assignment(angles)
        assert len(rows) == len(truth), f"{len(E)} endmembers were found in a scene of {len(truth)}"
        if "endmembers" in specs:
            worst = angles[rows, order].max()
            assert worst <= case.angle, f"an endmember is {worst:.3f} rad from the truth (at most {case.angle})"
    if "abundance" in specs:
        off = case.result["abundance"].values[order] - case.known.abundance.values
        error = float(np.sqrt(np.mean(off.astype(float) ** 2)))
        assert error <= case.error, f"abundances are off by {error:.3f} (root mean square, at most {case.error})"


KERNEL_LAWS: tuple[Law, ...] = tuple(
    Law(check.__name__, check, applies)
    for check, applies in (
        (imports_light, always),
        (options_round_trip, always),
        (definition_is_cheap_and_picklable, always),
        (outputs_are_as_declared, always),
        (input_is_untouched, always),
        (state_survives_zarr, always),
        (same_twice, always),
        (position_in_the_batch_means_nothing, tiles),
        (window_is_honest, tiles),
        (nan_stays_where_it_is, tiles),
        (fit_ignores_excluded_pixels, always),
        (partial_pixels_are_solved, tiles),
        (sum_and_range_are_as_declared, always),
        (kernel_is_thread_safe, tiles),
        (memory_estimate_holds, always),
        (seeds_are_declared, always),
        (truth_is_recovered, always),
    )
)

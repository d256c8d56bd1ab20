"""One function per verb. The command line and the accessor call these and nothing else."""

from hsgeo.api.again import (
    Run,
    check_output,
    check_same_input,
    check_same_weights,
    read_run,
    unfinished_tile,
    writer_name,
)
from hsgeo.api.benchmark import benchmark_accuracy, benchmark_blind, benchmark_noise, benchmark_uncertainty
from hsgeo.api.benchmark_endmembers import benchmark_endmembers
from hsgeo.api.describe import describe, describe_scene, draw, summarise
from hsgeo.api.evaluate import evaluate
from hsgeo.api.georeference import check_grid, georeference, grid_file, on_grid, read_grid
from hsgeo.api.labels import labels_path
from hsgeo.api.libraries import draw_library, library_facts, resample_library, write_library
from hsgeo.api.naming import names_path
from hsgeo.api.placing import placing
from hsgeo.api.recipes import resolve_recipe, state_recipe, unsourced_flags
from hsgeo.api.scenes import write_scene
from hsgeo.api.subset import subset
from hsgeo.api.train import train, users_of_weights
from hsgeo.api.verbs import (
    check_scene,
    fit,
    list_plugins,
    open_library,
    open_product,
    open_scene,
    open_state,
    unmix,
)
from hsgeo.api.writing import write

__all__ = [
    "Run",
    "benchmark_accuracy",
    "benchmark_blind",
    "benchmark_endmembers",
    "benchmark_noise",
    "benchmark_uncertainty",
    "check_grid",
    "check_output",
    "check_same_input",
    "check_same_weights",
    "check_scene",
    "describe",
    "describe_scene",
    "draw",
    "draw_library",
    "evaluate",
    "fit",
    "georeference",
    "grid_file",
    "labels_path",
    "library_facts",
    "list_plugins",
    "names_path",
    "on_grid",
    "open_library",
    "open_product",
    "open_scene",
    "open_state",
    "placing",
    "read_grid",
    "read_run",
    "resample_library",
    "resolve_recipe",
    "state_recipe",
    "subset",
    "summarise",
    "train",
    "unfinished_tile",
    "unmix",
    "unsourced_flags",
    "users_of_weights",
    "write",
    "write_library",
    "write_scene",
    "writer_name",
]

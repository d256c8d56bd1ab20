"""A windowed sampler from a one-file plugin gives the same bits on a cluster of two processes."""

from pathlib import Path

from hsgeo.run.cluster import cluster_client
from hsgeo.testing.case import StageCase
from hsgeo.testing.laws import same_datasets
from hsgeo.testing.runner_laws import unmix_case

TRIAL = Path(__file__).parents[1] / "fakes" / "trial.py"


def test_two_processes_give_the_bits_of_one():
    case = StageCase("trial-abundance-diffusion", before=[{"use": "trial-solve"}], files=(str(TRIAL),))
    whole = unmix_case(case, case.known.scene, tile=1024).compute(scheduler="synchronous")
    with cluster_client("local:2") as client:
        future = client.compute(unmix_case(case, case.known.scene, tile=8))
        spread = future.result(timeout=20)  # a worker that cannot load the plugin file dies and is started for ever
    assert not same_datasets(dict(whole.data_vars), dict(spread.data_vars))

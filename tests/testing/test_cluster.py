"""A windowed sampler from a one-file plugin gives the same bits on a cluster of two processes."""

from pathlib import Path

from hsgeo.testing.case import StageCase
from hsgeo.testing.laws import same_datasets
from hsgeo.testing.runner_laws import unmix_case

TRIAL = Path(__file__).parents[1] / "fakes" / "trial.py"


def test_two_processes_give_the_bits_of_one():
    from distributed import Client, LocalCluster

    case = StageCase("trial-abundance-diffusion", before=[{"use": "trial-solve"}], files=(str(TRIAL),))
    whole = unmix_case(case, case.known.scene, tile=1024).compute(scheduler="synchronous")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        future = client.compute(unmix_case(case, case.known.scene, tile=8))
        spread = future.result(timeout=60)  # a worker that cannot load the plugin file dies and is started for ever
    assert not same_datasets(dict(whole.data_vars), dict(spread.data_vars))

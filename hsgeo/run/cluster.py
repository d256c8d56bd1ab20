"""Where tiles run: ``local:N``, ``cuda``, or the address of a dask scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from hsgeo.errors import ConfigError

__all__ = ["cluster_client"]


@contextmanager
def cluster_client(where: str | None) -> Iterator[Any]:
    """Open a dask client and close it afterwards, its own cluster too.

    Parameters
    ----------
    where : str or None
        ``"local:2"``: two processes on this machine; ``"cuda"``: one per GPU; ``"tcp://host:8786"``: a running
        cluster; None: no client.

    Yields
    ------
    distributed.Client or None
        The client.

    Raises
    ------
    ConfigError
        If there is no such cluster.
    """
    accepted = "local:N, cuda, or an address such as tcp://host:8786"
    if where is None:
        yield None
        return
    from distributed import Client, LocalCluster

    if where.startswith("local:"):
        number = where.removeprefix("local:")
        if not number.isdigit() or int(number) < 1:
            raise ConfigError(f"--cluster is {where!r}", accepted, "Say local:2 for two processes")
        with (
            LocalCluster(
                n_workers=int(number), threads_per_worker=1, processes=True, dashboard_address=":0"
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
    elif where == "cuda":
        if find_spec("dask_cuda") is None:
            raise ConfigError("--cluster cuda needs dask-cuda, which is not installed", accepted, "Install dask-cuda")
        from dask_cuda import LocalCUDACluster

        with LocalCUDACluster(dashboard_address=":0") as cluster, Client(cluster) as client:
            yield client
    elif "://" in where:
        try:
            client = Client(where, timeout="10s")
        except (OSError, ValueError) as error:
            raise ConfigError(f"no dask scheduler answers at {where}: {error}", accepted) from error
        with client:
            yield client
    else:
        raise ConfigError(f"--cluster is {where!r}", accepted)

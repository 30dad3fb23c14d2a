"""One epoch of every workload, and of every point of the sweeps, by every peer."""

from dataclasses import replace

import numpy as np
import pytest

from bench.limits import step_limit, step_work
from bench.peers import OURS, PEERS, peer
from bench.side_by_side import SWEEP_PEERS
from bench.workloads import WORKLOADS, batch_sweep, full_data_loss, width_sweep, workload

SWEEPS = [work.name for work in [*batch_sweep(), *width_sweep()]]


def skip_if_missing(name: str) -> None:
    """Skip the case, with the reason, if the peer cannot run here."""
    if reason := peer(name).available():
        pytest.skip(reason)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("work_name", WORKLOADS)
def test_epoch(timed, peaks, work_name, name, optimizer):
    skip_if_missing(name)
    time_epoch(timed, peaks, work_name, name, optimizer)


@pytest.mark.parametrize("name", SWEEP_PEERS)
@pytest.mark.parametrize("work_name", SWEEPS)
def test_sweep(timed, peaks, work_name, name):
    skip_if_missing(name)
    time_epoch(timed, peaks, work_name, name, "adam")


def time_epoch(timed, peaks, work_name, name, optimizer):
    work = workload(work_name).with_optimizer(optimizer)
    module = peer(name)
    run = module.prepare(work)
    timed(
        run.epochs,
        1,
        steps=work.steps_per_epoch,
        flops=step_work(work).flops * work.steps_per_epoch,
        limit_microseconds=step_limit(work, peaks, module.PRECISION) * 1e6,
        precision=module.PRECISION,
        peer_threads=run.n_threads,
        compile_seconds=run.compile_seconds,
    )


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("name", [name for name in PEERS if name != "numpy"])
@pytest.mark.parametrize("work_name", ["tabular", "higgs", "matexp"])
def test_every_peer_takes_the_same_steps(work_name, name, optimizer):
    """Full-batch steps do not depend on shuffling, so peers must agree up to their precision."""
    skip_if_missing(name)
    work = workload(work_name).with_optimizer(optimizer)
    work = replace(work, batch_size=1000, n_rows=1000, shuffle=False)

    losses = {}
    for contender in ("numpy", name):
        run = peer(contender).prepare(work)
        run.epochs(5)
        losses[contender] = full_data_loss(work, run.parameters())

    fall = full_data_loss(work, work.initial_parameters()) - losses["numpy"]
    exact = peer(name).PRECISION in ("float32", "float64")
    # scikit-learn uses one output for two classes, so its steps differ, but not their goal.
    one_output = name.startswith("sklearn") and work_name == "tabular"
    tolerance = 0.5 if one_output else 1e-3 if exact else 0.05
    assert fall > 0
    assert np.isclose(losses[name], losses["numpy"], atol=tolerance * fall, rtol=0)


def test_our_own_names_are_peers():
    assert set(OURS) <= set(PEERS)

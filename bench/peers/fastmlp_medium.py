"""fastmlp as in `fastmlp_peer`, with ``matmul_precision="medium"``: bfloat16 products."""

from bench.peers import fastmlp_peer
from bench.peers.fastmlp_peer import available
from bench.workloads import Workload

__all__ = ["NAME", "PRECISION", "available", "prepare"]

NAME = "fastmlp-medium"
PRECISION = "bfloat16"


def prepare(work: Workload) -> fastmlp_peer.FastmlpRun:
    """Return `work` ready to train."""
    return fastmlp_peer.FastmlpRun(work, matmul_precision="medium")

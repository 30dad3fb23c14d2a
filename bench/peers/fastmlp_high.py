"""fastmlp as in `fastmlp_peer`, with ``matmul_precision="high"``.

Each float32 number is split into two bfloat16 parts; a product takes three bfloat16 products.
"""

from bench.peers import fastmlp_peer
from bench.peers.fastmlp_peer import available
from bench.workloads import Workload

__all__ = ["NAME", "PRECISION", "available", "prepare"]

NAME = "fastmlp-high"
PRECISION = "bf16x3"


def prepare(work: Workload) -> fastmlp_peer.FastmlpRun:
    """Return `work` ready to train."""
    return fastmlp_peer.FastmlpRun(work, matmul_precision="high")

"""JAX as in `jax_scan`, with products of bfloat16 operands, summed in float32."""

from bench.peers import jax_scan
from bench.peers.jax_scan import available
from bench.workloads import Workload

__all__ = ["NAME", "PRECISION", "available", "prepare"]

NAME = "jax-bf16"
PRECISION = "bfloat16"


def prepare(work: Workload) -> jax_scan.JaxRun:
    """Return `work` ready to train."""
    return jax_scan.JaxRun(work, bfloat16=True)

"""Many networks of one shape, trained on the same rows, each in an order of its own: by fastmlp,
JAX and PyTorch, in each library's best ways.

Every class has ``work``, ``reset()``, ``epochs(n)`` and ``parameters(n_networks)``.
"""

# Peers are optional, so the type checker must not require them.
# pyright: reportMissingImports=false

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bench.peers import missing, thread_counts, trial_seconds
from bench.peers.fastmlp_peer import network
from bench.peers.jax_scan import JaxRun, product, training_step
from bench.peers.torch_eager import TorchRun
from bench.workloads import Parameters, Workload

__all__ = ["CONTENDERS", "available", "prepare"]

_MOST_BYTES = 1 << 28  # of rows that a form may copy for each epoch


def available(name: str) -> str | None:
    """Return None, or why a contender cannot run here."""
    return missing(CONTENDERS[name][0])


def prepare(name: str, work: Workload, n: int) -> Any:
    """Return `n` networks, ready to train."""
    return CONTENDERS[name][1](work, n)


class FastmlpPack:
    """`fastmlp.fit_many`, or one call of `fit` after the other with one thread."""

    def __init__(self, work: Workload, n: int, together: bool):
        import fastmlp

        self.work, self.together, self.fastmlp = work, together, fastmlp
        self.X, self.y = work.data()
        self.models = [fastmlp.Sequential(*network(work)) for _ in range(n)]
        self.reset()
        self.epochs(1)  # compiles
        self.reset()

    def reset(self) -> None:
        for number, model in enumerate(self.models):
            for i, (weight, bias) in enumerate(self.work.initial_parameters(number)):
                model.params[f"{2 * i}.weight"][...] = weight
                model.params[f"{2 * i}.bias"][...] = bias
        rate = self.work.learning_rate
        self.optimizers = [self.fastmlp.Adam(lr=rate) for _ in self.models]

    def epochs(self, n: int) -> None:
        given = {"epochs": n, "batch_size": self.work.batch_size, "verbose": False}
        if self.together:
            seeds = list(range(len(self.models)))
            self.fastmlp.fit_many(
                self.models, self.X, self.y, optimizers=self.optimizers, seeds=seeds, **given
            )
            return
        for seed, (model, optimizer) in enumerate(zip(self.models, self.optimizers, strict=True)):
            model.fit(self.X, self.y, optimizer=optimizer, seed=seed, n_threads=1, **given)

    def parameters(self, n_networks: int) -> list[Parameters]:
        return [
            [
                (model.params[f"{2 * i}.weight"], model.params[f"{2 * i}.bias"])
                for i in range(len(self.work.widths) - 1)
            ]
            for model in self.models[:n_networks]
        ]


class JaxLoop:
    """One network after the other, each epoch one compiled scan, on one or several threads."""

    def __init__(self, work: Workload, n: int):
        self.work, self.n = work, n
        self.run = JaxRun(work)
        self.pools = {count: ThreadPoolExecutor(count) for count in thread_counts()}
        self.reset()
        seconds = {}
        for count in self.pools:
            self.n_threads = count
            seconds[count] = trial_seconds(lambda: self.epochs(1))
        self.n_threads = min(seconds, key=seconds.__getitem__)
        self.reset()

    def reset(self) -> None:
        states = []
        for number in range(self.n):
            self.run.reset()
            _, *rest = self.run.state
            states.append((_jax_parameters(self.work.initial_parameters(number)), *rest))
        self.states = states
        self.rngs = [np.random.default_rng(number) for number in range(self.n)]

    def epochs(self, n: int) -> None:
        def train(number: int) -> None:
            state = self.states[number]
            for _ in range(n):
                order = _order(self.work, self.rngs[number])
                state, losses = self.run.epoch(state, order, self.run.X, self.run.y)
                losses.block_until_ready()
            self.states[number] = state

        list(self.pools[self.n_threads].map(train, range(self.n)))

    def parameters(self, n_networks: int) -> list[Parameters]:
        return [
            [(np.asarray(w), np.asarray(b)) for w, b in state[0]]
            for state in self.states[:n_networks]
        ]


class JaxVmap:
    """All networks in one scan over steps, with stacked parameters, in the fastest of its forms."""

    def __init__(self, work: Workload, n: int):
        import jax
        import jax.numpy as jnp

        self.work, self.n, self.jax, self.jnp = work, n, jax, jnp
        X, y = work.data()
        self.X, self.y = jnp.asarray(X), jnp.asarray(y.astype(np.int32))
        self.step = jax.vmap(partial(training_step, work, product(False)))
        self.reset()
        forms = [("step", 1), ("step", 4)]
        if n * X.nbytes <= _MOST_BYTES:
            forms.append(("epoch", 1))
        trials = {}
        for form in forms:
            self.epoch = self.compiled(*form)
            self.epochs(1)
            trials[form] = trial_seconds(lambda: self.epochs(1)), self.epoch
        _, self.epoch = min(trials.values(), key=lambda trial: trial[0])
        self.reset()

    def reset(self) -> None:
        jax, jnp = self.jax, self.jnp
        all_parameters = [_jax_parameters(self.work.initial_parameters(i)) for i in range(self.n)]
        stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *all_parameters)
        zeros = partial(jax.tree.map, jnp.zeros_like)
        self.state = (stacked, zeros(stacked), zeros(stacked), jnp.zeros(self.n, jnp.float32))
        self.rngs = [np.random.default_rng(number) for number in range(self.n)]

    def epochs(self, n: int) -> None:
        losses: Any = None
        for _ in range(n):
            orders = np.stack([_order(self.work, rng) for rng in self.rngs], axis=1)
            self.state, losses = self.epoch(self.state, orders, self.X, self.y)
        losses.block_until_ready()

    def compiled(self, gather: str, unroll: int) -> Any:
        def epoch(state: Any, orders: Any, X: Any, y: Any) -> Any:
            if gather == "epoch":
                batches = X[orders], y[orders]
                return self.jax.lax.scan(self.step, state, batches, unroll=unroll)
            return self.jax.lax.scan(
                lambda s, rows: self.step(s, (X[rows], y[rows])), state, orders, unroll=unroll
            )

        return self.jax.jit(epoch, donate_argnums=0)

    def parameters(self, n_networks: int) -> list[Parameters]:
        return [
            [(np.asarray(w[i]), np.asarray(b[i])) for w, b in self.state[0]]
            for i in range(min(self.n, n_networks))
        ]


class TorchStacked:
    """All networks at once with stacked parameters: products by ``bmm`` or by ``torch.func``."""

    def __init__(self, work: Workload, n: int, functional: bool):
        import torch

        self.work, self.n, self.functional, self.torch = work, n, functional, torch
        X, y = work.data()
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        self.reset()
        seconds = {}
        for count in thread_counts():
            torch.set_num_threads(count)
            seconds[count] = trial_seconds(lambda: self.steps(1))
        torch.set_num_threads(min(seconds, key=seconds.__getitem__))
        self.reset()

    def reset(self) -> None:
        torch = self.torch
        each = [self.work.initial_parameters(number) for number in range(self.n)]
        self.stacked: list[Any] = []
        for layer in range(len(self.work.widths) - 1):
            weight = np.stack([parameters[layer][0] for parameters in each])
            bias = np.stack([parameters[layer][1] for parameters in each])
            self.stacked += [torch.tensor(weight, requires_grad=True)]
            self.stacked += [torch.tensor(bias, requires_grad=True)]
        rate = self.work.learning_rate
        self.optimizer = torch.optim.Adam(self.stacked, lr=rate, fused=True)

    def epochs(self, n: int) -> None:
        for _ in range(n):
            self.steps(self.work.steps_per_epoch)

    def steps(self, n_steps: int) -> None:
        torch, size = self.torch, self.work.batch_size
        orders = torch.stack([torch.randperm(len(self.X)) for _ in range(self.n)])
        for step in range(n_steps):
            rows = orders[:, step * size : (step + 1) * size]
            x = self.X.index_select(0, rows.reshape(-1)).view(self.n, size, -1)
            y = self.y.index_select(0, rows.reshape(-1)).view(self.n, size)
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(x, y).backward()
            self.optimizer.step()

    def loss(self, x: Any, y: Any) -> Any:
        """Return the sum of all networks' losses."""
        torch = self.torch
        entropy = torch.nn.functional.cross_entropy
        if self.functional:
            return torch.func.vmap(self.loss_of_one)(self.stacked, x, y).sum()
        for layer in range(0, len(self.stacked), 2):
            x = torch.relu(x) if layer else x
            x = torch.baddbmm(self.stacked[layer + 1][:, None], x, self.stacked[layer])
        return entropy(x.flatten(0, 1), y.reshape(-1)) * self.n

    def loss_of_one(self, parameters: Any, x: Any, y: Any) -> Any:
        for layer in range(0, len(parameters), 2):
            x = self.torch.relu(x) if layer else x
            x = x @ parameters[layer] + parameters[layer + 1]
        return self.torch.nn.functional.cross_entropy(x, y)

    def parameters(self, n_networks: int) -> list[Parameters]:
        arrays = [tensor.detach().numpy() for tensor in self.stacked]
        return [
            [(arrays[i][k], arrays[i + 1][k]) for i in range(0, len(arrays), 2)]
            for k in range(min(self.n, n_networks))
        ]


class TorchLoop:
    """One network after the other, in the usual loop."""

    def __init__(self, work: Workload, n: int):
        self.work, self.n = work, n
        first = TorchRun(work)
        self.runs = [first]
        for _ in range(n - 1):
            run = object.__new__(TorchRun)
            run.__dict__ |= first.__dict__
            run.model = run.build()
            run.batch_loss = run.loss_of_batch
            self.runs.append(run)
        self.reset()

    def reset(self) -> None:
        torch = self.runs[0].torch
        for number, run in enumerate(self.runs):
            run.reset()
            with torch.no_grad():
                for layer, (weight, bias) in zip(
                    run.linears(), self.work.initial_parameters(number), strict=True
                ):
                    layer.weight.copy_(torch.from_numpy(weight.T))
                    layer.bias.copy_(torch.from_numpy(bias))

    def epochs(self, n: int) -> None:
        for run in self.runs:
            run.epochs(n)

    def parameters(self, n_networks: int) -> list[Parameters]:
        return [run.parameters() for run in self.runs[:n_networks]]


def _jax_parameters(parameters: Parameters) -> list[Any]:
    import jax.numpy as jnp

    return [(jnp.array(weight), jnp.array(bias)) for weight, bias in parameters]


def _order(work: Workload, rng: np.random.Generator) -> np.ndarray:
    """Return the rows of each step in a new order, int32 (steps, batch size)."""
    order = rng.permutation(work.n_rows).astype(np.int32)
    return order.reshape(work.steps_per_epoch, work.batch_size)


CONTENDERS: dict[str, tuple[str, Any]] = {
    "fastmlp": ("fastmlp", partial(FastmlpPack, together=True)),
    "fastmlp-loop": ("fastmlp", partial(FastmlpPack, together=False)),
    "jax-vmap": ("jax", JaxVmap),
    "jax-loop": ("jax", JaxLoop),
    "torch-bmm": ("torch", partial(TorchStacked, functional=False)),
    "torch-func": ("torch", partial(TorchStacked, functional=True)),
    "torch-loop": ("torch", TorchLoop),
}
"""Name -> the package that it needs, and ``make(work, n_networks)``."""

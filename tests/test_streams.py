"""Training on rows that do not fit into memory: memory-mapped arrays, and blocks of a function."""

import signal
import threading

import numpy as np
import pytest
from networks import blobs, every_layer
from runs import StopAfter, StoppedError
from sentences import refused

import fastmlp
from fastmlp import Adam, Checkpoint, Linear, ReLU, Sequential
from fastmlp.layers import BatchNorm

X, Y = blobs(1003, 12, 3)
OPTIONS = {"epochs": 3, "batch_size": 16, "seed": 2, "verbose": False}


def network():
    return Sequential(Linear(12, 8), BatchNorm(8), ReLU(), Linear(8, 3), seed=1)


def fit(*data, model=None, **options):
    """Train; return the model and the history."""
    model = model or network()
    history = model.fit(*data, optimizer=Adam(1e-2), **OPTIONS | options)
    return model, history


def in_blocks(size, inputs=X, targets=Y, weights=None):
    """Return a function that yields the rows in blocks."""

    def batches():
        for start in range(0, len(inputs), size):
            part = slice(start, start + size)
            yield (inputs[part], targets[part], *([] if weights is None else [weights[part]]))

    return batches


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def assert_same(run, other):
    (model, history), (model2, history2) = run, other
    np.testing.assert_array_equal(history.steps, history2.steps)
    np.testing.assert_array_equal(model.theta, model2.theta)
    assert history.loss == history2.loss
    assert history.accuracy == history2.accuracy


class Visited(fastmlp.losses.MSE):
    """A loss that notes which rows, numbered in their targets, each step has."""

    def __init__(self):
        self.steps = []

    def compute(self, outputs, targets, weights=None, doutputs=None):
        self.steps.append(targets[:, 0].astype(int).tolist())
        return super().compute(outputs, targets, weights, doutputs)


def visits(n, buffer, blocks=None, dtype="float32", **options):
    """Return the numbers of the rows of each step, for n rows."""
    loss, rows = Visited(), np.arange(n, dtype=dtype)[:, None]
    data = {"X": rows, "y": rows} if blocks is None else {"batches": in_blocks(blocks, rows, rows)}
    model = Sequential(Linear(1, 1))
    model.fit(
        loss=loss, shuffle_buffer=buffer, optimizer=fastmlp.SGD(0.0), **data, **OPTIONS | options
    )
    return loss.steps


def flat(steps):
    return [row for step in steps for row in step]


class TestOrder:
    @pytest.mark.parametrize("blocks", [None, 1, 7, 16, 100, 5000])
    @pytest.mark.parametrize("n", [33, 160, 1003, 1009])
    def test_each_epoch_visits_every_row_once(self, n, blocks):
        steps = visits(n, 32, blocks, epochs=2)

        for epoch in (steps[: len(steps) // 2], steps[len(steps) // 2 :]):
            assert sorted(flat(epoch)) == list(range(n))
            assert [len(step) for step in epoch[:-1]] == [16] * (len(epoch) - 1)
        assert steps[: len(steps) // 2] != steps[len(steps) // 2 :]

    @pytest.mark.parametrize("dtype", ["float64", "int32"])
    def test_nor_does_it_leave_out_rows_that_must_be_converted(self, dtype):
        steps = visits(1003, 32, dtype=dtype, epochs=1)

        assert sorted(flat(steps)) == list(range(1003))

    @pytest.mark.parametrize("blocks", [None, 1, 7, 100, 5000])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_without_shuffling_it_is_that_of_the_rows(self, blocks, dtype):
        steps = visits(203, 32, blocks, dtype, epochs=1, shuffle=False)

        assert flat(steps) == list(range(203))

    def test_rows_are_mixed_as_widely_as_the_buffer(self):
        steps = visits(4096, 512, 8, epochs=1)

        moved = np.abs(np.array(flat(steps)) - np.arange(4096))
        assert 100 < moved.mean() < 600

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_arrays_are_mixed_as_a_whole(self, dtype):
        first = visits(4096, 512, None, dtype, epochs=1)[:10]

        assert max(flat(first)) > 3000
        assert min(flat(first)) < 1000
        assert all(max(step) - min(step) > 700 for step in first)

    @pytest.mark.parametrize(("n", "buffer"), [(97, 32), (113, 48), (1009, 64), (33, 16)])
    def test_a_last_batch_of_one_row_comes_with_another_one(self, n, buffer):
        stream = fastmlp.training.windows.WindowedStream(
            network(), np.zeros((n, 12), "float32"), np.zeros(n, np.int64), None, 16, buffer, 3
        )

        for epoch in range(20):
            parts = list(stream.parts(epoch, lambda: False, lambda: None))

            assert sorted(np.concatenate(parts)) == list(range(n))
            assert len(parts[-1]) > 1
            assert not any(len(part) % 16 for part in parts[:-1])

    def test_the_size_of_the_blocks_does_not_matter(self):
        assert visits(503, 64, 3) == visits(503, 64, 100) == visits(503, 64, 503)


class TestResults:
    @pytest.mark.parametrize("blocks", [None, 10, 97, 2000])
    def test_without_shuffling_are_those_of_arrays_in_memory(self, blocks):
        data = {"X": X, "y": Y} if blocks is None else {"batches": in_blocks(blocks)}

        streamed = fit(**data, shuffle=False, shuffle_buffer=100)

        assert_same(streamed, fit(X, Y, shuffle=False))

    def test_with_a_buffer_for_all_rows_are_those_of_arrays_in_memory(self, mapped):
        assert_same(fit(mapped, Y), fit(X, Y))
        assert_same(fit(mapped, Y, shuffle_buffer=5000), fit(X, Y))

    def test_of_a_memory_map_are_those_of_the_same_array(self, mapped):
        assert_same(fit(mapped, Y, shuffle_buffer=64), fit(X, Y, shuffle_buffer=64))

    @pytest.mark.parametrize("buffer", [16, 100, 700])
    def test_do_not_depend_on_the_threads(self, buffer, mapped, monkeypatch):
        monkeypatch.setattr("fastmlp.engine.lowering._FLOPS_WORTH_A_THREAD", 1)

        one, two = (fit(mapped, Y, shuffle_buffer=buffer, n_threads=n) for n in (1, 2))

        assert_same(one, two)

    def test_blocks_may_share_their_memory(self):
        memory = X[:40].copy(), Y[:40].copy()

        def batches():
            for inputs, targets in in_blocks(40)():
                n = len(inputs)
                memory[0][:n], memory[1][:n] = inputs, targets
                yield memory[0][:n], memory[1][:n]
            memory[0][:] = np.nan

        few = {"shuffle_buffer": 64}
        assert_same(fit(batches=batches, **few), fit(batches=in_blocks(40), **few))

    def test_of_layers_one_by_one_agree(self, monkeypatch):
        compiled, history = fit(X, Y, shuffle_buffer=64)
        monkeypatch.setattr("fastmlp.training.fitting._not_ours", lambda *_: "this")

        layerwise, history2 = fit(X, Y, shuffle_buffer=64)

        np.testing.assert_allclose(layerwise.theta, compiled.theta, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(history.steps, history2.steps, rtol=1e-3)

    @pytest.mark.parametrize("dtype", ["uint8", "float64", "int16"])
    def test_of_other_dtypes_are_those_of_arrays_in_memory(self, dtype):
        inputs = (50 * (X - X.min())).astype(dtype)
        model = [Sequential(fastmlp.Normalize.from_data(inputs), Linear(12, 3)) for _ in range(2)]

        streamed = fit(
            model=model[0], batches=in_blocks(77, inputs), shuffle=False, shuffle_buffer=100
        )

        assert_same(streamed, fit(inputs, Y, model=model[1], shuffle=False))

    def test_weights_count_as_in_memory(self):
        weights = np.linspace(0.1, 3.0, len(X))
        expected = fit(X, Y, shuffle=False, sample_weight=weights)
        few = {"shuffle": False, "shuffle_buffer": 50}

        assert_same(fit(X, Y, sample_weight=weights, **few), expected)
        assert_same(fit(batches=in_blocks(31, weights=weights), **few), expected)

    def test_class_weights_count_as_in_memory(self):
        expected = fit(X, Y, shuffle=False, class_weight="balanced")

        assert_same(fit(X, Y, shuffle=False, class_weight="balanced", shuffle_buffer=50), expected)

    def test_validation_and_early_stopping_work(self):
        _, history = fit(
            batches=in_blocks(50), validation_data=(X[:90], Y[:90]), early_stopping=1, epochs=40,
            restore_best=True, shuffle_buffer=64,
        )  # fmt: skip

        assert history.stopped == "early stopping"
        assert all(loss is not None for loss in history.val_loss)

    def test_a_schedule_knows_the_number_of_steps(self):
        model = network()
        optimizer = Adam(fastmlp.schedules.Cosine(0.01))

        history = model.fit(batches=in_blocks(50), optimizer=optimizer, **OPTIONS)

        assert history.learning_rate[-1] < 1e-5
        assert len(history.steps) == 3 * 63

    def test_calls_of_one_epoch_are_those_of_one_call(self):
        once, again = network(), network()
        optimizers = Adam(1e-2), Adam(1e-2)

        once.fit(X, Y, optimizer=optimizers[0], shuffle_buffer=64, **OPTIONS)
        for _ in range(3):
            again.fit(X, Y, optimizer=optimizers[1], shuffle_buffer=64, **OPTIONS | {"epochs": 1})

        np.testing.assert_array_equal(again.theta, once.theta)


class TestArrow:
    def test_data_frames_and_record_batches_are_blocks(self):
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame({f"x{i}": X[:, i] for i in range(12)} | {"y": Y})

        def batches():
            for part in frame.iter_slices(100):
                yield part.drop("y"), part["y"]

        few = {"shuffle_buffer": 64}
        assert_same(fit(batches=batches, **few), fit(batches=in_blocks(100), **few))

    def test_arrow_record_batches_are_blocks(self):
        arrow = pytest.importorskip("pyarrow")
        table = arrow.table({f"x{i}": X[:, i] for i in range(12)} | {"y": Y})

        def batches():
            for part in table.to_batches(100):
                yield part.drop_columns(["y"]), part["y"]

        few = {"shuffle_buffer": 64}
        assert_same(fit(batches=batches, **few), fit(batches=in_blocks(100), **few))


class TestCheckpoints:
    @pytest.mark.parametrize("data", ["arrays", "batches"])
    def test_a_resumed_stream_ends_with_the_same_bits(self, data, tmp_path, monkeypatch):
        data = {"X": X, "y": Y} if data == "arrays" else {"batches": in_blocks(70)}
        whole = fit(**data, shuffle_buffer=64, epochs=5)
        monkeypatch.setattr("fastmlp.training.parts._FIRST_STEPS", 5)
        monkeypatch.setattr("fastmlp.training.parts._SHARE", 1e-9)
        all_files = tmp_path / "all"
        callbacks = [StopAfter(3), Checkpoint(all_files, every=1e-9, keep=None)]
        with pytest.raises(StoppedError):
            fit(**data, shuffle_buffer=64, epochs=5, callbacks=callbacks)

        for file in sorted(all_files.iterdir())[::40]:
            folder = tmp_path / file.stem
            folder.mkdir()
            (folder / file.name).write_bytes(file.read_bytes())
            resume = Checkpoint(folder, resume=True)
            assert_same(fit(**data, shuffle_buffer=64, epochs=5, callbacks=[resume]), whole)

    def test_another_buffer_or_other_blocks_are_refused(self, tmp_path):
        def run(buffer, inputs=X):
            checkpoint = Checkpoint(tmp_path, resume=True)
            return fit(batches=in_blocks(70, inputs), shuffle_buffer=buffer, callbacks=[checkpoint])

        run(64)

        with refused(ValueError, "other data"):
            run(500)
        with refused(ValueError, "other data"):
            run(64, X + 1)


class TestErrors:
    def test_of_the_function_reach_the_caller_and_the_model_stays_as_before_the_epoch(self):
        calls = []

        def batches():
            calls.append(1)
            for number, block in enumerate(in_blocks(100)()):
                if len(calls) == 3 and number == 6:
                    raise OSError("the disk is gone")
                yield block

        model = network()
        with pytest.raises(OSError, match="the disk is gone"):
            fit(model=model, batches=batches, shuffle_buffer=64)

        np.testing.assert_array_equal(
            model.theta, fit(batches=in_blocks(100), shuffle_buffer=64, epochs=1)[0].theta
        )
        assert threading.active_count() < 20

    @pytest.mark.parametrize("change", [-3, 5])
    def test_another_number_of_rows_is_told(self, change):
        sizes = iter([100, 100 + change, 100])

        def batches():
            n = next(sizes)
            yield np.resize(X, (n, 12)), np.resize(Y, n)

        with refused(ValueError, "100 rows", "the same rows"):
            fit(batches=batches)

    def test_a_value_that_is_not_finite_is_found_where_it_is(self, tmp_path):
        changed = X.copy()
        changed[777, 4] = np.nan
        model = network()
        before = model.theta.copy()

        with refused(ValueError, "finite", "of block 7", "[77, 4]"):
            fit(model=model, batches=in_blocks(100, changed))
        np.testing.assert_array_equal(model.theta, before)
        with refused(ValueError, "finite", "rows"):
            fit(changed, Y, model=model, shuffle_buffer=64)
        np.testing.assert_array_equal(model.theta, before)

    @pytest.mark.parametrize(
        ("batches", "words"),
        [
            (lambda: iter([]), ["no blocks"]),
            (lambda: [X], ["(X, y)", "ndarray"]),
            (lambda: [(X,)], ["(X, y)"]),
            (lambda: [(X[:9], Y[:9]), (X[:9, :5], Y[:9])], ["12 features"]),
            (lambda: [(X[:9], Y[:8])], ["of block 0"]),
            (lambda: [(X[:9], Y[:9] + 5)], ["labels"]),
            (lambda: [(X[:9], Y[:9], np.full(9, -1.0))], ["sample_weight of block 0"]),
            (lambda: [(X[:9], Y[:9], np.full(9, np.nan))], ["sample_weight of block 0"]),
            (lambda: [(X[:9], Y[:9], np.ones(9)), (X[:9], Y[:9])], ["alike"]),
            (lambda: [(X[:9], Y[:9]), (X[:9].astype("uint8"), Y[:9])], ["alike"]),
            (in_blocks(100)(), ["function", "generator"]),
            ([(X, Y)], ["function", "list"]),
        ],
    )
    def test_wrong_blocks_are_told_before_training(self, batches, words):
        model = network()
        before = model.theta.copy()

        with refused((ValueError, TypeError), *words):
            fit(model=model, batches=batches)
        np.testing.assert_array_equal(model.theta, before)

    def test_wrong_arguments_are_named(self):
        with refused(TypeError, "X and y", "batches"):
            network().fit()
        with refused(TypeError, "X and y", "batches"):
            fit(X, Y, batches=in_blocks(10))
        with refused(ValueError, "class_weight", "sample_weight"):
            fit(batches=in_blocks(10), class_weight="balanced")
        with refused(ValueError, "shuffle_buffer"):
            fit(X, Y, shuffle_buffer=0)


def test_ctrl_c_ends_a_stream_that_waits_for_rows():
    began = threading.Event()

    def batches():
        yield X[:500], Y[:500]
        if began.is_set():
            threading.Timer(0.2, lambda: signal.raise_signal(signal.SIGINT)).start()
            threading.Event().wait(3)
        began.set()
        yield X[500:], Y[500:]

    _, history = fit(batches=batches, shuffle_buffer=16)

    assert history.stopped == "interrupted"


def test_batches_of_one_row_at_the_end_join_the_batch_before():
    model = every_layer(12, 9, 3)

    history = model.fit(
        batches=in_blocks(10, X[:33], Y[:33]), batch_size=16, epochs=1, shuffle_buffer=16,
        verbose=False,
    )  # fmt: skip

    assert len(history.steps) == 2

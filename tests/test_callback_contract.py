"""What a callback may return and raise: the same for models and for both kinds of solvers."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from networks import blobs
from sentences import refused

import fastmlp
from fastmlp import Callback
from fastmlp.engine.compiled import CompiledRunner
from fastmlp.layers import Linear, ReLU
from fastmlp.sklearn import MLPClassifier

X, Y = blobs(60, 6, 3)


class Trainer:
    """Trains something small, always from the same start."""

    def __init__(self, solver):
        self.solver = solver
        if solver == "model":
            self.model = fastmlp.Sequential(Linear(6, 8), ReLU(), Linear(8, 3))
        else:
            self.model = MLPClassifier((8,), solver=solver, random_state=0, batch_size=16, tol=0)

    def fit(self, *callbacks, epochs=6):
        """Train; return why training stopped."""
        if self.solver == "model":
            history = self.model.fit(
                X, Y, epochs=epochs, batch_size=16, callbacks=callbacks, verbose=False
            )
            return history.stopped
        self.model.set_params(max_iter=epochs, callbacks=list(callbacks))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged
            return self.model.fit(X, Y).stopped_

    @property
    def weights(self):
        if self.solver == "model":
            return self.model.theta.copy()
        return np.concatenate([np.ravel(a) for a in self.model.coefs_ + self.model.intercepts_])


@pytest.fixture(params=["model", "adam", "sgd", "lbfgs"])
def trainer(request):
    return Trainer(request.param)


class Log(Callback):
    """Notes the hooks that run, and does in one of them, at an epoch's number, as it is told."""

    def __init__(self, hook=None, action=lambda: None, epoch=None):
        self.hook, self.action, self.epoch, self.calls = hook, action, epoch, []

    def note(self, hook, epoch=None):
        self.calls.append(hook if epoch is None else epoch)
        return self.action() if hook == self.hook and epoch == self.epoch else None

    def on_train_begin(self, info):
        return self.note("begin")

    def on_epoch_end(self, epoch, record, model):
        return self.note("epoch", epoch)

    def on_train_end(self, history):
        return self.note("end")


class MineError(Exception):
    pass


def fail(text="mine"):
    raise MineError(text)


def failing(hook, epoch=None, text="mine"):
    return Log(hook, lambda: fail(text), epoch)


def weights_after(trainer, epochs):
    same = Trainer(trainer.solver)
    same.fit(epochs=epochs)
    return same.weights


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("enough", "enough"),
        (True, "stopped by a callback"),
        (1, "stopped by a callback"),
        (np.True_, "stopped by a callback"),
    ],
)
def test_a_true_answer_stops_training_and_a_string_says_why(answer, reason, trainer):
    log = Log("epoch", lambda: answer, epoch=1)

    stopped = trainer.fit(log)

    assert stopped == reason
    assert log.calls == ["begin", 0, 1, "end"]
    np.testing.assert_array_equal(trainer.weights, weights_after(trainer, 2))


@pytest.mark.parametrize("answer", [None, False, 0, "", np.False_])
def test_every_other_answer_lets_training_go_on(answer, trainer):
    log = Log("epoch", lambda: answer, epoch=0)

    stopped = trainer.fit(log, epochs=3)

    assert stopped is None
    assert log.calls == ["begin", 0, 1, 2, "end"]


def test_an_answer_that_is_neither_true_nor_false_is_refused(trainer):
    with refused(TypeError, "on_epoch_end", "None, a bool or a string", "ndarray"):
        trainer.fit(Log("epoch", lambda: np.zeros(2), epoch=0))


@pytest.mark.parametrize("hook", ["begin", "end"])
def test_what_other_hooks_return_is_ignored(hook, trainer):
    assert trainer.fit(Log(hook, lambda: "stop"), epochs=2) is None


def test_the_first_callback_that_wants_to_stop_says_why_and_all_are_told_of_the_epoch(trainer):
    logs = [Log("epoch", lambda: "first", 0), Log("epoch", lambda: "second", 0)]

    stopped = trainer.fit(*logs)

    assert stopped == "first"
    assert [log.calls for log in logs] == [["begin", 0, "end"]] * 2


def test_an_error_after_an_epoch_reaches_the_caller_and_the_epoch_stays_learned(trainer):
    logs = [Log(), failing("epoch", 1), Log()]

    with pytest.raises(MineError, match="mine"):
        trainer.fit(*logs)

    assert [log.calls for log in logs] == [
        ["begin", 0, 1, "end"],
        ["begin", 0, 1, "end"],
        ["begin", 0, "end"],
    ]
    np.testing.assert_array_equal(trainer.weights, weights_after(trainer, 2))


def test_after_an_error_training_can_go_on(trainer):
    with pytest.raises(MineError):
        trainer.fit(failing("epoch", 0))

    assert trainer.fit(epochs=2) is None


def test_an_error_at_the_beginning_ends_it_for_those_that_have_begun(trainer):
    logs = [Log(), failing("begin"), Log()]

    with pytest.raises(MineError):
        trainer.fit(*logs)

    assert [log.calls for log in logs] == [["begin", "end"], ["begin", "end"], []]


def test_an_error_at_the_end_keeps_no_other_callback_from_ending(trainer):
    logs = [failing("end"), Log()]

    with pytest.raises(MineError):
        trainer.fit(*logs, epochs=2)

    assert [log.calls for log in logs] == [["begin", 0, 1, "end"]] * 2
    np.testing.assert_array_equal(trainer.weights, weights_after(trainer, 2))


def test_of_several_errors_the_first_is_raised_and_has_notes_of_the_others(trainer):
    logs = [failing("epoch", 0, "first"), failing("end", text="second")]

    with pytest.raises(MineError, match="first") as caught:
        trainer.fit(*logs)

    assert len(caught.value.__notes__) == 1
    assert "second" in caught.value.__notes__[0]


def test_ctrl_c_in_a_hook_ends_training_as_it_does_anywhere(trainer):
    def press():
        raise KeyboardInterrupt

    log = Log("epoch", press, epoch=1)

    assert trainer.fit(log) == "interrupted"
    assert log.calls == ["begin", 0, 1, "end"]
    np.testing.assert_array_equal(trainer.weights, weights_after(trainer, 2))


class FailingPoll(Log):
    def poll(self):
        fail()


@pytest.mark.parametrize("solver", ["model", "adam", "sgd"])
def test_an_error_while_an_epoch_is_computed_goes_back_to_the_last_complete_one(
    solver, monkeypatch
):
    trainer, log, real = Trainer(solver), FailingPoll(), CompiledRunner.train_epoch

    def train_epoch(runner, order, epoch, rates, poll):
        half = len(rates) // 2
        if log.calls[-1] == 1:  # the third epoch takes so long that callbacks are asked in it
            real(runner, order, epoch, rates[:half], lambda: None)
            poll()
        return real(runner, order, epoch, rates, lambda: None)

    with monkeypatch.context() as patch:
        patch.setattr(CompiledRunner, "train_epoch", train_epoch)
        with pytest.raises(MineError):
            trainer.fit(log)

    assert log.calls == ["begin", 0, 1, "end"]
    np.testing.assert_array_equal(trainer.weights, weights_after(trainer, 2))


def test_the_same_goes_for_a_layer_of_the_users_that_fails():
    class Failing:
        passes = 0

        def forward(self, x, train=False):
            self.passes += train
            return x if self.passes < 7 else fail()  # in the second epoch of four steps

        def backward(self, dy):
            return dy

    models = [fastmlp.Sequential(layer, Linear(6, 3)) for layer in (Failing(), Failing())]
    options = {"batch_size": 16, "verbose": False}

    models[0].fit(X, Y, epochs=1, **options)
    with pytest.raises(MineError):
        models[1].fit(X, Y, epochs=5, **options)

    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_a_reason_to_stop_after_the_last_epoch_stopped_nothing():
    model = Trainer("model")

    assert model.fit(Log("epoch", lambda: "enough", epoch=2), epochs=3) is None


def test_an_error_with_restore_best_leaves_the_best_parameters():
    kept = []

    class Worse(Callback):
        def on_epoch_end(self, epoch, record, model):
            record["score"] = -epoch
            kept.append(model.theta.copy())
            if epoch == 2:
                fail()

    model = Trainer("model").model
    with pytest.raises(MineError):
        model.fit(
            X,
            Y,
            epochs=5,
            restore_best=True,
            early_stopping=fastmlp.EarlyStopping(monitor="score"),
            callbacks=[Worse()],
            verbose=False,
        )

    np.testing.assert_array_equal(model.theta, kept[0])


def test_the_base_class_does_nothing(trainer):
    assert trainer.fit(Callback(), epochs=2) is None
    assert fastmlp.Callback is fastmlp.callbacks.Callback

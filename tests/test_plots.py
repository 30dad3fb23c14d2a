"""Pictures: what they show, read back from the figure, and how they are written."""

import os
import sys

import numpy as np
import pytest

from fastmlp import plots

pytest.importorskip("matplotlib")


class Run:
    """The part of a history that plots read: columns by name."""

    def __init__(self, **columns):
        missing = [None] * len(columns["loss"])
        empty = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), missing)
        self.columns = empty | columns

    def __getitem__(self, name):
        return self.columns[name]


@pytest.fixture
def run():
    return Run(
        loss=[2.0, 1.0, 0.5],
        val_loss=[2.1, 1.2, 0.9],
        accuracy=[0.2, 0.6, 0.8],
        val_accuracy=[0.2, 0.5, 0.7],
    )


def labels(axes):
    return [line.get_label() for line in axes.lines]


def test_learning_curves_of_one_run_show_loss_and_accuracy(run):
    loss, accuracy = plots.learning_curves(run).axes

    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert labels(loss) == ["training", "validation"]
    np.testing.assert_array_equal(accuracy.lines[1].get_xydata(), [[1, 0.2], [2, 0.5], [3, 0.7]])


def test_learning_curves_of_several_runs_are_named_by_the_keys(run):
    figure = plots.learning_curves({"adam": run, "sgd": Run(loss=[3.0, 2.0])})

    assert labels(figure.axes[0]) == ["adam training", "adam validation", "sgd training"]
    assert labels(figure.axes[1]) == ["adam training", "adam validation"]


def test_learning_curves_of_a_regression_show_the_loss_alone():
    figure = plots.learning_curves([Run(loss=[3.0, 2.0]), Run(loss=[4.0, 3.0])])

    assert len(figure.axes) == 1
    assert labels(figure.axes[0]) == ["run 1 training", "run 2 training"]


def test_learning_curves_need_a_run():
    with pytest.raises(ValueError, match="at least one History"):
        plots.learning_curves([])


def test_training_summary_holds_three_pictures(run):
    figure = plots.training_summary(run, np.array([[8, 2], [1, 9]]), ("cat", "dog"))

    names = [axes.get_ylabel() for axes in figure.axes]
    assert names == ["loss", "accuracy", "true class"]
    assert figure.axes[2].get_title() == "accuracy 85.00%"


def test_training_summary_without_test_rows_is_the_curves():
    figure = plots.training_summary(Run(loss=[3.0, 2.0]))

    assert [axes.get_ylabel() for axes in figure.axes] == ["loss"]


def test_training_summary_of_an_ensemble_shows_each_network_and_their_mean():
    runs = [Run(loss=[4.0, 2.0, 1.5]), Run(loss=[3.0, 1.0]), Run(loss=[8.0, 6.0])]

    axes = plots.training_summary(runs).axes[0]

    drawn = [line.get_ydata().tolist() for line in axes.lines]
    assert drawn == [[4.0, 2.0, 1.5], [3.0, 1.0], [8.0, 6.0], [5.0, 3.0]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training, mean of 3"]


def test_training_summary_of_a_regression_holds_predictions_and_residuals():
    run = Run(loss=[3.0, 2.0])

    figure = plots.training_summary(run, targets=[1.0, 2.0, 4.0], predicted=[1.5, 2.0, 3.0])

    names = [axes.get_ylabel() for axes in figure.axes]
    assert names == ["loss", "predicted value", "residual (true - predicted)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": [1.0]}, "both targets and predicted"),
        ({"predicted": [1.0]}, "both targets and predicted"),
        ({"confusion": [[1]], "targets": [1.0], "predicted": [1.0]}, "not both"),
    ],
)
def test_training_summary_refuses_what_does_not_belong_together(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.training_summary(Run(loss=[1.0]), **arguments)


def points(axes):
    return np.asarray(axes.collections[0].get_offsets())


def test_regression_predictions_are_drawn_against_truth_and_as_residuals():
    targets, predicted = np.array([[10.0], [20.0], [60.0]]), np.array([12.0, 20.0, 55.0])

    against_truth, residuals = plots.regression_predictions(targets, predicted).axes

    np.testing.assert_array_equal(points(against_truth), [[10, 12], [20, 20], [60, 55]])
    np.testing.assert_array_equal(points(residuals), [[12, -2], [20, 0], [55, 5]])
    assert against_truth.get_title() == "R2 0.979"  # 1 - (4 + 0 + 25) / 1400


@pytest.mark.parametrize("targets", [[3.0, 3.0], [np.nan, 3.0], []])
def test_regression_predictions_without_variance_have_no_r2(targets):
    predicted = [2.0, np.inf][: len(targets)]

    axes = plots.regression_predictions(targets, predicted).axes[0]

    assert axes.get_title() == ""


@pytest.mark.parametrize(
    ("targets", "predicted", "message"),
    [
        ([1.0, 2.0], [1.0], "the same number of rows, got 2 and 1"),
        (np.ones((4, 2)), np.ones((4, 2)), r"one number per row, got shape \(4, 2\)"),
    ],
)
def test_regression_predictions_need_one_number_per_row(targets, predicted, message):
    with pytest.raises(ValueError, match=message):
        plots.regression_predictions(targets, predicted)


PICTURES = {
    "curves": lambda title: plots.learning_curves(Run(loss=[1.0]), title=title),
    "summary": lambda title: plots.training_summary(Run(loss=[1.0]), title=title),
    "confusion": lambda title: plots.confusion_matrix([[3]], title=title),
    "regression": lambda title: plots.regression_predictions([1.0], [2.0], title=title),
    "weights": lambda title: plots.first_layer_weights(np.ones((64, 2)), title=title),
    "heat map": lambda title: plots.heat_map(
        [[0.5]], [1], [2], row_name="a", column_name="b", title=title
    ),
}


@pytest.mark.parametrize("picture", PICTURES)
def test_every_picture_can_carry_the_name_of_the_data(picture):
    assert PICTURES[picture]("flowers").get_suptitle() == "flowers"
    assert PICTURES[picture](None).get_suptitle() == ""


@pytest.mark.parametrize("name", ["a$b$c", "$", "$_{", r"50\%$x^$"])
def test_dollar_signs_in_names_are_no_formulas(name, tmp_path):
    figure = plots.confusion_matrix([[3]], [name], title=name)

    plots.save(figure, tmp_path / "picture.png")

    assert (tmp_path / "picture.png").exists()


def test_confusion_matrix_has_true_classes_in_rows():
    axes = plots.confusion_matrix([[8, 2], [1, 9]], ("cat", "dog")).axes[0]

    assert [text.get_text() for text in axes.texts] == ["8", "2", "1", "9"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [0.1, 0.9]])


def test_confusion_matrix_with_a_class_that_never_occurs():
    axes = plots.confusion_matrix([[0, 0], [1, 9]]).axes[0]

    np.testing.assert_allclose(axes.images[0].get_array(), [[0, 0], [0.1, 0.9]])


def test_confusion_matrix_must_be_square():
    with pytest.raises(ValueError, match=r"square, got shape \(2, 3\)"):
        plots.confusion_matrix(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("n_inputs", "picture"), [(64, (8, 8)), (784, (28, 28)), (3072, (32, 32, 3))]
)
def test_first_layer_weights_recognise_common_image_shapes(n_inputs, picture):
    weight = np.random.default_rng(0).normal(size=(n_inputs, 5))

    figure = plots.first_layer_weights(weight)

    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert [image.shape for image in shown] == [picture] * 5


def test_first_layer_weights_of_a_unit_are_a_column():
    weight = np.arange(12.0).reshape(6, 2)

    figure = plots.first_layer_weights(weight, image_shape=(2, 3))

    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), weight[:, 1].reshape(2, 3))


def test_first_layer_weights_stop_at_max_images():
    figure = plots.first_layer_weights(np.ones((64, 30)), max_images=4)

    assert sum(bool(axes.images) for axes in figure.axes) == 4


@pytest.mark.parametrize(
    ("n_inputs", "shape", "message"),
    [
        (10, None, "no picture shape is known for 10 inputs"),
        (10, (3, 3), "has 9 pixels, but the weights have 10"),
        (8, (2, 2, 2), "image_shape should be"),
    ],
)
def test_first_layer_weights_refuse_a_shape_that_does_not_fit(n_inputs, shape, message):
    with pytest.raises(ValueError, match=message):
        plots.first_layer_weights(np.ones((n_inputs, 3)), image_shape=shape)


def test_heat_map_writes_every_result_and_leaves_gaps():
    axes = plots.heat_map(
        [[0.1, 0.2], [np.nan, 0.4]], [1, 2], [3, 4], row_name="l2", column_name="lr"
    ).axes[0]

    assert [text.get_text() for text in axes.texts] == ["0.100", "0.200", "0.400"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("lr", "l2")


def test_heat_map_without_any_result_is_empty():
    axes = plots.heat_map([[np.nan]], [1], [2], row_name="l2", column_name="lr").axes[0]

    assert not axes.texts


def test_heat_map_frames_the_best_cell():
    axes = plots.heat_map(
        [[0.1, 0.9], [0.3, 0.4]], [1, 2], [3, 4], row_name="l2", column_name="lr"
    ).axes[0]

    frame = axes.lines[0].get_xydata()
    np.testing.assert_array_equal(frame.mean(axis=0).round(), [1, 0])


def test_activation_functions_show_value_and_slope():
    axes = plots.activation_functions(["tanh", "relu"]).axes[0]

    x, y = axes.lines[-2].get_data()
    _, slope = axes.lines[-1].get_data()
    np.testing.assert_allclose(np.ravel(y), np.tanh(np.ravel(x)), rtol=1e-12)
    np.testing.assert_allclose(np.ravel(slope), 1 - np.tanh(np.ravel(x)) ** 2, atol=1e-12)


def test_activation_functions_refuse_an_unknown_name():
    with pytest.raises(ValueError, match=r"unknown activation 'tahn': did you mean 'tanh'"):
        plots.activation_functions(["tahn"])


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_save_writes_one_whole_file(tmp_path, run, ending):
    plots.save(plots.learning_curves(run), tmp_path / f"curves.{ending}")

    assert os.listdir(tmp_path) == [f"curves.{ending}"]
    assert (tmp_path / f"curves.{ending}").stat().st_size > 1000


def test_save_names_the_formats_it_knows(tmp_path, run):
    with pytest.raises(ValueError, match=r"one of .*png.*got .*curves\.gifx"):
        plots.save(plots.learning_curves(run), tmp_path / "curves.gifx")


def test_without_matplotlib_one_sentence_names_the_extra(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(ImportError, match=r'pip install "fastmlp\[plot\]"'):
        plots.learning_curves(run)

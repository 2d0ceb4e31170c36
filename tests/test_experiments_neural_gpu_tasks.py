"""The Neural GPU's tasks: what stands on their tapes, and what training them, with more or less, comes down to."""

import jax
import numpy as np
import pytest

from learned_units.experiments import ingredients, neural_gpu_ablation, neural_gpu_tasks, sequences
from learned_units.experiments.ingredients import CELL, PLAIN, RELAXED, Ingredients
from learned_units.neural_gpu import network, tape, training


def silent(part: float, loss: float) -> None:
    """Progress that nobody looks at."""


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (sequences.COPY, "11010"),
        (sequences.REVERSE, "01011"),
        (sequences.DUPLICATE, "1101011010"),
        (sequences.SORT, "00111"),
        (sequences.COUNT, "11000"),  # three, least significant first
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_answer_of_a_string_is_what_its_task_says(task, expected, monkeypatch):
    monkeypatch.setattr(sequences, "_strings", lambda rng, length, count: np.array([[1, 1, 0, 1, 0]], np.uint8))
    symbols, answers = task.examples(np.random.default_rng(0), 5, 1, True)
    assert "".join(map(str, answers[0])) == expected
    assert symbols.shape == (1, task.positions(5)) and symbols[0, :5].tolist() == [2, 2, 1, 2, 1]
    assert (symbols[0, 5:] == sequences.BLANK).all() and symbols.max() < sequences.SYMBOLS


@pytest.mark.parametrize("task", [*sequences.TASKS, sequences.SUBTRACT], ids=lambda task: task.name)
def test_a_batch_has_strings_of_every_length_asked_for_and_nothing_after_them(task):
    lengths = [3, 1, 7, 3]
    symbols, answers = sequences.batch(task, np.random.default_rng(0), lengths, ingredients.POSITIONS)
    for row, length in enumerate(lengths):
        end = task.positions(length)
        assert (symbols[row, :end] != tape.PAD).all()
        assert not symbols[row, end:].any() and not answers[row, end:].any()


def test_the_plain_network_is_as_large_as_the_cell():
    sizes = []
    for kind in (CELL, PLAIN):
        weights = jax.eval_shape(lambda key, kind=kind: kind.start(key, sequences.SYMBOLS), jax.random.key(0))
        sizes.append(sum(each.size for each in jax.tree.leaves(weights)))
    cell, plain = sizes
    assert 0.95 * cell < plain <= cell


@pytest.mark.slow
def test_without_noise_the_loss_of_the_cell_is_that_of_the_units_training():
    given = Ingredients(noise=0.0)
    examples = jax.device_put(ingredients.draw(sequences.ADD, given, np.random.default_rng(0), 0.5, 0, 1))
    loss = jax.jit(CELL.loss)
    weights = CELL.start(jax.random.key(1), sequences.SYMBOLS)
    batch = training.Batch(examples.symbols, examples.answers, jax.numpy.float32(0))
    theirs = jax.jit(training._loss)(weights, batch, jax.random.key(2))
    assert float(loss(weights, examples, 0.5, given)) == pytest.approx(float(theirs), rel=1e-5)
    for more in (Ingredients(), Ingredients(noise=0.0, dropout=0.1), Ingredients(noise=0.0, penalty=0.1)):
        assert float(loss(weights, examples, 0.5, more)) != pytest.approx(float(theirs), rel=1e-4)


@pytest.mark.slow
def test_relaxed_copies_count_apart_at_first_and_not_once_they_are_shared():
    copies = RELAXED.start(jax.random.key(0), sequences.SYMBOLS)
    apart = jax.tree.map(lambda each: each.at[0].add(0.1).at[1].add(-0.1), copies)  # the mean is as it was
    given = Ingredients(noise=0.0)
    examples = jax.device_put(ingredients.draw(sequences.SUBTRACT, given, np.random.default_rng(0), 0.0, 0, 1))
    loss = jax.jit(RELAXED.loss)
    early = [float(loss(each, examples, 0.0, given)) for each in (copies, apart)]
    late = [float(loss(each, examples, ingredients.SHARED_FROM, given)) for each in (copies, apart)]
    assert early[0] != pytest.approx(early[1], rel=1e-4) and late[0] == pytest.approx(late[1], rel=1e-5)


def test_a_curriculum_begins_with_short_strings_and_gradient_noise_falls():
    def drawn(given: Ingredients, part: float, update: int) -> ingredients.Examples:
        return ingredients.draw(sequences.COPY, given, np.random.default_rng(0), part, update, 4000)

    lengths = [int((drawn(Ingredients(curriculum=True), part, 0).symbols != 0).sum(1).max()) for part in (0, 0.25, 0.5)]
    assert lengths == [4, 10, 20]
    deviations = [drawn(Ingredients(gradient_noise=0.1), 0.0, update).added.std() for update in (0, 100)]
    assert deviations == pytest.approx([0.1, 0.1 * 101**-0.55], rel=0.1)


@pytest.mark.slow
def test_reversing_is_learned_in_some_hundred_updates_and_holds_at_five_times_the_length():
    weights = ingredients.fit(CELL, sequences.REVERSE, Ingredients(), 0, 300, silent)
    assert ingredients.wrong(CELL, weights, sequences.REVERSE, 100, 50, 1) == 0
    fresh = network.initialise(jax.random.key(0), sequences.SYMBOLS, training.MAPS)
    assert ingredients.wrong(CELL, fresh, sequences.REVERSE, 20, 50, 1) > 40


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [neural_gpu_tasks, neural_gpu_ablation])
def test_the_quick_experiments_measure_everything_in_small(experiment):
    table = experiment.measure(True, lambda what, part: None)
    if experiment is neural_gpu_tasks:
        assert len(table.rows) == 2 * len(sequences.TASKS) * len(experiment.QUICK_LENGTHS)
    else:
        assert table.column("training") == list(experiment.NAMED)

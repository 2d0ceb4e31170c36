"""A Neural GPU proved for words of every length: the closed set, what it rests on, and that wrong nets are refused."""

from collections.abc import Callable

import exactness
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

import programs
from assembler import assemble
from learned_units import Unit, load_unit
from learned_units.neural_gpu import every_length, one_sided, operands, tape, tape_graph
from learned_units.neural_gpu.every_length import NotProvedError
from learned_units.neural_gpu.one_sided import OneSided
from learned_units.neural_gpu.tape import Task
from vm import Halt, Machine

SEED = 20_250_217
ISAS = ("sbn", "subleq")


@pytest.fixture(scope="module")
def proved(trained_cache) -> Callable[..., Unit]:
    """proved(word_bits, isa): the unit on the weights `every-length`."""
    return lambda word_bits=16, isa="sbn": load_unit("neural-gpu", word_bits, isa, weights="every-length")


def proof(unit: Unit, params: OneSided | None = None) -> every_length.Closed:
    return every_length.prove(params or unit.params, tape.BRANCH_TASKS[unit.isa], lambda *_: None)


@pytest.mark.parametrize("isa", ISAS)
def test_the_shipped_network_is_proved_for_every_length(isa, proved):
    unit = proved(isa=isa)
    found = proof(unit)
    assert unit.manifest.shipped and unit.manifest.verified.kind.startswith("every length")
    assert (unit.manifest.windows, unit.manifest.states) == (found.windows, found.states)
    assert found.smallest_number > 2 * found.rounding > 0
    assert found.smallest_margin > 0.25


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("field", [field for field in OneSided._fields if field != "readout_bias"])
def test_a_network_with_a_spoilt_layer_is_not_proved(field, isa, proved):
    """The weights of one layer shuffled, or negated; what is answered of all places is wrong somewhere."""
    unit = proved(isa=isa)
    weights = np.asarray(getattr(unit.params, field))
    shuffled = np.random.default_rng(SEED).permutation(weights.reshape(-1)).reshape(weights.shape)
    for spoilt in (shuffled, -weights):
        with pytest.raises(NotProvedError):
            proof(unit, unit.params._replace(**{field: jnp.asarray(spoilt)}))


def test_numbers_that_rounding_could_move_across_0_are_not_proved(proved, monkeypatch):
    monkeypatch.setattr(every_length, "rounding_bound", lambda network: 0.01)
    with pytest.raises(NotProvedError, match="a number whose sign is taken is 3.9e-03, and rounding is 1.0e-02"):
        proof(proved())


TASKS = (*tape.TASKS.values(), *tape.BRANCH_TASKS.values())


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_the_walks_of_the_graph_are_the_tapes_and_their_answers(task: Task):
    """Every tape of up to 4 bits is a walk from BEFORE to AFTER, each walk of that length is one, and answers agree."""
    graph = tape_graph.graph(task)
    before, after = (graph.places.index(end) for end in (tape_graph.BEFORE, tape_graph.AFTER))

    def walks(place: int, left: int) -> list[tuple[int, ...]]:
        if left == 0:
            return [()] if after in graph.right_of[place] else []
        following = (each for each in graph.right_of[place] if each not in (before, after))
        return [(each, *rest) for each in following for rest in walks(each, left - 1)]

    for length in range(1, 5):
        first, second = operands.every_pair(length)
        lengths = np.full(len(first), length)
        symbols, answers = tape.lay_out(task, first, second, lengths), tape.answers(task, first, second, lengths)
        exact = {(tuple(row), tuple(answer)) for row, answer in zip(symbols.tolist(), answers.tolist(), strict=True)}
        found = [[graph.places[each] for each in walk] for walk in walks(before, length + len(task.ends))]
        assert {(tuple(p.symbol for p in walk), tuple(p.answer for p in walk)) for walk in found} == exact
        assert len(found) == len(exact)


def test_what_the_network_is_given_on_tapes_is_in_the_closed_set(proved):
    """Every two neighbouring states on adversarial tapes of 3, 12 and 50 bits, at every step, are a pair of the set."""
    unit = proved()
    table, task = every_length.tabulate(unit.params), tape.BRANCH_SBN
    seen: set[tuple[int, int]] = set()
    for length in (3, 12, 50):
        pairs = operands.mixed(np.random.default_rng(SEED), 200, length, task, operands.ADVERSARIAL_MIX)
        state = table.embedding[tape.lay_out(task, *pairs, np.full(200, length))]
        for _ in range(state.shape[1] + one_sided.SETTLING):
            left = np.concatenate([np.full((200, 1), table.outside), state[:, :-1]], 1)
            seen |= set(zip(left.reshape(-1).tolist(), state.reshape(-1).tolist(), strict=True))
            state = table.next_state[left, state]
        assert ((table.logits[state] > 0) == tape.answers(task, *pairs, np.full(200, length))).all()
    assert seen <= every_length.close(table, task, lambda *_: None).pairs()


def test_the_network_that_runs_is_the_table_that_is_proved(proved):
    unit = proved()
    table, maps = every_length.tabulate(unit.params), unit.params.embedding.shape[1]
    every = ((np.arange(1 << maps)[:, None] >> np.arange(maps) & 1) * 2 - 1).astype(np.float32)
    left = np.concatenate([every, np.zeros((1, maps), np.float32)])
    found = np.asarray(jax.vmap(lambda each: one_sided.before_sign(unit.params, each, every)[0])(
        np.broadcast_to(left[:, None], (len(left), *every.shape))
    ))  # fmt: skip
    assert np.abs(found - table.before_sign).max() <= every_length.rounding_bound(unit.params)
    assert (found[table.always_zero] == 0).all() and table.always_zero[table.outside].any()


@pytest.mark.parametrize(("word_bits", "isa"), [(8, "subleq"), *slow((4, "sbn"), (33, "sbn"), (64, "subleq"))])
def test_hard_and_random_cases_are_exact(word_bits, isa, proved):
    exactness.check(proved(word_bits, isa), exactness.hard_and_random(word_bits, 2_000, SEED))


def test_the_machine_runs_on_it_in_lockstep(proved):
    machine = Machine(assemble(programs.source("adder")), proved(), input=b"17 25\n")
    assert machine.run().halt is Halt.HALTED and machine.output == b"42\n"


@pytest.mark.slow
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [512, 2_000])
def test_100000_pairs_of_many_bits_are_right(bits, isa, proved):
    """By the table that is proved, half uniform and half adversarial."""
    task, table = tape.BRANCH_TASKS[isa], every_length.tabulate(proved(isa=isa).params)
    rng = np.random.default_rng(SEED)
    for _ in range(100):
        for chosen in (operands.adversarial(rng, 500, bits, task), operands.uniform(rng, 500, bits)):
            symbols = tape.lay_out(task, *chosen, np.full(500, bits))
            state = table.embedding[symbols]
            moving = np.arange(500)  # a tape that a step leaves as it is stays so
            for _ in range(symbols.shape[1] + one_sided.SETTLING):
                before = state[moving]
                left = np.concatenate([np.full((len(moving), 1), table.outside), before[:, :-1]], 1)
                state[moving] = after = table.next_state[left, before]
                moving = moving[(after != before).any(1)]
            assert ((table.logits[state] > 0) == tape.answers(task, *chosen, np.full(500, bits))).all()

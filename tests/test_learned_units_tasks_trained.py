"""The tasks on trained networks, live: exact, on whole domains; and it is the weights that do it."""

import numpy as np
import pytest
from marks import slow

from learned_units import catalog, store
from learned_units import compute as computing
from learned_units.circuits.state_templates import TemplateList
from learned_units.circuits.tasks import Task
from learned_units.compute import Computation
from learned_units.proof import reached
from learned_units.store import WeightsError
from learned_units.weights import ensembles, recipes
from learned_units.weights import tasks as task_weights

EXACT = {"add": int.__add__, "subtract": int.__sub__, "multiply": int.__mul__}

either_kind = pytest.mark.parametrize("kind", ["trained", pytest.param("closed form", marks=pytest.mark.slow)])


def computer(task: Task, kind: str) -> Computation:
    return computing.trained(task) if kind == "trained" else computing.closed_form(task)


def scrambled(whole: Computation) -> Computation:
    """Normal noise of each tensor's own scale for the trained weights; thresholds stay."""
    rng = np.random.default_rng(0)

    def noise(tensor) -> np.ndarray:
        values = np.asarray(tensor)
        return rng.normal(0, values.std(), values.shape).astype(values.dtype)

    params = {
        name: each._replace(inner=noise(each.inner), outer=noise(each.outer)) for name, each in whole.params.items()
    }
    return Computation(whole.algorithm, params, "noise")


def compute_all_pairs(whole: Computation, bits: int) -> tuple[np.ndarray, float]:
    """Results of all pairs, int64 [2^bits, 2^bits] by first and second operand, and the smallest margin."""
    every = np.arange(1 << bits)
    spread = (every[:, None] >> np.arange(bits) & 1).astype(np.float32)
    names = [field for field, _ in whole.algorithm.inputs]
    first, second = np.repeat(every, 1 << bits), np.tile(every, 1 << bits)
    found, margins = whole.run({names[0]: spread[first], names[1]: spread[second]})
    values = found.astype(np.int64) @ (1 << np.arange(found.shape[1]))
    return values.reshape(1 << bits, 1 << bits), float(margins.min())


def exact_pairs(task: str, bits: int) -> np.ndarray:
    every = np.arange(1 << bits)
    return {
        "add": every[:, None] + every,
        "subtract": (every[:, None] - every) % (1 << bits),
        "multiply": every[:, None] * every,
    }[task]


def pairs(task: str, form: str, bits: int, *, slow: bool = True):
    return pytest.param(task, form, bits, marks=pytest.mark.slow if slow else (), id=f"{task}-{form}-{bits}")


@either_kind
@pytest.mark.parametrize(
    ("task", "form", "bits"),
    [
        pairs("add", "grouped", 6),
        pairs("add", "paper", 4),
        pairs("subtract", "grouped", 6),
        pairs("multiply", "grouped", 4, slow=False),
        pairs("multiply", "paper", 2),
        pairs("add", "grouped", 10),
        pairs("add", "paper", 10),
        pairs("subtract", "grouped", 10),
        pairs("multiply", "grouped", 6),
        pairs("multiply", "paper", 6),
    ],
)
def test_every_pair_is_computed_exactly(task, form, bits, kind):
    found, margin = compute_all_pairs(computer(Task(task, form, bits), kind), bits)
    assert (found == exact_pairs(task, bits)).all()
    assert margin >= (0.25 if kind == "trained" else 0.999)


def structured(length: int) -> np.ndarray:
    """Zeros, ones, every single bit, every single 0, runs, alternations: float32 [words, length]."""
    eye = np.eye(length)
    runs = np.tri(length)
    alternating = np.array([np.arange(length) // period % 2 for period in (1, 2, 4, 8)])
    return np.concatenate([np.zeros((1, length)), np.ones((1, length)), eye, 1 - eye, runs, 1 - runs, alternating])


def permutations_of_64() -> dict[str, list[int]]:
    rng = np.random.default_rng(64)
    found = {f"random {k}": rng.permutation(64).tolist() for k in range(3)}
    forwards = [*range(64)]
    return found | {"identity": forwards, "reversal": forwards[::-1], "rotation": [*forwards[1:], 0]}


@either_kind
@pytest.mark.parametrize(
    ("form", "name"),
    [
        *slow(("grouped", "random 0")),
        *(pytest.param("grouped", name, marks=pytest.mark.slow) for name in permutations_of_64() if name != "random 0"),
        *(pytest.param("paper", name, marks=pytest.mark.slow) for name in ("random 0", "reversal")),
    ],
)
def test_permutations_of_64_bits_move_every_bit_to_its_place(form, name, kind):
    places = permutations_of_64()[name]
    rng = np.random.default_rng(0)
    dense = rng.random((3000, 64)) < rng.random((3000, 1))
    given = np.concatenate([structured(64), dense]).astype(np.float32)
    found, margins = computer(Task("permute", form, 64, tuple(places)), kind).run({"x": given})
    expected = np.zeros_like(given)
    expected[:, places] = given
    assert (found == (expected > 0)).all()
    assert margins.min() >= (0.25 if kind == "trained" else 0.999)


def hard_words(rng: np.random.Generator, count: int, bits: int) -> list[int]:
    top = (1 << bits) - 1
    uniform = [int.from_bytes(rng.bytes(bits // 8 + 1), "little") & top for _ in range(count)]
    runs = [top >> int(rng.integers(bits)) << int(rng.integers(bits)) & top for _ in range(count)]
    return [*uniform, *runs, 0, 1, top, top - 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "form", "bits"),
    [
        pairs("add", "grouped", 64, slow=False),
        pairs("add", "grouped", 200),
        pairs("subtract", "grouped", 100),
        pairs("multiply", "grouped", 16),
        pairs("multiply", "grouped", 32),
        pairs("add", "paper", 16),
    ],
)
def test_long_operands_are_computed_exactly(task, form, bits):
    rng = np.random.default_rng(bits)
    first, second = hard_words(rng, 200, bits), hard_words(rng, 200, bits)
    rng.shuffle(second)
    found = computing.trained(Task(task, form, bits)).compute([*first, *first], [*second, *first])
    modulus = 1 << (bits if task == "subtract" else 2 * bits)
    assert found.values == [
        EXACT[task](a, b) % modulus for a, b in zip([*first, *first], [*second, *first], strict=True)
    ]
    assert found.margins.min() >= 0.25


@pytest.mark.parametrize(
    "task",
    [
        Task("add", "grouped", 4),
        *slow(Task("add", "paper", 4)),
        Task("subtract", "grouped", 4),
        Task("multiply", "grouped", 4),
        *slow(Task("multiply", "paper", 2)),
    ],
    ids=lambda task: f"{task.name}-{task.form}",
)
def test_noise_in_place_of_the_weights_computes_nothing(task):
    found, _ = compute_all_pairs(scrambled(computing.trained(task)), task.bits)
    assert (found == exact_pairs(task.name, task.bits)).mean() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("form", ["grouped", "paper"])
def test_noise_in_place_of_the_weights_permutes_nothing(form):
    places = (2, 0, 1, 5, 4, 3, 7, 6)
    given = structured(8).astype(np.float32)
    whole = computing.trained(Task("permute", form, 8, places))
    expected = np.zeros_like(given)
    expected[:, places] = given
    assert (whole.run({"x": given})[0] == (expected > 0)).all()
    assert (scrambled(whole).run({"x": given})[0] == (expected > 0)).all(1).mean() < 0.5


@pytest.mark.slow
def test_another_permutation_is_other_weights():
    """The permutation is in what was learned: with the weights of one, the wiring of the other computes the one."""
    one, other = (1, 2, 3, 0), (3, 2, 1, 0)
    first, second = (computing.trained(Task("permute", "grouped", 4, places)) for places in (one, other))
    mixed = Computation(second.algorithm, first.params, "mixed")
    given = structured(4).astype(np.float32)
    assert (mixed.run({"x": given})[0] == first.run({"x": given})[0]).all()
    assert (mixed.run({"x": given})[0] != second.run({"x": given})[0]).any()


def test_an_operand_that_does_not_fit_is_refused():
    whole = computing.closed_form(Task("add", "grouped", 4))
    for value in (-1, 16):
        with pytest.raises(ValueError, match=rf"{value} does not fit 4 bits \(0 \.\. 15\)"):
            whole.compute([value], [0])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task("add", "paper", 33), r"the paper's design of 'add' is trained for up to 32 bits, not 33"),
        (Task("multiply", "paper", 9), r"the paper's design of 'multiply' is trained for up to 8 bits, not 9"),
        (Task("subtract", "paper", 4), "the paper subtracts in its SBN instruction"),
        (Task("divide", "grouped", 4), "no task 'divide', 'grouped'"),
        (Task("add", "grouped", 0), "operands must have 1 bit or more, not 0"),
    ],
)
def test_a_design_that_is_not_there_is_refused(task, message):
    with pytest.raises(ValueError, match=message):
        computing.trained(task)


# --- what the weights are judged on -----------------------------------------------------------------------------------


def network_of(task: Task) -> TemplateList:
    (network,) = task.algorithm.networks
    assert isinstance(network, TemplateList)
    return network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "every"),
    [
        (Task("add", "paper", 8), True),
        (Task("add", "paper", 9), False),
        (Task("multiply", "paper", 4), True),
        (Task("permute", "paper", 10, tuple(range(10))), True),
        (Task("permute", "paper", 20, tuple(range(20))), False),
    ],
)
def test_states_are_all_reached_where_operands_are_few(task, every):
    found = reached.reached(task.algorithm, network_of(task))
    assert found.every == every
    assert found.matched.sum(1).max() <= network_of(task).most_matched


def test_the_states_of_a_run_are_among_those_judged():
    """By following single runs with python integers and the templates' own words."""
    task = Task("multiply", "paper", 3)
    network = network_of(task)
    known = {tuple(row) for row in reached.reached(task.algorithm, network).matched.tolist()}
    for first, second in ((7, 7), (5, 3), (0, 6), (6, 0), (1, 1)):
        state = {("check", 0)}
        state |= {("a", i) for i in range(3) if first >> i & 1} | {("b", i) for i in range(3) if second >> i & 1}
        for _ in range(task.algorithm.passes):
            matched = [all((bit in state) == bool(want) for bit, want in each.when) for each in network.templates]
            assert tuple(matched) in known
            state = {bit for each, yes in zip(network.templates, matched, strict=True) if yes for bit in each.then}
        assert sum(1 << i for i in range(6) if ("p", i) in state) == first * second


@pytest.mark.parametrize(
    "task",
    [
        None,
        pytest.param(Task("add", "paper", 4), marks=pytest.mark.slow),
        pytest.param(Task("permute", "grouped", 8, tuple(range(8))), marks=pytest.mark.slow),
    ],
)
def test_manifests_say_what_was_verified_and_lead_back_to_the_recipe(task):
    computing.trained(task or Task("add", "grouped", 4))
    recipe = task_weights.recipe(task, 0)
    tensors, manifest = recipes.read(recipe, recipe.path)
    assert recipe.prove(tensors, manifest, lambda what, part: None)["verified"] == manifest.written["verified"]
    assert catalog.recipe_of(manifest.written).expected == recipe.expected
    assert manifest.verified.smallest_margin is not None
    assert manifest.verified.smallest_margin >= ensembles.MARGIN_FLOOR
    assert manifest.verified.kind == "every input enumerated"
    report = recipe.report(manifest)
    assert "every input enumerated" in report.verified
    assert len(report.table) == 1 + len(manifest.networks)


@pytest.mark.parametrize("change", [{"smallest_margin": 0.2}, {"z": 3.0}, {"smallest_margin": np.nan}, {"z": np.nan}])
def test_weights_that_claim_too_little_are_refused(change, tmp_path):
    computing.trained(Task("add", "grouped", 4))
    recipe = task_weights.recipe(None, 0)
    tensors, manifest = store.load(recipe.path, {})
    manifest = {name: value for name, value in manifest.items() if not name.endswith("_hash")}
    manifest["verified"] |= change
    store.save(tmp_path / "weak.safetensors", tensors, manifest)
    with pytest.raises(WeightsError, match="the manifest claims too little|the manifest says 'nan' for"):
        recipes.read(recipe, tmp_path / "weak.safetensors")


def _margins(network: TemplateList, params, matched: np.ndarray) -> dict:
    return task_weights.measure(network, params, matched, lambda part: None)


@pytest.mark.slow
def test_the_judge_finds_one_wrong_weight():
    task = Task("add", "paper", 4)
    network = network_of(task)
    whole = computing.trained(task).params["addition"]
    matched, _ = reached.reached(task.algorithm, network)
    assert _margins(network, whole, matched)["smallest_margin"] >= ensembles.MARGIN_FLOOR
    outer = np.array(whole.outer)
    outer[:, 0] *= 0.4
    assert _margins(network, whole._replace(outer=outer), matched)["smallest_margin"] < 0
    outer[:, 0] = np.nan
    assert not _margins(network, whole._replace(outer=outer), matched)["smallest_margin"] > 0

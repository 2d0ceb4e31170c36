"""Template sets: the training set, the fast match and the specification, each against brute force."""

import itertools

import numpy as np
import pytest
from marks import slow

from learned_units.circuits import subtract_branch
from learned_units.circuits.subtract_branch import template_sets
from learned_units.circuits.templates import Family, TemplateSet

GROUPS = (1, 2, 3, 8, 16)
NAMES = ("first", "prefix", "difference", "select", "any")

every_set = pytest.mark.parametrize(
    ("name", "group"), [(name, group) for name in NAMES for group in GROUPS], ids=lambda value: str(value)
)


def expanded(template_set: TemplateSet) -> tuple[list[tuple[Family, int]], list[tuple[str, int]]]:
    """The templates (family, position) and the network's outputs (output, position), in the order of the tensors."""
    positions = range(template_set.group)
    templates = [(family, position) for family in template_set.families for position in positions]
    places = range(1) if template_set.pooled else positions
    return templates, [(output, place) for output in template_set.outputs for place in places]


@every_set
def test_the_training_labels_are_the_expanded_templates(name, group):
    template_set = template_sets(group)[name]
    templates, outputs = expanded(template_set)
    expected = [
        [float(output in family.then and (template_set.pooled or place == position)) for output, place in outputs]
        for family, position in templates
    ]
    labels = template_set.labels()
    assert labels.dtype == np.float32
    assert labels.tolist() == expected
    assert (template_set.size, template_set.output_bits) == labels.shape
    counted = labels.sum(0).reshape(len(template_set.outputs), -1)
    assert (counted == template_set.label_counts()[:, None]).all()


def test_the_unit_is_learned_from_160_examples():
    sizes = {name: each.size for name, each in template_sets(8).items()}
    assert sizes == {"first": 64, "prefix": 40, "difference": 32, "select": 16, "any": 8}
    assert sum(sizes.values()) == 160


def allowed_lines(template_set: TemplateSet, rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Random lines that keep what the set is promised about them."""
    lines = {line: rng.integers(0, 2, (count, template_set.group)) for line in template_set.lines}
    for one, other in template_set.never:
        lines[other] &= 1 - lines[one]
    for line, source in template_set.below:
        lines[line][:, 1:] = lines[source][:, :-1]
    return lines


@every_set
def test_the_match_is_every_template_whose_conditions_hold(name, group):
    template_set = template_sets(group)[name]
    lines = allowed_lines(template_set, np.random.default_rng(group), 40)
    matched = template_set.match({line: value.astype(np.float32) for line, value in lines.items()})
    assert len(matched) == len(template_set.families)
    for family, found in zip(template_set.families, matched, strict=True):
        for case, position in itertools.product(range(40), range(template_set.group)):
            holds = all(lines[line][case, position] == bit for line, bit in family.when)
            assert found[case, position] == float(holds)
    assert max(sum(found[case, 0] for found in matched) for case in range(40)) <= 1


@every_set
def test_the_specification_is_that_a_matched_template_asserts_the_output(name, group):
    template_set = template_sets(group)[name]
    rng = np.random.default_rng(group)
    index = rng.integers(-1, len(template_set.families), (60, template_set.group))
    specified = template_set.specify(index)
    _, outputs = expanded(template_set)
    for case in range(60):
        asserted = {
            (output, 0 if template_set.pooled else position)
            for position, family in enumerate(index[case])
            if family >= 0
            for output in template_set.families[family].then
        }
        assert specified[case].tolist() == [each in asserted for each in outputs]


@pytest.mark.parametrize(
    ("name", "inputs"),
    [("first", 122_969), ("difference", 390_625), ("select", 6_561), ("any", 256), *slow(("prefix", 1_679_616))],
)
def test_the_inputs_of_a_group_of_8_are_this_many(name, inputs):
    found = template_sets(8)[name].reachable_inputs()
    assert found.shape == (inputs, 8)
    base = len(template_sets(8)[name].families) + 1
    codes = (found.astype(np.int64) + 1) @ base ** np.arange(8)
    assert len(np.unique(codes)) == inputs


@pytest.mark.parametrize(
    ("name", "group"), [(name, group) for name in NAMES for group in (1, 2, 3) if (name, group) != ("prefix", 3)]
)
def test_the_enumerated_inputs_are_what_all_lines_together_give(name, group):
    template_set = template_sets(group)[name]
    group = template_set.group
    free = [line for line in template_set.lines if line not in dict(template_set.below)]
    lead = 1 if template_set.below else 0  # the neighbour below the group
    length = lead + group
    expected = set()
    for bits in itertools.product((0, 1), repeat=len(free) * length):
        value = {line: bits[k * length : (k + 1) * length] for k, line in enumerate(free)}
        lines = {line: value[line][lead:] for line in free}
        lines |= {line: value[source][:group] for line, source in template_set.below}
        if any(lines[one][p] and lines[other][p] for one, other in template_set.never for p in range(group)):
            continue
        row = []
        for p in range(group):
            holding = [
                k
                for k, family in enumerate(template_set.families)
                if all(lines[line][p] == bit for line, bit in family.when)
            ]
            assert len(holding) <= 1
            row.append(holding[0] if holding else -1)
        expected.add(tuple(row))
    assert {tuple(row) for row in template_set.reachable_inputs().tolist()} == expected


def test_families_that_can_match_together_are_refused():
    together = (Family((("a", 1),), ("x",)), Family((("b", 1),), ("x",)))
    with pytest.raises(ValueError, match="two families of the template set 'both' can match at one position"):
        TemplateSet("both", together, ("x",), 4)
    assert TemplateSet("either", together, ("x",), 4, never=(("a", "b"),)).size == 8


def test_too_many_assignments_are_refused_not_begun():
    with pytest.raises(ValueError, match=r"2\^34 assignments of 'first' are too many"):
        template_sets(16)["first"].reachable_inputs()


@pytest.mark.parametrize("group", range(1, 65))
def test_the_zero_flag_is_pooled_by_two_to_eight_bits(group):
    assert subtract_branch.any_group(group) == template_sets(group)["any"].group == min(max(group, 2), 8)


def test_every_schedule_has_three_passes_or_few_more():
    passes = {width: len(subtract_branch.schedule(width, "sbn", 8)) for width in range(4, 65)}
    assert {width for width, count in passes.items() if count == 3} == {4, 5}
    assert {width for width, count in passes.items() if count == 4} == set(range(6, 18))
    assert {width for width, count in passes.items() if count == 5} == set(range(18, 65))

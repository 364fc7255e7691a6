"""The arithmetic of label demands, against plain sets of values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from automode_constructs.specs.pools.label_values import LabelValues, agree, disagreement, narrowed, values_of

WORLD = ("a", "b", "zone-1", "0", "1", "2", "3", "4", "5", "6", "7")
"""All values that a label can have in these tests. None stands for a node without the label."""

words = st.sampled_from(WORLD)
demands = st.one_of(
    st.tuples(st.sampled_from(("In", "NotIn")), st.lists(words, min_size=1, max_size=4).map(tuple)),
    st.tuples(st.sampled_from(("Exists", "DoesNotExist")), st.just(())),
    st.tuples(st.sampled_from(("Gt", "Gte", "Lt", "Lte")), st.integers(0, 7).map(lambda each: (str(each),))),
)
Demand = tuple[str, tuple[str, ...]]


def meant(demand: Demand) -> set[str]:
    """The values that Kubernetes lets a demand match, by the words of its documentation."""
    operator, values = demand
    match operator:
        case "In":
            return set(values)
        case "NotIn":
            return set(WORLD) - set(values)
        case "Exists":
            return set(WORLD)
        case "DoesNotExist":
            return set()
    limit = int(values[0])
    numbers = {value for value in WORLD if value.isdecimal()}
    return {
        "Gt": {value for value in numbers if int(value) > limit},
        "Gte": {value for value in numbers if int(value) >= limit},
        "Lt": {value for value in numbers if int(value) < limit},
        "Lte": {value for value in numbers if int(value) <= limit},
    }[operator]


def held(values: LabelValues) -> set[str]:
    return {value for value in WORLD if values.has(value)}


@given(demands)
def test_a_demand_holds_what_kubernetes_matches(demand: Demand) -> None:
    assert held(values_of(*demand)) == meant(demand)


@given(st.lists(demands, min_size=1, max_size=4))
def test_demands_together_hold_what_all_hold(several: list[Demand]) -> None:
    both = values_of(*several[0])
    for demand in several[1:]:
        both = both.and_(values_of(*demand))
    assert held(both) == set.intersection(*map(meant, several))


@given(demands, demands)
def test_the_order_of_demands_does_not_matter(one: Demand, other: Demand) -> None:
    assert values_of(*one).and_(values_of(*other)) == values_of(*other).and_(values_of(*one))


@given(demands, demands)
def test_a_common_value_is_an_overlap(one: Demand, other: Demand) -> None:
    if meant(one) & meant(other):
        assert values_of(*one).overlaps(values_of(*other))


@given(words, demands)
def test_a_node_that_has_the_label(value: str, demand: Demand) -> None:
    assert agree({"key": values_of("In", (value,))}, {"key": values_of(*demand)}) == (value in meant(demand))


@given(demands)
def test_a_node_without_the_label(demand: Demand) -> None:
    # As Kubernetes matches: without the label only NotIn and DoesNotExist hold.
    assert agree({}, {"key": values_of(*demand)}) == (demand[0] in {"NotIn", "DoesNotExist"})


@given(demands, demands)
def test_narrowing_keeps_what_it_began_with(one: Demand, other: Demand) -> None:
    have = {"key": values_of(*one), "else": values_of("Exists")}
    before = dict(have)
    more = narrowed(have, {"key": values_of(*other), "new": values_of("In", ("a",))})
    assert have == before
    assert held(more["key"]) == meant(one) & meant(other)
    assert held(more["new"]) == {"a"}


@given(demands)
def test_a_made_up_value_is_one_of_the_set(demand: Demand) -> None:
    values = values_of(*demand)
    if values.but and values.highest is None:
        assert values.has(values.any_number())


def test_an_open_label_may_be_demanded_and_another_may_not() -> None:
    wanted = {"team": values_of("In", ("blue",))}
    assert disagreement({}, wanted) == "team"
    assert disagreement({}, wanted, {"team"}) is None


def test_a_demand_in_words() -> None:
    assert str(values_of("In", ("b", "a"))) == "a, b"
    assert str(values_of("NotIn", ("a",)).and_(values_of("Gt", ("3",)))) == "at least 4"
    assert str(values_of("Gt", ("3",)).and_(values_of("Lte", ("9",)))) == "at least 4 and at most 9"
    assert str(values_of("Exists")) == "any value"
    assert str(values_of("DoesNotExist")) == "no value"
    assert str(values_of("In", tuple("abcdefg"))) == "a, b, c, d, e, and 2 others"

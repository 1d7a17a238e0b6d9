"""Calico's selector language as a pool's creator and a pod on a node see it."""

import pytest

from acceptance.calico.ground import (
    Stage,
    assign,
    namespace,
    node,
    play,
    pool,
    pool_changed,
    pool_shown,
)

Labels = dict[str, str]
NONE: Labels = {}

NUMBERS = [str(number) for number in range(100, 268)]
LONG_SET = "a in{" + ",".join(f"'{number}'" for number in NUMBERS) + "}"
LONG_SET_CANONICAL = "a in {" + ", ".join(f'"{number}"' for number in NUMBERS) + "}"
CHAIN = "&&".join(f"a!='{number}'" for number in NUMBERS[:90])
CHAIN_CANONICAL = "(" + " && ".join(f'a != "{number}"' for number in NUMBERS[:90]) + ")"

# What is written, and what CreatePool and GetPool return.
CANONICAL: dict[str, tuple[str, str]] = {
    "nothing": ("", "all()"),
    "a blank": (" ", "all()"),
    "a tab": ("\t", "all()"),
    "all()": ("  all() ", "all()"),
    "all( )": ("all( )", "all()"),
    "equality": ("zone=='east'", 'zone == "east"'),
    "inequality": ("zone!='east'", 'zone != "east"'),
    "tabs between words": ("zone\t==\t'east'", 'zone == "east"'),
    "starts with": ("zone starts with 'e'", 'zone starts with "e"'),
    "startswith": ("zone startswith 'e'", 'zone starts with "e"'),
    "ends with": ("zone ends with 'e'", 'zone ends with "e"'),
    "endswith": ("zone endswith'e'", 'zone ends with "e"'),
    "contains": ("zone contains'e'", 'zone contains "e"'),
    "contains contains": ('contains contains "contains"', 'contains contains "contains"'),
    "has": ("has( zone )", "has(zone)"),
    "a set is sorted": ("zone in {'b','a'}", 'zone in {"a", "b"}'),
    "a set says a thing once": ("zone in {'a','b','a'}", 'zone in {"a", "b"}'),
    "a comma at the end of a set": ("zone in {'a','b',}", 'zone in {"a", "b"}'),
    "an empty set": ("zone in {}", "zone in {}"),
    "not in": ("zone not in {'a'}", 'zone not in {"a"}'),
    "notin": ("zone notin{'a'}", 'zone not in {"a"}'),
    "a double quote inside": ("zone == 'say \"x\"'", "zone == 'say \"x\"'"),
    "a single quote inside": ('zone == "it\'s"', 'zone == "it\'s"'),
    "no escapes": (r"zone == 'a\n'", r'zone == "a\n"'),
    "an empty value": ("zone == ''", 'zone == ""'),
    "and": ("has(a)&&has(b)", "(has(a) && has(b))"),
    "or": ("has(a)||has(b)", "(has(a) || has(b))"),
    "and before or": (
        "has(a) || has(b) && has(c)",
        "(has(a) || (has(b) && has(c)))",
    ),
    "parentheses that matter": (
        "(has(a) || has(b)) && has(c)",
        "((has(a) || has(b)) && has(c))",
    ),
    "parentheses round one term": ("((has(a)))", "has(a)"),
    "not binds to one": ("!has(a) && has(b)", "(!has(a) && has(b))"),
    "not before a set": ("!zone in {'x'}", '!zone in {"x"}'),
    "not before one in parentheses": ("!(k == 'v')", '!k == "v"'),
    "not twice": ("!!has(a)", "has(a)"),
    "not thrice": ("!!!has(a)", "!has(a)"),
    "not with blanks": ("! ! ! has(a)", "!has(a)"),
    "a Kubernetes label": (
        "topology.kubernetes.io/zone == 'east'",
        'topology.kubernetes.io/zone == "east"',
    ),
    "a keyword as label": ("in in {'in'}", 'in in {"in"}'),
    "not as label": ("not not in {'in'}", 'not not in {"in"}'),
    "has as label": ("has == 'x'", 'has == "x"'),
    "eight parentheses": (f"{'(' * 8}has(a){')' * 8}", "has(a)"),
    "a label of 512": (f"has({'x' * 512})", f"has({'x' * 512})"),
    "a set that grows beyond 1024": (LONG_SET, LONG_SET_CANONICAL),
    "a chain that grows beyond 1024": (CHAIN, CHAIN_CANONICAL),
    "a value that grows beyond 1024": (f"a=='{'b' * 1019}'", f'a == "{"b" * 1019}"'),
}

# What is no selector, and a part of what is said about it.
MALFORMED: dict[str, tuple[str, str]] = {
    "a newline": ("zone ==\n'east'", "expected a value in quotes"),
    "a tab in a value": ("zone == 'a\tb'", "control characters"),
    "has with a blank": ("has (zone)", "expected an operator"),
    "all with a blank": ("all ()", "expected an operator"),
    "all without parentheses": ("all", "expected an operator"),
    "has of nothing": ("has()", "expected a label name"),
    "one equals sign": ("zone = 'east'", "expected an operator"),
    "no operator": ("zone", "expected an operator"),
    "no value": ("zone ==", "found the end, expected a value in quotes"),
    "a bare value": ("zone == east", "expected a value in quotes"),
    "a value first": ("'east' == zone", "expected a label name"),
    "no word boundary": ("zone inf 'x'", "expected an operator"),
    "contained": ("zone contained 'x'", "expected an operator"),
    "an open quote": ("zone == 'east", "expected a closing '"),
    "quotes that do not fit": ("zone == 'east\"", "expected a closing '"),
    "a bare string for a set": ("zone in 'east'", "expected a set in braces"),
    "a list for a set": ("zone in ('east')", "expected a set in braces"),
    "bare words in a set": ("zone in {east}", "expected a value in quotes or }"),
    "an open set": ("zone in {'east'", "expected a comma or }"),
    "a set without commas": ("zone in {'a' 'b'}", "expected a comma or }"),
    "a comma first in a set": ("zone in {,'a'}", "expected a value in quotes or }"),
    "an open parenthesis": ("(has(a)", "expected &&, || or )"),
    "a parenthesis too many": ("has(a))", "expected &&, || or the end"),
    "empty parentheses": ("()", "expected a label name"),
    "one ampersand": ("has(a) & has(b)", "expected &&, || or the end"),
    "nothing after and": ("has(a) &&", "expected a label name"),
    "nothing before or": ("|| has(a)", "expected a label name"),
    "nothing after not": ("!", "expected a label name"),
    "two terms side by side": ("has(a) has(b)", "expected &&, || or the end"),
    "a letter no label has": ("zöne == 'x'", "expected an operator"),
    "nine parentheses": (f"{'(' * 9}has(a){')' * 9}", "at most 8"),
    "a label of 513": (f"has({'x' * 513})", "at most 512"),
    "1025 characters": (f"has(a){' ' * 1019}", "at most 1024"),
    "global()": ("global()", "write all()"),
    "1025 characters in a value": (f"a=='{'b' * 1020}'", "at most 1024"),
    "1025 characters in canonical spelling": (f'a == "{"b" * 1020}"', "at most 1024"),
    "3000 characters": ("b" * 3000, "at most 2048"),
    "global() behind a not": ("!global()", "write all()"),
    "global() in parentheses": ("has(a) || (has(b) && global())", "write all()"),
}

WEB: Labels = {"tier": "web"}
# A selector, labels that it matches, and labels that it does not.
MEANING: dict[str, tuple[str, list[Labels], list[Labels]]] = {
    "all() matches everything": ("all()", [NONE, WEB], []),
    "!all() matches nothing": ("!all()", [], [NONE, WEB]),
    "== needs the value": ("tier == 'web'", [WEB], [NONE, {"tier": "db"}, {"tier": "Web"}]),
    "== of nothing is not absence": ("tier == ''", [{"tier": ""}], [NONE, WEB]),
    "!= holds for a missing label": ("tier != 'web'", [NONE, {"tier": "db"}], [WEB]),
    "has and != differ from !=": (
        "has(tier) && tier != 'web'",
        [{"tier": "db"}],
        [NONE, WEB],
    ),
    "has needs the label alone": ("has(tier)", [WEB, {"tier": ""}], [NONE, {"tiers": "web"}]),
    "!has": ("!has(tier)", [NONE, {"other": "x"}], [WEB]),
    "in": ("tier in {'web', 'db'}", [WEB, {"tier": "db"}], [NONE, {"tier": "x"}]),
    "in {} is never so": ("tier in {}", [], [NONE, WEB]),
    "not in holds for a missing label": ("tier not in {'web'}", [NONE, {"tier": "db"}], [WEB]),
    "not in {} is always so": ("tier not in {}", [NONE, WEB], []),
    "contains": ("tier contains 'e'", [WEB, {"tier": "e"}], [NONE, {"tier": "db"}]),
    "contains nothing": ("tier contains ''", [WEB, {"tier": ""}], [NONE]),
    "starts with": ("tier starts with 'we'", [WEB], [NONE, {"tier": "awe"}, {"tier": "w"}]),
    "ends with": ("tier ends with 'eb'", [WEB], [NONE, {"tier": "web-1"}, {"tier": "b"}]),
    "not of contains holds for a missing label": ("!tier contains 'e'", [NONE], [WEB]),
    "and": ("has(a) && has(b)", [{"a": "", "b": ""}], [NONE, {"a": ""}, {"b": ""}]),
    "or": ("has(a) || has(b)", [{"a": ""}, {"b": ""}], [NONE, {"c": ""}]),
    "and before or": (
        "has(a) || has(b) && has(c)",
        [{"a": ""}, {"b": "", "c": ""}],
        [NONE, {"b": ""}, {"c": ""}],
    ),
    "parentheses before and": (
        "(has(a) || has(b)) && has(c)",
        [{"a": "", "c": ""}, {"b": "", "c": ""}],
        [{"a": ""}, {"c": ""}],
    ),
    "not binds to one operation": ("!has(a) && has(b)", [{"b": ""}], [NONE, {"a": "", "b": ""}]),
    "not of a group": ("!(has(a) || has(b))", [NONE], [{"a": ""}, {"b": ""}]),
    "not before in means not in": ("!tier in {'web'}", [NONE, {"tier": "db"}], [WEB]),
    "an even number of nots": ("!!!!has(a)", [{"a": ""}], [NONE]),
    "an odd number of nots": ("!!!has(a)", [NONE], [{"a": ""}]),
    "letters have case": ("Tier == 'web'", [{"Tier": "web"}], [WEB]),
    "values are not trimmed": ("tier == ' web '", [{"tier": " web "}], [WEB]),
    "a backslash is a letter": (r"tier == '\'", [{"tier": "\\"}], [NONE]),
    "Kubernetes' own labels": (
        "kubernetes.io/os == 'linux'",
        [{"kubernetes.io/os": "linux"}],
        [{"kubernetes.io/os": "windows"}],
    ),
}


@pytest.mark.parametrize(("written", "canonical"), CANONICAL.values(), ids=list(CANONICAL))
def test_a_selector_is_returned_in_canonical_text(
    stage: Stage, written: str, canonical: str
) -> None:
    row = [
        pool("a", "10.0.0.0/24", nodeSelector=written).shows(nodeSelector=canonical),
        pool_shown("a").shows(nodeSelector=canonical),
        pool("b", "10.0.1.0/24", nodeSelector=canonical).shows(nodeSelector=canonical),
    ]
    play(stage, row)


@pytest.mark.parametrize(("written", "part"), MALFORMED.values(), ids=list(MALFORMED))
def test_what_is_no_selector_is_refused(stage: Stage, written: str, part: str) -> None:
    row = [
        pool("a", "10.0.0.0/24", nodeSelector=written).invalid("pool.node_selector", part),
        pool("a", "10.0.0.0/24", namespaceSelector=written).invalid(
            "pool.namespace_selector", part
        ),
    ]
    play(stage, row)


@pytest.mark.parametrize(("selector", "yes", "no"), MEANING.values(), ids=list(MEANING))
def test_a_node_selector_sees_the_labels_of_the_node(
    stage: Stage, selector: str, yes: list[Labels], no: list[Labels]
) -> None:
    row = [pool("a", "10.0.0.0/24", nodeSelector=selector)]
    for labels in yes:
        row += [node("n1", labels), assign(f"c{len(row)}", node="n1").inside("a")]
    for labels in no:
        refused = assign(f"c{len(row)}", node="n1").refused("NO_ELIGIBLE_POOL", "node selector")
        row += [node("n1", labels), refused]
    play(stage, row)


@pytest.mark.parametrize(("selector", "yes", "no"), MEANING.values(), ids=list(MEANING))
def test_a_namespace_selector_sees_the_labels_of_the_namespace(
    stage: Stage, selector: str, yes: list[Labels], no: list[Labels]
) -> None:
    row = [pool("a", "10.0.0.0/24", namespaceSelector=selector)]
    for labels in yes:
        row += [namespace("shop", labels), assign(f"c{len(row)}", namespace="shop").inside("a")]
    for labels in no:
        refused = assign(f"c{len(row)}", namespace="shop").refused(
            "NO_ELIGIBLE_POOL", "namespace selector"
        )
        row += [namespace("shop", labels), refused]
    play(stage, row)


def test_both_selectors_must_match(stage: Stage) -> None:
    row = [
        pool("a", "10.0.0.0/24", nodeSelector="has(gpu)", namespaceSelector="team == 'red'"),
        node("n1", gpu=""),
        node("n2"),
        namespace("red", team="red"),
        assign("c1", node="n1", namespace="red").inside("a"),
        assign("c2", node="n2", namespace="red").refused("NO_ELIGIBLE_POOL", "node selector"),
        assign("c3", node="n1", namespace="x").refused("NO_ELIGIBLE_POOL", "namespace selector"),
        assign("c4").refused("NO_ELIGIBLE_POOL", node="", namespace=""),
    ]
    play(stage, row)


def test_a_node_that_is_not_known_has_no_labels(stage: Stage) -> None:
    row = [
        pool("a", "10.0.0.0/24", nodeSelector="zone != 'east'"),
        pool("b", "10.0.1.0/24", nodeSelector="has(zone)"),
        assign("c1", node="stranger").inside("a"),
        node("stranger", zone="east"),
        assign("c2", node="stranger").inside("b"),
    ]
    play(stage, row)


def test_nodes_and_namespaces_may_have_a_thousand_labels(stage: Stage) -> None:
    labels = {f"l{at}": "x" for at in range(1024)}
    row = [
        pool("a", "10.0.0.0/24", nodeSelector="has(l0)", namespaceSelector="has(l1023)"),
        node("n1", labels),
        namespace("shop", labels),
        assign("c1", node="n1", namespace="shop").inside("a"),
    ]
    play(stage, row)


def test_a_pool_with_a_long_selector_can_be_changed(stage: Stage) -> None:
    row = [
        pool("a", "10.0.0.0/24", nodeSelector=CHAIN, namespaceSelector=CHAIN),
        pool_changed("a", priority=7).shows(priority=7),
        assign("c1", node="n1").inside("a"),
    ]
    play(stage, row)


def test_labels_count_from_the_next_request_on(stage: Stage) -> None:
    row = [
        pool("a", "10.0.0.0/24", nodeSelector="zone == 'east'"),
        node("n1", zone="east"),
        assign("c1", node="n1").inside("a").kept("held"),
        node("n1", zone="west"),
        assign("c2", node="n1").refused("NO_ELIGIBLE_POOL", 'node "n1"', node="n1"),
        assign("c1", node="n1").same_as("held"),
    ]
    play(stage, row)

"""The selector language: accepted spellings, answers, refusals and limits; not who uses it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_server.domain import selectors

CANONICAL = [
    # What everybody writes.
    ("", "all()"),
    (" \t ", "all()"),
    ("all()", "all()"),
    ("all( )", "all()"),
    ("global(\t)", "global()"),
    ("has(zone)", "has(zone)"),
    ("has( zone\t)", "has(zone)"),
    ('zone == "east"', 'zone == "east"'),
    ("  zone=='east'\t", 'zone == "east"'),
    ("zone!='east'", 'zone != "east"'),
    ('zone contains "a"', 'zone contains "a"'),
    ('zone starts with "ea"', 'zone starts with "ea"'),
    ('zone startswith "ea"', 'zone starts with "ea"'),
    ('zone starts \t with"ea"', 'zone starts with "ea"'),
    ('zone ends with "st"', 'zone ends with "st"'),
    ('zone endswith "st"', 'zone ends with "st"'),
    ('zone in {"east"}', 'zone in {"east"}'),
    ('zone not in {"east"}', 'zone not in {"east"}'),
    ('zone notin{"east"}', 'zone not in {"east"}'),
    ('zone not\t in {"east"}', 'zone not in {"east"}'),
    # Sets are sorted and lose repetitions; a last comma is welcome, and so is an empty set.
    ("zone in {'b','a'}", 'zone in {"a", "b"}'),
    ('zone in { "b" , "a" , "b" , }', 'zone in {"a", "b"}'),
    ("zone in {}", "zone in {}"),
    ("zone not in { }", "zone not in {}"),
    ("""zone in {"'", '"', ""}""", """zone in {"", '"', "'"}"""),
    ('zone in {"é", "z", "Z", "\U0001f6a2"}', 'zone in {"Z", "z", "é", "\U0001f6a2"}'),
    # Literals know no escapes; each kind of quote may hold the other.
    ("zone == ''", 'zone == ""'),
    ("zone == '\"'", "zone == '\"'"),
    ('zone == "it\'s"', 'zone == "it\'s"'),
    (r'zone == "a\"', r'zone == "a\"'),
    ("zone == ' a && b '", 'zone == " a && b "'),
    ('zone == "a\nb"', 'zone == "a\nb"'),
    # Labels, among them words that are operators elsewhere.
    ('topology.kubernetes.io/zone == "a"', 'topology.kubernetes.io/zone == "a"'),
    ("has(-_./09azAZ)", "has(-_./09azAZ)"),
    ('contains contains "contains"', 'contains contains "contains"'),
    ('label contains"x"', 'label contains "x"'),
    ('in in {"in"}', 'in in {"in"}'),
    ('not not in {"not"}', 'not not in {"not"}'),
    ('starts startswith "starts"', 'starts starts with "starts"'),
    ('has == "x"', 'has == "x"'),
    ('all == "x" && global == "y"', '(all == "x" && global == "y")'),
    ("has(has) && hash == 'x'", '(has(has) && hash == "x")'),
    # A run of ! collapses by parity, also through parentheses that group nothing.
    ("!has(a)", "!has(a)"),
    ("!!has(a)", "has(a)"),
    ("! !! has(a)", "!has(a)"),
    ("!(!has(a))", "has(a)"),
    ("!(!(!has(a)))", "!has(a)"),
    ('!a!="b"', '!a != "b"'),
    ('!(k == "v")', '!k == "v"'),
    ('!a in {"x"}', '!a in {"x"}'),
    # Precedence, and parentheses round chains only.
    ("((has(a)))", "has(a)"),
    ("has(a)&&has(b)", "(has(a) && has(b))"),
    ("has(a)||has(b)||has(c)", "(has(a) || has(b) || has(c))"),
    ("has(a) || has(b) && has(c)", "(has(a) || (has(b) && has(c)))"),
    ("has(a) && has(b) || has(c)", "((has(a) && has(b)) || has(c))"),
    ("(has(a) || has(b)) && has(c)", "((has(a) || has(b)) && has(c))"),
    ("has(a) && (has(b) && has(c))", "(has(a) && (has(b) && has(c)))"),
    ("!has(a) && has(b)", "(!has(a) && has(b))"),
    ("!(has(a) && has(b))", "!(has(a) && has(b))"),
    ("!!(has(a) && has(b))", "(has(a) && has(b))"),
]

ZONE = {"zone": "east"}
ANSWERS: list[tuple[str, dict[str, str], bool]] = [
    ("", {}, True),
    ("all()", ZONE, True),
    ("!all()", ZONE, False),
    ("global()", {}, True),
    ('zone == "east"', ZONE, True),
    ('zone == "east"', {"zone": "East"}, False),
    ('zone == "east"', {"Zone": "east"}, False),
    ('zone == ""', {"zone": ""}, True),
    ('zone != "west"', ZONE, True),
    ('zone != "east"', ZONE, False),
    ('zone contains "as"', ZONE, True),
    ('zone contains "es"', ZONE, False),
    ('zone contains ""', {"zone": ""}, True),
    ('zone starts with "ea"', ZONE, True),
    ('zone starts with "st"', ZONE, False),
    ('zone ends with "st"', ZONE, True),
    ('zone ends with "ea"', ZONE, False),
    ('zone in {"east", "west"}', ZONE, True),
    ('zone in {"north"}', ZONE, False),
    ('zone in {"eas"}', ZONE, False),
    ("zone in {}", ZONE, False),
    ('zone not in {"north"}', ZONE, True),
    ('zone not in {"east"}', ZONE, False),
    ("zone not in {}", ZONE, True),
    ("has(zone)", {"zone": ""}, True),
    # An absent label satisfies != and "not in", and nothing else.
    ('zone != "east"', {}, True),
    ('has(zone) && zone != "east"', {}, False),
    ('zone not in {"east"}', {}, True),
    ("zone not in {}", {}, True),
    ('zone == ""', {}, False),
    ('zone in {""}', {}, False),
    ("zone in {}", {}, False),
    ('zone contains ""', {}, False),
    ('zone starts with ""', {}, False),
    ('zone ends with ""', {}, False),
    ("has(zone)", {}, False),
    ('!zone == "east"', {}, True),
    ('!zone != "east"', {}, False),
    # ! binds to one operation, && before ||.
    ('!zone == "west" && has(gpu)', ZONE, False),
    ('!(zone == "west" && has(gpu))', ZONE, True),
    ("has(zone) || has(gpu) && has(ssd)", ZONE, True),
    ("(has(zone) || has(gpu)) && has(ssd)", ZONE, False),
    ("has(gpu) && has(ssd) || has(zone)", ZONE, True),
    ("!!has(zone)", ZONE, True),
    ("!!!has(zone)", ZONE, False),
    ("!(!has(zone))", ZONE, True),
    ("has(gpu) || has(ssd)", ZONE, False),
    ("has(zone) && has(zone) && has(zone)", ZONE, True),
]

CONDITION = "a label name, has(, all( or ("
OPERATOR = "an operator such as ==, != or in"
VALUE = 'zone == "east"'
SET = 'zone in {"east", "west"}'
GROUP = 'has(gpu) && (zone == "east" || zone == "west")'
REFUSED = [
    # A value must be a literal in quotes, and stands on the right.
    ("b == b", 6, "'b'", "a value in quotes", VALUE),
    ("b contains b", 12, "'b'", "a value in quotes", 'zone contains "east"'),
    ("b startswith b", 14, "'b'", "a value in quotes", 'zone starts with "east"'),
    ("b ends with", 12, "the end", "a value in quotes", 'zone ends with "east"'),
    ("a != ||", 6, "'||'", "a value in quotes", 'zone != "east"'),
    ('a == {"b"}', 6, "'{'", "a value in quotes", VALUE),
    ("'b' == b", 1, "\"'b'\"", CONDITION, VALUE),
    ('a == "b', 6, "'\"b'", 'a closing "', VALUE),
    ("a == 'b\"", 6, "'\\'b\"'", "a closing '", VALUE),
    ('a == "', 6, "'\"'", 'a closing "', VALUE),
    (r'a == "b\"c"', 10, "'c'", "&&, || or the end", GROUP),
    # Operators.
    ("b", 2, "the end", OPERATOR, VALUE),
    ("b ", 3, "the end", OPERATOR, VALUE),
    ("a b", 3, "'b'", OPERATOR, VALUE),
    ('a = "b"', 3, "'='", OPERATOR, VALUE),
    ('a === "b"', 5, "'='", "a value in quotes", VALUE),
    ('a ! = "b"', 3, "'!'", OPERATOR, VALUE),
    ('!= "b"', 1, "'!='", CONDITION, VALUE),
    ('label inf "x"', 7, "'inf'", OPERATOR, VALUE),
    ('label contains/x "x"', 7, "'contains/x'", OPERATOR, VALUE),
    ('label starts foo "x"', 7, "'starts'", OPERATOR, VALUE),
    ('label ends withx "x"', 7, "'ends'", OPERATOR, VALUE),
    ('label not "x"', 7, "'not'", OPERATOR, VALUE),
    ('label IN {"x"}', 7, "'IN'", OPERATOR, VALUE),
    ('label\n== "x"', 6, r"'\n'", OPERATOR, VALUE),
    ('label not\nin {"x"}', 7, "'not'", OPERATOR, VALUE),
    # Sets.
    ('a in "b"', 6, "'\"b\"'", "a set in braces", SET),
    ('a in ("b")', 6, "'('", "a set in braces", SET),
    ("a not in", 9, "the end", "a set in braces", SET),
    ("a in {b}", 7, "'b'", "a value in quotes or }", SET),
    ("a in {,}", 7, "','", "a value in quotes or }", SET),
    ('a in {"b",,}', 11, "','", "a value in quotes or }", SET),
    ('a in {"b" "c"}', 11, "'\"c\"'", "a comma or }", SET),
    ('a in {"b"', 10, "the end", "a comma or }", SET),
    ('a in {"b", "c', 12, "'\"c'", 'a closing "', SET),
    # has(), all() and global() are written without a blank before the parenthesis.
    ("has (x)", 5, "'('", OPERATOR, "has(gpu)"),
    ("all ()", 5, "'('", OPERATOR, "all()"),
    ("global ()", 8, "'('", OPERATOR, "global()"),
    ("has()", 5, "')'", "a label name", VALUE),
    ("has('x')", 5, "\"'x'\"", "a label name", VALUE),
    ("has(x y)", 7, "'y'", ")", "has(gpu)"),
    ("all(x)", 5, "'x'", ")", "all()"),
    ("global(", 8, "the end", ")", "global()"),
    # Joining and grouping.
    ("!", 2, "the end", CONDITION, VALUE),
    ("()", 2, "')'", CONDITION, VALUE),
    (")", 1, "')'", CONDITION, VALUE),
    ("%", 1, "'%'", CONDITION, VALUE),
    ("\n", 1, r"'\n'", CONDITION, VALUE),
    ("zoné == 'x'", 4, "'é'", OPERATOR, VALUE),
    ("has(a) &&", 10, "the end", CONDITION, VALUE),
    ("has(a) & has(b)", 8, "'&'", "&&, || or the end", GROUP),
    ("has(a) | has(b)", 8, "'|'", "&&, || or the end", GROUP),
    ("has(a) and has(b)", 8, "'and'", "&&, || or the end", GROUP),
    ("has(a) !has(b)", 8, "'!'", "&&, || or the end", GROUP),
    ("has(a))", 7, "')'", "&&, || or the end", GROUP),
    ("(has(a)", 8, "the end", "&&, || or )", GROUP),
    ("(has(a) has(b))", 9, "'has'", "&&, || or )", GROUP),
    ("has(a) && abcdefghijklmnopqrstuvwxyz", 37, "the end", OPERATOR, VALUE),
    (
        "has(a) abcdefghijklmnopqrstuvwxyz",
        8,
        "'abcdefghijklmnopqrst...'",
        "&&, || or the end",
        GROUP,
    ),
    # Limits.
    (f"has({'a' * 513})", 5, "a label name of 513 characters", "at most 512", VALUE),
    (f"{'a' * 513} == 'x'", 1, "a label name of 513 characters", "at most 512", VALUE),
    (" " * 1025, 1025, "1025 characters", "at most 1024", SET),
    (f"a == '{'x' * 1018}'", 1025, "1025 characters", "at most 1024", SET),
    (f"{'(' * 9}has(a){')' * 9}", 9, "'('", "at most 8 open parentheses", GROUP),
]


@pytest.mark.parametrize(("text", "canonical"), CANONICAL)
def test_an_accepted_spelling_has_one_canonical_text(text: str, canonical: str) -> None:
    assert selectors.parse(text).canonical == canonical
    assert selectors.parse(canonical).canonical == canonical


@pytest.mark.parametrize(("text", "labels", "expected"), ANSWERS)
def test_a_selector_answers_for_labels(text: str, labels: dict[str, str], expected: bool) -> None:
    assert selectors.parse(text).matches(labels) is expected


@pytest.mark.parametrize(("text", "position", "found", "expected", "example"), REFUSED)
def test_a_refusal_says_where_what_and_how_to_write_it(
    text: str, position: int, found: str, expected: str, example: str
) -> None:
    with pytest.raises(selectors.SelectorError) as refusal:
        selectors.parse(text)
    assert str(refusal.value) == (
        f"bad selector at character {position}: found {found}, expected {expected}; "
        f"write it like {example}"
    )


@pytest.mark.parametrize("example", sorted({row[4] for row in REFUSED}))
def test_every_example_in_a_refusal_is_accepted(example: str) -> None:
    assert selectors.parse(example).canonical.strip("()") == example.strip("()")


def test_a_refusal_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="at character 1:"):
        selectors.parse("&&")


def test_selectors_are_equal_and_hash_alike_when_their_canonical_texts_are_equal() -> None:
    one, same = selectors.parse("a in {'y','x'}"), selectors.parse('(a in {"x","y",})')
    assert one == same
    assert hash(one) == hash(same)
    assert len({one, same, selectors.parse('a not in {"x", "y"}')}) == 2


def test_a_selector_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        selectors.parse("all()").canonical = "global()"  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize("text", ["global()", "!global()", "has(a) && (global( ) || all())"])
def test_global_is_reported_wherever_it_stands(text: str) -> None:
    assert selectors.parse(text).uses_global


@pytest.mark.parametrize("text", ["", "all()", 'global == "x"', 'a == "global()"', "has(global)"])
def test_the_word_global_alone_is_not_global(text: str) -> None:
    assert not selectors.parse(text).uses_global


@pytest.mark.parametrize(
    "text",
    [
        " " * 1024,
        f"{' ' * 1018}all()",
        f"a == '{'x' * 1017}'",
        f"has({'a' * 512})",
        f"{'(' * 8}has(a){')' * 8}",
        f"{'!' * 1018}has(a)",
        f"{'!(' * 8}has(a){')' * 8}",
        "&&".join(["(((((((has(a)||has(b))))))))"] * 20),
    ],
)
def test_text_at_a_limit_is_accepted_and_stays_so_in_canonical_form(text: str) -> None:
    selector = selectors.parse(text)
    assert selectors.parse(selector.canonical) == selector


OUTGROWING = [
    "a in {" + ",".join(f'"n{at}"' for at in range(150)) + "}",
    "&&".join(f'a!="{at}"' for at in range(100)),
    'a=="' + "b" * 1019 + '"',
    'a=="' + " (" * 509 + '!"',
    "&&".join(["!(has(a)||b in{})"] * 51),
    "||".join(['a==""&&a==""'] * 73),
    "||".join(["has(a)&&has(b)"] * 64),
]


@pytest.mark.parametrize("text", OUTGROWING)
def test_canonical_text_may_outgrow_the_limit(text: str) -> None:
    selector = selectors.parse(text)
    assert len(text) <= selectors.TEXT_LIMIT < len(selector.canonical)
    assert selectors.parse(selector.canonical).canonical == selector.canonical


@pytest.mark.parametrize("text", OUTGROWING)
def test_only_what_a_short_text_stands_for_outgrows_the_limit(text: str) -> None:
    canonical = selectors.parse(text).canonical
    for longer in (f"{canonical} ", f"!!{canonical}", f"{canonical} && {canonical}"):
        with pytest.raises(selectors.SelectorError, match="expected at most 1024"):
            selectors.parse(longer)


def test_what_no_text_within_the_limit_stands_for_is_over_it_in_canonical_form_too() -> None:
    longest = " || ".join(["has(a)"] * 128)
    assert len(selectors.parse(longest.replace(" ", "")).canonical) > 1024
    selectors.parse(f"({longest})")
    with pytest.raises(selectors.SelectorError, match="expected at most 1024"):
        selectors.parse(f"({longest} || has(a))")


def test_implied_parentheses_and_negations_count_towards_the_depth_of_canonical_text() -> None:
    inner = "has(a)"
    for _ in range(4):
        inner = f"!(has(b) && {inner})"
    assert selectors.parse(inner).canonical == inner
    for deeper in (f"!(has(b) && {inner})", f"has(b) && {inner}"):
        with pytest.raises(selectors.SelectorError, match=r"takes \d+ levels of nesting in canon"):
            selectors.parse(deeper)


@pytest.mark.parametrize("piece", ["(", "!(", "!", "has(", "a==''&&(", "!has(a)||!(", "a in{", '"'])
def test_endless_repetition_is_refused_without_a_recursion_error(piece: str) -> None:
    with pytest.raises(selectors.SelectorError):
        selectors.parse((piece * 1024)[:1024])
    with pytest.raises(selectors.SelectorError):
        selectors.parse(piece * 100_000)


# A second, naive reading of the language, to hold the module against.


@dataclass(frozen=True)
class Tree:
    """A term (`sign` over label and values), a negation `!`, or a chain `&&` or `||`."""

    sign: str
    label: str = ""
    values: tuple[str, ...] = ()
    operands: tuple["Tree", ...] = ()


def quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def canonical(tree: Tree) -> str:
    parts = [canonical(operand) for operand in tree.operands]
    items = [quoted(value) for value in sorted(set(tree.values))]
    match tree.sign:
        case "!":
            return parts[0][1:] if parts[0].startswith("!") else f"!{parts[0]}"
        case "&&" | "||":
            return f"({f' {tree.sign} '.join(parts)})"
        case "has" | "all" | "global":
            return f"{tree.sign}({tree.label})"
        case "in" | "not in":
            return f"{tree.label} {tree.sign} {{{', '.join(items)}}}"
        case _:
            return f"{tree.label} {tree.sign} {items[0]}"


def holds(tree: Tree, labels: Mapping[str, str]) -> bool:
    value = labels.get(tree.label)
    answers = [holds(operand, labels) for operand in tree.operands]
    compound = {"!": not any(answers), "&&": all(answers), "||": any(answers)}
    if tree.sign in compound:
        return compound[tree.sign]
    if tree.sign in {"all", "global"}:
        return True
    if value is None:
        return tree.sign in {"!=", "not in"}
    wanted = re.escape(tree.values[0]) if tree.values else ""
    patterns = {
        "==": wanted,
        "contains": f".*{wanted}.*",
        "starts with": f"{wanted}.*",
        "ends with": f".*{wanted}",
        "has": ".*",
        "in": "|".join(["(?!)", *map(re.escape, tree.values)]),
    }
    if tree.sign in patterns:
        return re.fullmatch(patterns[tree.sign], value, re.DOTALL) is not None
    return not holds(replace(tree, sign={"!=": "==", "not in": "in"}[tree.sign]), labels)


def written(tree: Tree, draw: Callable[[st.SearchStrategy[str]], str]) -> str:
    """The tree in one of its many spellings: blanks, quotes, superfluous parentheses."""
    blank = draw(st.sampled_from(["", " ", "\t "]))
    parts = [f"{blank}{written(operand, draw)}{blank}" for operand in tree.operands]
    items = [f"{blank}{draw(spellings_of(value))}{blank}" for value in tree.values]
    sign = draw(st.sampled_from([tree.sign, tree.sign.replace(" ", blank)]))
    match tree.sign:
        case "!":
            return f"!{blank}({parts[0]})"
        case "&&" | "||":
            return f"({tree.sign.join(parts)})"
        case "has" | "all" | "global":
            return f"{sign}({blank}{tree.label}{blank})"
        case "in" | "not in":
            return f"{tree.label} {sign}{blank}{{{','.join(items)}}}"
        case _:
            return f"{tree.label} {sign}{items[0]}"


def spellings_of(value: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{quote}{value}{quote}" for quote in "'\"" if quote not in value])


LABELS = st.sampled_from(["a", "b", "in", "has", "kubernetes.io/x-y_z"])
VALUES = st.sampled_from(["", "x", "xy", "yx", "it's", 'say "x"', "é\n", "&&"])
COMPARED = st.builds(
    Tree,
    sign=st.sampled_from(["==", "!=", "contains", "starts with", "ends with"]),
    label=LABELS,
    values=st.tuples(VALUES),
)
MEMBER = st.builds(
    Tree,
    sign=st.sampled_from(["in", "not in"]),
    label=LABELS,
    values=st.lists(VALUES, max_size=4).map(tuple),
)
CALLED = st.builds(Tree, sign=st.just("has"), label=LABELS) | st.builds(
    Tree, sign=st.sampled_from(["all", "global"])
)


def compounds(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    pair, single = st.tuples(inner, inner), st.tuples(inner)
    chain = st.builds(Tree, sign=st.sampled_from(["&&", "||"]), operands=pair)
    return chain | st.builds(Tree, sign=st.just("!"), operands=single)


TERMS = COMPARED | MEMBER | CALLED
# Three levels of pairs: eight of the longest terms stay below the limit of the text.
TREES = TERMS | compounds(TERMS | compounds(TERMS | compounds(TERMS)))
LABEL_SETS = st.dictionaries(LABELS, VALUES)
TOKENS = ["a", "in", "not", "has(", "all()", "(", ")", "{", "}", ",", "!", "==", "!=", "&&", "||"]
STRAYS = ['"x"', "'", '"', " ", "\t", "\n", "=", "é", "startswith", "ends with", "\ud800", "\x00"]
PIECES = st.sampled_from([*TOKENS, *STRAYS])
QUICK = settings(max_examples=200, deadline=None)


@QUICK
@given(tree=TREES, labels=LABEL_SETS, data=st.data())
def test_every_spelling_of_a_tree_has_its_canonical_text_and_its_answer(
    tree: Tree, labels: dict[str, str], data: st.DataObject
) -> None:
    selector = selectors.parse(written(tree, data.draw))
    assert selector.canonical == canonical(tree)
    assert selector.matches(labels) is holds(tree, labels)


@QUICK
@given(tree=TREES, labels=LABEL_SETS)
def test_canonical_text_is_parsed_to_itself_and_answers_alike(
    tree: Tree, labels: dict[str, str]
) -> None:
    selector = selectors.parse(canonical(tree))
    again = selectors.parse(selector.canonical)
    assert (again, again.canonical) == (selector, selector.canonical)
    assert again.matches(labels) is selector.matches(labels)
    assert again.uses_global is selector.uses_global


@QUICK
@given(text=st.text(max_size=1100) | st.lists(PIECES, max_size=60).map("".join))
def test_any_text_is_a_selector_or_a_selector_error_that_points_into_it(text: str) -> None:
    try:
        selector = selectors.parse(text)
    except selectors.SelectorError as refusal:
        position = re.match(r"bad selector at character (\d+): found .+, expected ", str(refusal))
        assert position is not None
        assert 1 <= int(position[1]) <= len(text) + 1
    else:
        assert selectors.parse(selector.canonical) == selector

"""YAML from outside, read strictly and within bounds; what it means is for the callers."""

import yaml

# Numbers: of as many bits as any that is meant. What is much larger cannot even be shown.
LARGEST_NUMBER = 64
# How many keys the mappings of a document may take over from others, with "<<": each level
# multiplies them.
MOST_MERGED = 10_000

_MERGE = "tag:yaml.org,2002:merge"
# What the constructors raise for "!!int x", "2020-13-99" and the like.
_NO_VALUE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Bounded(yaml.constructor.SafeConstructor):
    """Builds values of which every one that cannot be is refused where it stands."""

    _merged = 0  # keys, in this document
    _flat: "dict[yaml.Node, bool]"  # mappings: whether they are flat, or are being made so

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """Return the value of a node; raises YAMLError."""
        try:
            value: object = super().construct_object(node, deep)
        except _NO_VALUE as error:
            raise _refusal(f"not a value of {node.tag.rpartition(':')[2]}", node) from error
        if type(value) is int and value.bit_length() > LARGEST_NUMBER:
            raise _refusal("a number that is too large", node)
        return value

    def construct_document(self, node: yaml.Node) -> object:
        """Return the value of a document; raises YAMLError."""
        self._merged, self._flat = 0, {}
        try:
            value: object = super().construct_document(node)
        except _NO_VALUE as error:  # of what is built last, such as a set
            raise _refusal("not a value", node) from error
        return value

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Take over what "<<" names, once; raises YAMLError where that is out of all proportion."""
        if node in self._flat:
            if not self._flat[node]:
                raise _refusal("a mapping that is merged into itself", node)
            return
        self._flat[node] = False
        for key, value in node.value:
            if key.tag == _MERGE:
                self._bound_merge(value)
        super().flatten_mapping(node)
        self._flat[node] = True

    def _bound_merge(self, value: yaml.Node) -> None:
        merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
        for each in merged:
            if isinstance(each, yaml.MappingNode):
                self.flatten_mapping(each)
                self._merged += len(each.value)
                if self._merged > MOST_MERGED:
                    raise _refusal(f"more than {MOST_MERGED} keys are merged", value)


class _Loader(Bounded, yaml.SafeLoader):
    pass


def decode(text: str) -> object:
    """Decode one document.

    Raises:
        ValueError: not YAML, or out of bounds; quotes nothing of it, as it may be secret.
    """
    try:
        value: object = yaml.load(text, _Loader)  # noqa: S506 - a safe one
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("not YAML") from error
    return value


def _refusal(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

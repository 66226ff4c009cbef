"""Dataclasses <-> JSON: what is written is read back, and what was damaged is one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from planner.base.codec import INLINE, SPARSE, codec_of, decode, encode
from planner.base.errors import InputError, LawFileError
from planner.base.file_format import FileFormat, content_hash
from planner.base.place import Place


class Upper:
    """Stored in capitals."""

    def encode(self, value: str, place: Place) -> str:
        return value.upper()

    def decode(self, content: Any, place: Place) -> str:
        if not isinstance(content, str):
            raise place.wrong("a text in capitals", content)
        return content.lower()


@dataclass(frozen=True)
class Leaf:
    number: float
    count: int = 0

    def __post_init__(self) -> None:
        if self.count < 0:
            raise InputError("count: expected 0 or more")


@dataclass(frozen=True)
class Tree:
    DERIVED: ClassVar[tuple[str, ...]] = ("leaves",)

    text: str
    flag: bool
    leaf: Leaf
    pair: tuple[float, str]
    row: tuple[Leaf, ...]
    named: Mapping[str, Leaf]
    kind: Literal["oak", "elm"]
    maybe: float | None
    either: int | str
    free: Any
    loud: Annotated[str, Upper()]
    array: NDArray[np.float64] | float
    children: tuple[Tree, ...] = ()
    late: int = field(default=7, metadata=SPARSE)
    rest: Mapping[str, float] = field(default_factory=dict, metadata=INLINE)

    @property
    def leaves(self) -> int:
        return 1 + len(self.row) + len(self.named)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.builds(Leaf, FINITE, st.integers(0, 2**63 - 1))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PLAIN_TREES = st.builds(
    Tree,
    text=st.text(),
    flag=st.booleans(),
    leaf=LEAVES,
    pair=st.tuples(FINITE, st.text()),
    row=st.lists(LEAVES, max_size=3).map(tuple),
    named=st.dictionaries(st.text(), LEAVES, max_size=3),
    kind=st.sampled_from(["oak", "elm"]),
    maybe=st.none() | FINITE,
    either=st.integers(-(2**63) + 1, 2**63 - 1) | st.text(),
    free=JSON,
    loud=st.sampled_from(["a", "bc"]),
    array=FINITE,
    late=st.integers(0, 9),
    rest=st.dictionaries(st.sampled_from(["x", "y"]), FINITE),
)
TREES = PLAIN_TREES | st.builds(
    lambda tree, children: Tree(**{**vars(tree), "children": tuple(children)}),
    PLAIN_TREES,
    st.lists(PLAIN_TREES, max_size=2),
)

TREE = FileFormat("vlm-planner tree", 3, Tree, "a tree", "vlm-planner grow -o", hashed="sha256")


def one_tree(**changes: Any) -> Tree:
    values: dict[str, Any] = {
        "text": "a",
        "flag": True,
        "leaf": Leaf(1.5, 2),
        "pair": (1.0, "b"),
        "row": (Leaf(0.1),),
        "named": {"c": Leaf(2.0)},
        "kind": "elm",
        "maybe": None,
        "either": 3,
        "free": {"d": [1, None]},
        "loud": "e",
        "array": np.array([[1.0, 2.0], [3.0, 4.0]]),
    }
    return Tree(**(values | changes))


@given(TREES)
def test_any_value_survives_json(tree: Tree) -> None:
    assert decode(Tree, json.loads(json.dumps(encode(tree), allow_nan=False))) == tree


@given(TREES)
def test_any_file_survives(tree: Tree) -> None:
    assert TREE.from_dict(json.loads(json.dumps(TREE.to_dict(tree), allow_nan=False))) == tree


def test_what_a_file_holds() -> None:
    content = encode(one_tree(rest={"x": 1.0}))
    assert content == {
        "leaves": 3,
        "text": "a",
        "flag": True,
        "leaf": {"number": 1.5, "count": 2},
        "pair": [1.0, "b"],
        "row": [{"number": 0.1, "count": 0}],
        "named": {"c": {"number": 2.0, "count": 0}},
        "kind": "elm",
        "maybe": None,
        "either": 3,
        "free": {"d": [1, None]},
        "loud": "E",
        "array": [[1.0, 2.0], [3.0, 4.0]],
        "children": [],
        "x": 1.0,
    }
    assert encode(one_tree(late=8))["late"] == 8


def test_arrays_keep_their_axes() -> None:
    again = decode(Tree, encode(one_tree()))
    assert isinstance(again.array, np.ndarray)
    np.testing.assert_array_equal(again.array, [[1.0, 2.0], [3.0, 4.0]])


def test_numbers_of_numpy_are_numbers() -> None:
    content = encode(one_tree(maybe=np.float32(0.5), either=np.int64(4), flag=np.bool_(True), free=np.arange(2)))
    assert json.loads(json.dumps(content)) == content
    assert (content["maybe"], content["either"], content["flag"], content["free"]) == (0.5, 4, True, [0, 1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": 1}, "text: expected a text, got 1"),
        ({"flag": 1}, "flag: expected true or false, got 1"),
        ({"flag": None}, "flag: expected true or false, got None"),
        ({"leaf": []}, "leaf: expected an object, got []"),
        ({"leaf": {"count": 0}}, "leaf.number is missing"),
        ({"leaf": {"number": True, "count": 0}}, "leaf.number: expected a number, got True"),
        ({"leaf": {"number": "1", "count": 0}}, "leaf.number: expected a number, got '1'"),
        ({"leaf": {"number": float("nan"), "count": 0}}, "leaf.number: expected a finite number, got nan"),
        ({"leaf": {"number": 10**400, "count": 0}}, "leaf.number: expected a finite number, got 1000"),
        ({"leaf": {"number": 1, "count": 1.5}}, "leaf.count: expected a whole number, got 1.5"),
        ({"leaf": {"number": 1, "count": True}}, "leaf.count: expected a whole number, got True"),
        ({"leaf": {"number": 1, "count": 2**63}}, "leaf.count: expected a whole number of 64 bits, got 9223372"),
        ({"leaf": {"number": 1, "count": -1}}, "leaf: count: expected 0 or more"),
        ({"leaf": {"number": 1, "count": 1, "\x1b": 0}}, r"leaf.\x1b is no entry that this vlm-planner knows"),
        ({"pair": [1.0]}, "pair: expected a list of 2, got [1.0]"),
        ({"pair": [1.0, 2]}, "pair[1]: expected a text, got 2"),
        ({"row": {}}, "row: expected a list, got {}"),
        ({"row": [{"number": 1, "count": 0}, 7]}, "row[1]: expected an object, got 7"),
        ({"named": []}, "named: expected an object, got []"),
        ({"named": {"c": {"number": None, "count": 0}}}, "named.c.number: expected a number, got None"),
        ({"kind": "ash"}, "kind: expected 'oak' or 'elm', got 'ash'"),
        ({"maybe": "x"}, "maybe: expected a number or null, got 'x'"),
        ({"either": 1.5}, "either: expected a whole number or a text, got 1.5"),
        ({"loud": 3}, "loud: expected a text in capitals, got 3"),
        ({"array": [1.0, None]}, "array: expected a list of numbers or a number, got [1.0, None]"),
        ({"array": [[1.0], [1.0, 2.0]]}, "array: expected a list of numbers or a number, got [[1.0], [1.0, 2.0]]"),
        ({"free": {"x": float("inf")}}, "free.x: expected what JSON can hold, got inf"),
        ({"children": [{}]}, "children[0].text is missing"),
        ({"more": "x"}, "more: expected a number, got 'x'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_sentence_with_its_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(LawFileError) as caught:
        decode(Tree, encode(one_tree()) | change, Place("my.json", "fit it again", LawFileError))
    assert str(caught.value).startswith(f"my.json is damaged: {said}")
    assert str(caught.value).endswith("; fit it again")


def test_a_file_that_people_write_is_wrong_rather_than_damaged() -> None:
    with pytest.raises(InputError) as caught:
        decode(Leaf, {"number": "x", "count": 0}, Place("card.json", advice="", by_hand=True))
    assert str(caught.value) == "card.json: number: expected a number, got 'x'"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"maybe": float("nan")}, "maybe: expected a number or null, got nan"),
        ({"array": np.array([np.inf])}, "array: expected a list of numbers or a number"),
        ({"free": {1: 2}}, "free: expected texts for keys, got 1"),
        ({"free": object()}, "free: expected what JSON can hold, got <object object"),
        ({"leaf": None}, "leaf: expected a Leaf, got None"),
        ({"rest": {"text": 1.0}}, "text is a field of Tree, expected another name"),
    ],
    ids=["nan", "array", "key", "object", "none", "field"],
)
def test_what_no_file_can_hold_is_not_written(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match="is damaged: ") as caught:
        encode(one_tree(**change), "the tree")
    assert str(caught.value).startswith(f"the tree is damaged: {said}")


@pytest.mark.parametrize("hint", [set[int], bytes, dict[int, str], complex])
def test_a_type_that_no_file_can_hold_is_our_mistake(hint: Any) -> None:
    with pytest.raises(TypeError):
        codec_of(hint)


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_back(tmp_path: Path) -> None:
    tree = one_tree(array=1.0)
    assert TREE.read(TREE.write(tmp_path / "tree.json", tree)) == tree


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], 'x.json is not a tree: expected "format": "vlm-planner tree", as vlm-planner grow -o writes it'),
        ({}, "x.json is not a tree: "),
        ({"format": "vlm-planner law"}, "x.json is not a tree: its format is 'vlm-planner law', expected 'vlm-pl"),
        ({"format": "vlm-planner tree"}, "x.json is damaged: format_version: expected a whole number from 1 on, got"),
        ({"format": "vlm-planner tree", "format_version": True}, "x.json is damaged: format_version: expected a who"),
        ({"format": "vlm-planner tree", "format_version": 0}, "x.json is damaged: format_version: expected a whole"),
        (
            {"format": "vlm-planner tree", "format_version": 4},
            "x.json has format version 4, this vlm-planner reads up to 3: update vlm-planner",
        ),
        (TREE.to_dict(one_tree()) | {"text": "b"}, "x.json was changed after it was made: its content does not match"),
        (TREE.to_dict(one_tree()) | {"sha256": "0"}, "x.json was changed after it was made"),
        (TREE.to_dict(one_tree()) | {"more": object()}, "x.json was changed after it was made"),
    ],
)
def test_the_head_of_a_file(content: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        TREE.from_dict(content, "x.json")
    assert str(caught.value).startswith(said)


def test_old_versions_are_upgraded_step_by_step() -> None:
    old = FileFormat("leaf", 3, Leaf, "a leaf", "grow", upgrades={1: _number_from_size, 2: _count_from_number})
    assert old.from_dict({"format": "leaf", "format_version": 1, "size": 3.0}) == Leaf(3.0, 3)
    assert old.from_dict({"format": "leaf", "format_version": 2, "number": 4.0}) == Leaf(4.0, 4)
    assert old.from_dict({"format": "leaf", "format_version": 3, "number": 4.0, "count": 1}) == Leaf(4.0, 1)
    with pytest.raises(InputError, match=r"^the leaf is damaged: 'size' is not what version 1 wrote; make it again "):
        old.from_dict({"format": "leaf", "format_version": 1})


def _number_from_size(content: dict[str, Any], place: Place) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "size"} | {"number": content["size"]}


def _count_from_number(content: dict[str, Any], place: Place) -> dict[str, Any]:
    return content | {"count": int(content["number"])}


def test_a_file_in_a_file_is_checked_as_one() -> None:
    nested = FileFormat("outer", 1, Outer, "an outer", "make")
    content = nested.to_dict(Outer(Leaf(1.0)))
    assert content["inner"] == {"format": "leaf", "format_version": 1, "twice": 2.0, "number": 1.0, "count": 0}
    assert nested.from_dict(content) == Outer(Leaf(1.0))
    with pytest.raises(InputError, match=r"^o\.json: inner has format version 2, this vlm-planner reads up to 1"):
        nested.from_dict(content | {"inner": content["inner"] | {"format_version": 2}}, "o.json")


INNER = FileFormat("leaf", 1, Leaf, "a leaf", "grow", derived={"twice": lambda leaf: 2 * leaf.number})


@dataclass(frozen=True)
class Outer:
    inner: Annotated[Leaf, INNER]


def test_the_hash_does_not_depend_on_the_order() -> None:
    assert content_hash({"a": 1, "b": 2, "h": 0}, "h") == content_hash({"b": 2, "a": 1}, "h")
    assert content_hash({"a": 1}, "h") != content_hash({"a": 2}, "h")

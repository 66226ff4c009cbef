"""FileFormat: a kind of file that we write, with its name and version, and how older versions stay readable."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Generic, TypeVar

from planner.base.codec import codec_of
from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.files import file_text, read_json, write_text
from planner.base.place import Place
from planner.base.quantities import shown
from planner.base.result import above
from planner.base.suffix import has_suffix, wrong_suffix

T = TypeVar("T")

Upgrade = Callable[[dict[str, Any], Place], dict[str, Any]]
"""The content of a file as the next version would have written it. Raises InputError, by its place."""

SUFFIX = ".json"
FORMAT, VERSION = "format", "format_version"


@dataclass(frozen=True, eq=False)
class FileFormat(Generic[T]):
    """One kind of JSON file, and what it holds.

    A file opens with `format` and `format_version`. One of an earlier version is upgraded step by step before it is
    read; of a newer one is said that vlm-planner must be updated. It may stand in another file as a part of it: as a
    field of type `Annotated[X, format]`.
    """

    name: str
    """What the file says of itself: "vlm-planner plan"."""
    version: int
    """That this code writes."""
    cls: type[T]
    """What it holds."""
    what: str
    """In messages, with its article: "a plan"."""
    written_by: str
    """The command that writes one: "vlm-planner plan -o"."""
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)
    """Version -> how a file of that version becomes one of the next."""
    derived: Mapping[str, Callable[[T], Any]] = field(default_factory=dict)
    """Entries that are written for whoever reads the file, in plain JSON types; passed over when it is read."""
    hashed: str = ""
    """The entry that holds the SHA-256 of all others; "" where there is none."""
    error: type[InputError] = InputError
    """What is raised for a file that cannot be used."""
    advice: str = ""
    """What to do about a damaged file; by default to make it again."""
    by_hand: bool = False
    """Whether people write such files: the head may be left out, and what is wrong is theirs to mend."""

    @property
    def expected(self) -> str:
        """What a reader of such files wants: "a plan that vlm-planner plan -o wrote"."""
        if self.by_hand:
            return f"{self.what}; {self.written_by} writes one"
        return f"{self.what} that {self.written_by} wrote"

    def place(self, origin: str) -> Place:
        """The top of a file of that name."""
        if self.by_hand:
            return Place(origin, self.advice, self.error, by_hand=True)
        return Place(origin, self.advice or f"make it again with {self.written_by}", self.error)

    def to_dict(self, thing: T) -> dict[str, Any]:
        """All that the file holds, as plain JSON types. Raises InputError for a number that is not finite."""
        content = {FORMAT: self.name, VERSION: self.version}
        content |= {name: of(thing) for name, of in self.derived.items()}
        content |= codec_of(self.cls).encode(thing, Place(self.what, advice=""))
        if self.hashed:
            content[self.hashed] = content_hash(content, self.hashed)
        return content

    def from_dict(self, content: Any, origin: str = "") -> T:
        """What `to_dict` was given.

        Args:
            content: the dictionary.
            origin: how an error names it.

        Raises:
            InputError: it is of another kind or a newer version, was changed after it was made, or is damaged; of the
                format's own class.
        """
        name = self.what.partition(" ")[2]
        return self._decoded(content, self.place(origin or f"the {name}"))

    def _decoded(self, content: Any, place: Place) -> T:
        current = self._upgraded(self._checked(content, place), place)
        passed_over = {FORMAT, VERSION, self.hashed, *self.derived}
        found: T = codec_of(self.cls).decode({k: v for k, v in current.items() if k not in passed_over}, place)
        return found

    def read(self, path: str | os.PathLike[str]) -> T:
        """The content of a file. Raises InputError, of the format's own class."""
        content = read_json(path, self.expected, self.error)
        return self.from_dict(content, file_name(path))

    def write(self, path: str | os.PathLike[str], thing: T, *, overwrite: bool = False) -> Path:
        """Write a file atomically, numbers at full precision.

        Raises:
            OutputExistsError: it exists and `overwrite` is false.
            InputError: a suffix that is not .json, or it cannot be written.
        """
        check_json_name(self.what, path)
        return write_text(path, file_text(self.to_dict(thing)), overwrite=overwrite)

    def encode(self, value: T, place: Place) -> dict[str, Any]:
        """As a part of another file."""
        if not isinstance(value, self.cls):
            raise place.wrong(f"a {self.cls.__name__}", value)
        return self.to_dict(value)

    def decode(self, content: Any, place: Place) -> T:
        """As a part of another file. Raises InputError."""
        if not isinstance(content, Mapping):
            raise place.wrong("an object", content)
        return self._decoded(content, place)

    def speaks_of(self, content: Any) -> bool:
        """Whether a dictionary says that it is of this format."""
        return isinstance(content, Mapping) and content.get(FORMAT) == self.name

    def _checked(self, content: Any, place: Place) -> dict[str, Any]:
        """The content, if its head is one that this code reads, and its hash is right."""
        here = f"{place.origin}: {place.path}" if place.path else place.origin
        if self.by_hand:
            if not isinstance(content, Mapping):
                raise place.error(f"{here} is not {self.what}: expected an object, got {shown(content)}")
            content = {FORMAT: self.name, VERSION: self.version, **content}
        if not isinstance(content, Mapping) or FORMAT not in content:
            raise place.error(f'{here} is not {self.what}: expected "{FORMAT}": "{self.name}", {self._made_by()}')
        if content[FORMAT] != self.name:
            raise place.error(
                f"{here} is not {self.what}: its format is {shown(content[FORMAT])}, expected {self.name!r}, "
                f"{self._made_by()}"
            )
        version = content.get(VERSION)
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise place.at(VERSION).wrong("a whole number from 1 on", version)
        if version > self.version:
            raise place.error(
                f"{here} has format version {shown(version)}, this vlm-planner reads up to {self.version}: "
                "update vlm-planner"
            )
        if self.hashed and content.get(self.hashed) != _hash_or_none(content, self.hashed):
            raise place.error(
                f"{here} was changed after it was made: its content does not match its {self.hashed}; {place.advice}"
            )
        return dict(content)

    def _upgraded(self, content: dict[str, Any], place: Place) -> dict[str, Any]:
        for version in range(content[VERSION], self.version):
            try:
                content = self.upgrades[version](content, place) | {VERSION: version + 1}
            except InputError as error:
                if place.origin in str(error):
                    raise
                raise place.complaint(str(error)) from None
            except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError, ValueError) as error:
                raise place.complaint(
                    f"{' '.join(str(error).split())[:80]} is not what version {version} wrote"
                ) from None
        return content

    def _made_by(self) -> str:
        return f"as {self.written_by} writes it"


def check_json_name(what: str, path: str | os.PathLike[str]) -> None:
    """Refuse a name that says that the file is no JSON.

    Args:
        what: it holds, with its article: "a plan".
        path: of the file that is to be written.

    Raises:
        InputError: another suffix than .json; names the one that was meant, and what writes pages.
    """
    if has_suffix(path) and Path(path).suffix.lower() != SUFFIX:
        pages = [one for one in above().page_suffixes() if one != SUFFIX]
        raise wrong_suffix(what, path, (SUFFIX,), pages, "planner.write_report writes {} files")


def content_hash(content: Mapping[str, Any], key: str) -> str:
    """SHA-256 of a dictionary without the entry `key`, in one way of writing: sorted keys, no blanks, ASCII."""
    import hashlib  # loads OpenSSL, which most runs do without

    rest = {name: value for name, value in content.items() if name != key}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _hash_or_none(content: Mapping[str, Any], key: str) -> str | None:
    """The hash of a dictionary, None of one that JSON cannot hold."""
    try:
        return content_hash(content, key)
    except (TypeError, ValueError, RecursionError):
        return None


def file_name(path: str | os.PathLike[str]) -> str:
    """A file's name as errors show it: without what a terminal would obey, and cut where it is long."""
    name = Path(path).name
    return name if name.isprintable() and len(name) <= 60 else shown(name)

"""What plan() chooses from, out of what a user may pass: laws, language models, visual tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from planner.base.errors import InputError
from planner.base.quantities import whole_number
from planner.configuration import cannot_make
from planner.laws.averaging import believed
from planner.laws.combined import Law, single_laws
from planner.laws.forms import get_form
from planner.laws.shipped import as_law
from planner.parts.catalog import family_of, find_compressor, find_llms
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.planning.deployment import several

LawLike: TypeAlias = "Law | str | Path | None"


def laws_of(
    law: LawLike | Mapping[str, LawLike], form: str | None, compressors: tuple[Compressor, ...]
) -> dict[str, Law]:
    """The law of each compressor; equal ones are one object, as what is known of a law goes with the object."""
    names = [compressor.name for compressor in compressors]
    if not isinstance(law, Mapping):
        return dict.fromkeys(names, law_of(law, form))
    given = {find_compressor(name).name: law_of(one, form) for name, one in law.items()}
    missing = [name for name in names if name not in given]
    if missing:
        raise InputError(f"law: laws are given for {', '.join(given)}, none for the compressor {', '.join(missing)}")
    distinct: list[Law] = []
    for law in given.values():
        if not any(law is other or law.to_dict() == other.to_dict() for other in distinct):
            distinct.append(law)
    return {name: next(one for one in distinct if one.to_dict() == given[name].to_dict()) for name in names}


def law_of(law: LawLike, form: str | None) -> Law:
    """The law that a plan rests on: over all forms that its runs allow, unless one form is asked for."""
    found = as_law(law, form)
    return believed(found) if form is None else found


def own_families(laws: Iterable[Law]) -> tuple[Llm, ...]:
    """The catalogue's models of the families that the laws were measured on. Raises InputError if it knows none."""
    laws = tuple(laws)
    names = list(dict.fromkeys(name for law in laws for name in law.llms))
    families = dict.fromkeys(family for name in names if (family := family_of(name)))
    if not families:
        measured = f"on {', '.join(names)}, which the catalogue does not know" if names else "on no named models"
        raise InputError(
            f"the law was measured {measured}: name the candidates with llms=, as models, families, 'all', "
            "or config.json paths"
        )
    found = find_llms(list(families))
    alone = [one for law in laws for one in single_laws(law) if not get_form(one.form).of_n]
    sizes = {size for one in alone for size in one.llm_params_levels}
    return tuple(llm for llm in found if not alone or llm.nominal_params in sizes)  # of other sizes they say nothing


def admissible(
    wanted: int | Iterable[int] | None, compressors: tuple[Compressor, ...], towers: tuple[Tower, ...]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """The candidates' visual tokens by (compressor, tower), ascending.

    Raises InputError for a count that no compressor can make from any tower; of several, each takes those that it can.
    """
    able = {(one.name, tower.name): one.visual_tokens(tower) for one in compressors for tower in towers}
    if wanted is None:
        return able
    chosen = sorted({whole_number(count, "visual_tokens", 1) for count in several(wanted)})
    first, tower = compressors[0], towers[0]
    listed = ", ".join(map(str, able[first.name, tower.name]))
    for count in chosen:
        if not any(count in counts for counts in able.values()):
            raise InputError(cannot_make(first, tower, count))
    if not chosen:
        raise InputError(f"visual_tokens: expected at least one of {listed}, got none")
    found = {key: tuple(count for count in chosen if count in counts) for key, counts in able.items()}
    for (name, tower_name), counts in found.items():
        if not counts:
            made = ", ".join(map(str, able[name, tower_name]))
            raise InputError(f"{name} can make none of the visual tokens asked for from {tower_name}; it makes {made}")
    return found

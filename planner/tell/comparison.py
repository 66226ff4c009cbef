"""The story of forms compared on the same runs: what the runs tell apart, then the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from planner.base.errors import InputError
from planner.laws.compare import DISTINGUISHABLE, FormEvidence
from planner.laws.zero_tokens import how_forms_differ
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Document,
    Inline,
    Line,
    Paragraph,
    Table,
    Value,
    foreign,
    joined,
    line,
    remarks,
)


def comparison_story(rows: Sequence[FormEvidence], not_compared: Mapping[str, str] | None = None) -> Document:
    """Forms by their evidence, as a document. Raises InputError where there are none.

    Args:
        rows: as `compare` gives them, best first.
        not_compared: forms that could not be fitted, with the reason.
    """
    if not rows:
        raise InputError("no forms to report; expected what planner.compare returns")
    notes = (*_remarks(rows), *(f"{form} is not compared: {why}" for form, why in (not_compared or {}).items()))
    return Document(
        kind="comparison",
        title="Forms compared",
        heading=_best(rows),
        opening=(*map(Paragraph, _told(rows)), *remarks("note", notes), *_numbers(rows)),
        sections=(),
        opening_title="The forms",
        sources={"comparison": comparison_dict(rows, not_compared)},
    )


def comparison_dict(rows: Sequence[FormEvidence], not_compared: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The same as plain JSON types."""
    return {
        "forms": [
            {
                "form": row.law.form,
                "face": row.face,
                "parameters": row.parameters_count,
                "rss": row.rss,
                "aicc": row.aicc if math.isfinite(row.aicc) else None,
                "delta": row.delta if math.isfinite(row.delta) else None,
                "weight": row.weight,
                "distinguishable": row.distinguishable,
            }
            for row in rows
        ],
        "best": rows[0].law.form if math.isfinite(rows[0].aicc) else None,
        "not_compared": dict(not_compared or {}),
        "remarks": list(_remarks(rows)),
    }


def _remarks(rows: Sequence[FormEvidence]) -> tuple[str, ...]:
    """Those on the runs; where forms can take different ones, which."""
    differ = how_forms_differ(row.law for row in rows)
    return (*rows[0].law.remarks, *((differ,) if differ else ()))


def _best(rows: Sequence[FormEvidence]) -> Line:
    best = rows[0]
    if math.isfinite(best.aicc):
        weight = v.share(best.weight, 1.0, "weight of the best form")
        return line(
            "best: ", _title(best), " (", foreign(best.law.status, "status"), "), with ", weight, " of the weight"
        )
    runs, count = v.count(best.law.n_runs, "runs"), v.count(best.parameters_count, "free parameters")
    return line("too few runs to compare forms: ", runs, " runs, ", count, " parameters and more")


def _told(rows: Sequence[FormEvidence]) -> Iterator[Line]:
    """What the runs tell apart; nothing where they are too few."""
    if not math.isfinite(rows[0].aicc):
        return
    by_form: dict[str, FormEvidence] = {}
    for row in rows:
        by_form.setdefault(row.law.form, row)  # of each form, its better face
    leaders = list(by_form.values())
    worse = [row for row in leaders if row.distinguishable]
    tied = [row for row in leaders[1:] if not row.distinguishable]
    if tied:
        yield line("not clearly worse than the best: ", _titles(tied))
    if worse:
        limit = Value(f"{DISTINGUISHABLE:g}", DISTINGUISHABLE, "AICc difference that tells forms apart")
        yield line("clearly worse than the best (AICc difference >= ", limit, "): ", _titles(worse))
    for one, other in pairwise(worse):
        apart = other.aicc - one.aicc
        if apart < DISTINGUISHABLE:
            between = line(_title(one), " and ", _title(other))
            yield line("no clear difference between ", between, " (AICc ", _one_digit(apart, "AICc difference"), ")")


def _numbers(rows: Sequence[FormEvidence]) -> Iterator[Block]:
    cells = tuple(
        (
            line(_title(row)),
            line(v.count(row.parameters_count, "free parameters")),
            line(v.significant(row.rss, "weighted sum of squared residuals")),
            line(_one_digit(row.aicc, "AICc")),
            line(_one_digit(row.delta, "AICc above the best")),
            line(v.share(row.weight, 1.0, "weight") if row.weight else "-"),
            line("yes" if row.distinguishable else "-" if row is rows[0] else "no"),
        )
        for row in rows
    )
    columns = ("form", "free params", "RSS", "AICc", "from best", "weight", "worse")
    yield Table(line("forms, best first"), columns, cells)
    faces = {row.face: row for row in rows if row.face}
    if faces:
        names = joined([foreign(face, "simpler variant") for face in faces], " or ")
        yield Paragraph(line("of a form and its row with ", names, ", only the better one is weighted"))
    if any(row.weight for row in rows[1:]):
        yield Paragraph(
            line(
                "weights by AICc, which takes each form as it is; the average of plans and of --form auto weighs forms "
                "together with their misfit, so that its weights differ"
            )
        )
    weighting = rows[0].law.weighting
    if weighting != "equal":
        mean = Value("1", 1.0, "mean weight")
        yield Paragraph(line("residuals are weighted by ", foreign(weighting, "weights"), ", mean weight ", mean))


def _title(row: FormEvidence) -> Value:
    return foreign(f"{row.law.form}, {row.face}" if row.face else row.law.form, "form")


def _titles(rows: Sequence[FormEvidence]) -> Line:
    names = [_title(row) for row in rows]
    return line(names[0], *(part for name in names[1:] for part in ("; ", name)))


def _one_digit(number: float, what: str) -> Inline:
    return Value(f"{number:.1f}", number, what) if math.isfinite(number) else "-"

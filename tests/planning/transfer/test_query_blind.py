"""Tokens that no question changes: laws and plans say so."""

from __future__ import annotations

from dataclasses import replace

from planner.parts.catalog import find_compressor, find_vision
from planner.planning.transfer.query_blind import query_blind, query_blind_runs
from planner.tell.law import law_story
from planner.tell.render.markdown import markdown
from tests.planning.transfer.planted import law

QUECC, CLIP = find_compressor("quecc"), find_vision("CLIP-ViT-L/14-336")
MINE = law(compressors=("quecc",), vision=CLIP.name, visual_tokens_levels=(1.0, 36.0, 576.0))


def test_a_token_for_each_patch() -> None:
    assert query_blind(QUECC, CLIP, 576) == (
        "QueCC with a visual token for each patch is query-blind: no question changes its tokens"
    )
    assert not query_blind(QUECC, CLIP, 144)
    assert not query_blind(find_compressor("tokenpacker"), CLIP, 576)
    assert not query_blind(QUECC, find_vision("CLIP-ViT-L/14-224"), 576)


def test_runs_of_a_law() -> None:
    (said,) = query_blind_runs(MINE)
    assert said.endswith("no question changes its tokens; so it is in the runs with 576")
    assert said in markdown(law_story(MINE))
    for other in (
        replace(MINE, visual_tokens_levels=(1.0, 36.0)),
        replace(MINE, vision=""),
        replace(MINE, compressors=("tokenpacker",)),
        replace(MINE, compressors=("quecc", "none")),  # 576 tokens are those of the uncompressed image
    ):
        assert query_blind_runs(other) == ()

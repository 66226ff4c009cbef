"""Requests that wait together are answered together, and each as if it were alone."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import torch
from serve.asking import ask, ask_all, chat
from vlm import tiny

from planner.serve.rows import can_join, joined, kept, prefill, step
from planner.serve.run import make_service

MANY = [chat(f"question {'long ' * i}{i}", *range(i % 3), max_tokens=4 + 3 * i) for i in range(12)]
"""Of all lengths, with none to two images, so that rows join and leave at different times."""


def test_answers_side_by_side_equal_answers_one_by_one(app: Any) -> None:
    one_by_one = [ask_all(app, [body])[0].json for body in MANY]
    together = [reply.json for reply in ask_all(app, MANY)]
    for before, after in zip(one_by_one, together, strict=True):
        assert (after["choices"], after["usage"]) == (before["choices"], before["usage"])


def test_requests_run_side_by_side(serving: Any) -> None:
    """Counted by steps of the model, each of which serves all."""
    with serving(max_batch=4) as (app, service):
        calls = []
        forward = service.engine.model.forward
        service.engine.model.forward = lambda *a, **k: calls.append(len(k["input_ids"])) or forward(*a, **k)
        try:
            ask_all(app, [chat("what?", 1, max_tokens=30, ignore_eos=True)] * 6)
        finally:
            del service.engine.model.forward
    assert max(calls) == 4
    assert len(calls) < 100  # 180 tokens


@pytest.mark.parametrize("family", ["qwen2", "gemma2", "phi", "llama"])
@pytest.mark.parametrize("order", ["image-first", "text-first"])
def test_rows_join_and_leave_without_a_trace(family: str, order: str) -> None:
    """Against generate(), for language models with windows, soft caps and other positions."""
    model = tiny.model(family, prompt_order=order)
    processor = tiny.processor(model.config)
    texts = ["USER: <image> a question ASSISTANT:", "USER: short <image>", "USER: <image> x <image> more of it"]
    if order == "text-first":
        texts = ["USER: a question <image> ASSISTANT:", "USER: short <image>", "USER: x <image> more <image> of it"]
    inputs = [
        processor(images=[tiny.picture(i)] * text.count("<image>"), text=text, return_tensors="pt")
        for i, text in enumerate(texts)
    ]
    expected = [tiny.answers(model, dict(one), max_new_tokens=9, min_new_tokens=9)[0].tolist() for one in inputs]
    said: list[list[int]] = []
    rows, under_way = None, []
    for turn in range(9 + len(inputs)):
        if turn < len(inputs):  # one joins at a time
            logits, row = prefill(model, inputs[turn])
            said.append([_best(logits, model)[0]])
            rows = row if rows is None else joined([rows, row])
            under_way.append(turn)
        if rows is None:
            break
        logits, rows = step(model, rows, [said[one][-1] for one in under_way])
        for one, token in zip(under_way, _best(logits, model), strict=True):
            said[one].append(token)
        left = [place for place, one in enumerate(under_way) if len(said[one]) < 9]
        rows = kept(rows, left)
        under_way = [under_way[place] for place in left]
    assert said == expected


def _best(logits: torch.Tensor, model: Any) -> list[int]:
    with torch.inference_mode():
        logits[:, [model.config.image_token_id, tiny.EOS]] = -torch.inf  # as generate() with its least length does
        return logits.argmax(-1).tolist()


def test_columns_of_padding_alone_are_dropped(tiny_parts: tuple[Any, Any]) -> None:
    model, processor = tiny_parts
    long, short = (prefill(model, processor(text=text, return_tensors="pt"))[1] for text in ("x" * 40, "yz"))
    both = joined([long, short])
    left = kept(both, [1])
    assert (both.columns, left.columns) == (40, 2)
    assert kept(both, []) is None
    torch.testing.assert_close(left.cache.layers[0].keys, short.cache.layers[0].keys)


def test_state_that_is_no_column_per_token_is_not_joined() -> None:
    config = tiny.llm_config()
    config.layer_types = ["full_attention", "linear_attention", "full_attention"]
    assert can_join(tiny.llm_config()) and not can_join(config)


def test_a_client_that_hangs_up_frees_its_place(serving: Any) -> None:
    with serving(max_batch=1) as (app, service):

        async def hang_up() -> float:
            for gone_after, stream in ((3, True), (0, False)):
                body = chat("what?", 1, max_tokens=400, ignore_eos=True, stream=stream)
                await ask(app, "/v1/chat/completions", body, gone_after=gone_after)
            start = time.perf_counter()
            reply = await ask(app, "/v1/chat/completions", chat("next", max_tokens=1))
            assert reply.status == 200
            return time.perf_counter() - start

        asyncio.run(hang_up())
        text = service.metrics.text(0, 0)
    assert 'finished_reason="abort"} 2' in text
    assert 'finished_reason="length"} 1' in text
    tokens = next(line for line in text.splitlines() if line.startswith("vllm:generation_tokens_total"))
    assert float(tokens.split()[-1]) < 800


def test_a_fault_of_the_model_fails_its_requests_and_no_others(serving: Any) -> None:
    with serving() as (app, service):
        forward = service.engine.model.forward
        faults = iter([RuntimeError("out of memory"), None, RuntimeError("a broken kernel")])

        def broken(*arguments: Any, **options: Any) -> Any:
            fault = next(faults, None)
            if fault is not None:
                raise fault
            return forward(*arguments, **options)

        service.engine.model.forward = broken
        try:
            replies = [ask_all(app, [chat("what?", 1)])[0] for _ in range(3)]
        finally:
            del service.engine.model.forward
    assert [reply.status for reply in replies] == [500, 500, 200]
    assert "out of memory" in replies[0].error["message"]
    assert "a broken kernel" in replies[1].error["message"]
    assert replies[0].error["type"] == "server_error"


def test_a_server_that_stops_says_so(tiny_parts: tuple[Any, Any]) -> None:
    service = make_service(*tiny_parts, "tiny")
    service.engine.start()
    service.close()
    assert asyncio.run(ask(service.app(), "/health")).status == 503
    assert asyncio.run(ask(service.app(), "/v1/chat/completions", chat("x"))).status == 503

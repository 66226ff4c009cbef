"""The loop over an engine's iterations, as vLLM's scheduler (v1) fills them.

In each iteration: one token of every sequence that runs; then, while tokens, seats and blocks of the KV cache last, the
prompt that was cut last time, then those that were thrown out, then new ones as they came. A prompt is let in where all
of it finds room in the KV cache, and computed as far as the iteration's tokens go. Where a sequence finds no block for
its next token, the newest is thrown out: it comes back before all that wait, and its prompt and what it has generated
are computed again, its images too. An iteration in which that happens lets nobody in.

Where scheduling runs ahead, an iteration is filled when the one before it begins: with requests that have come by then,
and with the seats and blocks of sequences that have ended by then.

Iterations of decode steps alone are leapt over up to the next end of a sequence, the next arrival that could be let in,
or the end of the KV cache: what changes in between is known.

As `vllm/v1/core/sched/scheduler.py` and `EngineCore.step_with_batch_queue` of vLLM 0.32 without options for adapters,
speculative decoding, priorities and transferred caches. Its bound on encoded tokens of an iteration is that on all
tokens, which the images of prompts that fit reach only with the last of them: it is left out.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from planner.traffic.course import INFINITY, Course, Room, Step, Totals, Work
from planner.traffic.times import Times


def run(
    work: Work,
    room: Room,
    times: Times,
    *,
    think_s: float = 0.0,
    marks: tuple[int, ...] = (),
    recorded_s: tuple[float, float] = (INFINITY, INFINITY),
    leap: bool = True,
) -> Course:
    """Let an engine run until all requests are answered.

    Args:
        work: the requests; each must fit into the room by itself.
        room: what bounds an iteration.
        times: of iterations.
        think_s: from the end of a request until the next comes that waits for one to end.
        marks: requests, sorted; the totals are kept when each has come.
        recorded_s: from when until when each iteration is kept.
        leap: whether iterations of decode steps alone are leapt over; else they are run one by one.
    """
    seats, budget, chunked, blocks, block = room.sequences, room.tokens, room.chunked, room.blocks, room.block_tokens
    ahead = room.ahead
    size, cached, images = list(work.prompt_tokens), work.cached_tokens, work.images
    left = list(work.generated_tokens)
    count, bounded = len(size), blocks < INFINITY
    comes, enters, first, end = list(work.comes_s), [INFINITY] * count, [INFINITY] * count, [INFINITY] * count
    coming: list[tuple[float, int]] = []
    later: deque[int] = deque()
    encoder_free = 0.0

    def come(i: int, time: float) -> None:
        nonlocal encoder_free
        comes[i] = enter = time
        if not room.encoders and images[i]:
            enter = encoder_free = max(time, encoder_free) + images[i] * room.encode_apart_s
        enters[i] = enter
        heappush(coming, (enter, i))

    for i, time in enumerate(comes):
        if time < INFINITY:
            come(i, time)
        else:
            later.append(i)

    waiting: deque[int] = deque()
    stay = [0] * count  # number of the stay of a sequence that runs, else 0
    stays = 0
    let_in: list[tuple[int, int]] = []  # sequences and stays, the newest last; some have ended
    kept, since = [0] * count, [0] * count  # tokens when a prompt ended, and in which iteration that was
    ends: dict[int, list[tuple[int, int]]] = {}  # iteration -> sequences and stays
    end_keys: list[int] = []
    phase = [0] * block  # how many sequences need a new block in iterations of that remainder
    t, it, decodes, context, used = 0.0, 0, 0, 0, 0
    seen = 0.0  # until when arrivals are known
    gone = gone_blocks = 0  # sequences that have ended, and their blocks, which are not known to be free
    cut, done = -1, 0  # the prompt that is under way, and how much of it is computed
    busy = running_s = waiting_s = 0.0
    preemptions = prefilled = stepped = encoded = 0
    kept_marks: list[Totals] = []
    steps: list[Step] = []
    marked = 0
    record_from, record_to = recorded_s

    while True:
        while coming and coming[0][0] <= seen:
            enter, i = heappop(coming)
            waiting.append(i)
            waiting_s += t - enter
        while marked < len(marks) and comes[marks[marked]] <= t:
            kept_marks.append(Totals(t, busy, running_s, waiting_s, preemptions, prefilled, stepped, encoded, it))
            marked += 1

        thrown = False
        if bounded and decodes:
            while used + phase[it % block] > blocks:  # throw out the newest
                i, number = let_in.pop()
                if stay[i] != number:
                    continue
                stay[i], thrown = 0, True
                if i == cut:
                    cut = -1
                    used -= -(-(cached[i] + size[i]) // block)
                else:
                    generated = it - since[i]
                    used -= -(-(kept[i] + generated - 1) // block)
                    phase[(since[i] + 1 - kept[i]) % block] -= 1
                    context -= kept[i] + generated
                    decodes -= 1
                    left[i] -= generated
                    size[i] += generated
                waiting.appendleft(i)
                preemptions += 1
            used += phase[it % block]

        free = budget - decodes
        tokens, pairs, prompts, pictures = 0, 0.0, 0, 0
        ended: list[int] = []
        if cut >= 0 and free > 0:
            whole = size[cut]
            chunk = min(whole - done, free)
            tokens, prompts = chunk, 1
            pairs = chunk * (cached[cut] + done + (chunk + 1) / 2)
            if images[cut]:
                pictures = -(-(done + chunk) * images[cut] // whole) + (-done * images[cut] // whole)
            done += chunk
            free -= chunk
            if done == whole:
                ended.append(cut)
                cut = -1
        if waiting and not thrown:
            while waiting and free > 0 and decodes + prompts + gone < seats:
                i = waiting[0]
                whole = size[i]
                if whole > free and not chunked:
                    break
                if bounded:
                    wanted = -(-(cached[i] + whole) // block)
                    if used + wanted > blocks:
                        break
                    used += wanted
                waiting.popleft()
                stays += 1
                stay[i] = stays
                let_in.append((i, stays))
                chunk = min(whole, free)
                tokens += chunk
                prompts += 1
                pairs += chunk * (cached[i] + (chunk + 1) / 2)
                if images[i]:
                    pictures -= -chunk * images[i] // whole
                free -= chunk
                if chunk == whole:
                    ended.append(i)
                else:
                    cut, done = i, chunk

        if tokens:
            if room.encoders:
                encoded += pictures
                pictures = -(-pictures // room.encoders)
            else:
                pictures = 0
            seconds = times.mixed_s(decodes, context, tokens, pairs, decodes + len(ended), prompts, pictures)
            jump = 1
            prefilled += tokens
        elif decodes:
            jump = end_keys[0] - it + 1
            limit = INFINITY
            if thrown or not leap or (gone and waiting) or record_from <= t < record_to:
                jump = 1
            elif not waiting and coming:
                limit = coming[0][0] - t
            if t < record_from < INFINITY:
                limit = min(limit, record_from - t)
            if bounded and jump > 1:
                jump = min(jump, 1 + _spare(phase, it, decodes, blocks - used, jump - 1))
            jump, seconds = times.until(decodes, context, jump, limit)
            if bounded and jump > 1:
                cycles, rest = divmod(jump - 1, block)
                used += cycles * decodes + sum(phase[(it + j) % block] for j in range(1, rest + 1))
        elif gone:
            used, gone, gone_blocks, seen = used - gone_blocks, 0, 0, t
            continue
        elif coming:
            t = seen = max(t, coming[0][0])
            continue
        else:
            break

        if record_from <= t < record_to:
            steps.append(Step(t, seconds, jump, decodes, tokens, prompts, pictures, len(waiting)))
        if ahead:
            used, gone, gone_blocks = used - gone_blocks, 0, 0
            seen = t if jump == 1 else t + seconds - times.decode_s(decodes, context + (jump - 1) * decodes)
        t += seconds
        if not ahead:
            seen = t
        busy += seconds
        running_s += seconds * (decodes + (prompts or cut >= 0))
        waiting_s += seconds * len(waiting)
        stepped += jump * decodes
        context += jump * decodes
        it += jump
        last = it - 1
        if end_keys and end_keys[0] == last:
            heappop(end_keys)
            for i, number in ends.pop(last):
                if stay[i] != number:
                    continue
                stay[i] = 0
                decodes -= 1
                context -= kept[i] + it - since[i]
                gone += 1
                if bounded:
                    gone_blocks -= -(kept[i] + last - since[i]) // block
                    phase[(since[i] + 1 - kept[i]) % block] -= 1
                end[i] = t
                if later:
                    come(later.popleft(), t + think_s)
        for i in ended:
            if first[i] == INFINITY:
                first[i] = t
            tokens_now = cached[i] + size[i]
            if left[i] == 1:
                stay[i] = 0
                gone += 1
                if bounded:
                    gone_blocks -= -tokens_now // block
                end[i] = t
                if later:
                    come(later.popleft(), t + think_s)
                continue
            decodes += 1
            context += tokens_now + 1
            kept[i], since[i] = tokens_now, last
            if bounded:
                phase[(last + 1 - tokens_now) % block] += 1
            key = last + left[i] - 1
            if key in ends:
                ends[key].append((i, stay[i]))
            else:
                ends[key] = [(i, stay[i])]
                heappush(end_keys, key)
        if gone and not ahead:
            used, gone, gone_blocks = used - gone_blocks, 0, 0

    kept_marks.append(Totals(t, busy, running_s, waiting_s, preemptions, prefilled, stepped, encoded, it))
    return Course(comes, enters, first, end, kept_marks, steps)


def _spare(phase: list[int], it: int, decodes: int, free: float, most: int) -> int:
    """How many more iterations find their blocks, at most so many."""
    block = len(phase)
    cycles = int(free // decodes)
    if cycles * block >= most:
        return most
    spare, free = cycles * block, free - cycles * decodes
    while spare < most:
        free -= phase[(it + spare + 1) % block]
        if free < 0:
            break
        spare += 1
    return spare

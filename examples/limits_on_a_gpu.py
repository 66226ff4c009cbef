"""Which model answers within 50 ms to the first token on the card at hand, and what does a looser limit buy?"""

import planner

request = planner.Workload(query_tokens=50, generated_tokens=32)
for card in ("l4", "l40s", "h100-sxm"):
    plan = planner.plan(
        budget=planner.Budget(ttft_s=0.05, tpot_s=0.03),
        workload=request,
        hardware=card,
        llms="qwen2.5",
        precision=["bf16", "fp8"],
    )
    best = plan.best
    ttft, tpot = (1e3 * best.quantities[name] for name in ("ttft_s", "tpot_s"))
    print(
        f"{card}: {best} in {best.precision}, TTFT {ttft:.1f} ms, TPOT {tpot:.1f} ms, error {best.predicted_error:.4f}"
    )
    for slack in plan.limits:
        if slack.relaxed is not None:
            print(f"  10 % more of {slack.limit.title}: {slack.relaxed}, error {slack.relaxed.predicted_error:.4f}")

frame = plan.to_frame()
rows = plan.table.pareto("ttft_s", "peak_memory_bytes")
print(f"{len(frame)} candidates, {len(rows)} of them with no better one in error, TTFT and memory at once:")
print(frame.loc[rows, ["llm", "visual_tokens", "precision", "predicted_error", "ttft_s"]].head())
print(plan)

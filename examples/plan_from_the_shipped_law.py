"""Which configuration is best under a budget, and how the answer moves with the budget and the prompt order."""

import planner

plan = planner.plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32)
print(plan)

print("\nbudget     image-first                            text-first (the query pass is free)")
for budget in ("1 TFLOPs", "2 TFLOPs", "5 TFLOPs", "20 TFLOPs"):
    picks = [
        planner.plan(budget=budget, query_tokens=50, generated_tokens=32, prompt_order=order).best
        for order in ("image-first", "text-first")
    ]
    print(f"{budget:<10} {picks[0]!s:<38} {picks[1]!s}")

"""From a plan to what others read and run: a page, the same as text and as JSON, and a folder to build and serve it."""

import json
import tempfile
from pathlib import Path

import planner
from planner.tell.recommendation import write_artefacts

plan = planner.plan(
    budget=planner.Budget(ttft_s=0.05, requests_per_second=5),
    query_tokens=50,
    generated_tokens=32,
    hardware="l40s",
    price_per_hour=1.2,
)
print(plan)

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    planner.write_report(plan, folder / "recommendation.html")  # for who decides; verdict=... adds what was measured
    planner.write_report(plan, folder / "recommendation.md")
    numbers = json.loads(planner.write_report(plan, folder / "recommendation.json").read_text(encoding="utf-8"))
    files = write_artefacts(plan, folder / "deploy")  # for who deploys

print(f"\n{numbers['recommendation']}")
print(f"{len(numbers['shown'])} numbers and names on the page, each with its raw value, such as")
for entry in numbers["shown"][3:7]:
    print(f"  {entry['what']}: {entry['text']} = {entry['value']}")
print(f"files to build, serve and load it: {', '.join(files)}")

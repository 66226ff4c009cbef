"""What a plan says, told once for every medium.

tables      candidates, the best of each way, limits, costs by stage, as tables of a document
sentences   the pick and what it rests on, memory, what a looser limit buys, as lines of a document
frontier    error against the first limit, as a chart
story       all of it as a document, as the terminal shows it
terminal    the document on the terminal
"""

from planner.tell.plan.story import plan_story
from planner.tell.plan.terminal import print_plan

__all__ = ["plan_story", "print_plan"]

"""The deployment recommendation: what a plan says, for who decides and for who deploys.

story       plan (and verdict) -> Document: what is said, as data; every number with what it stands for
write       Document -> a file, by `planner.tell.render`
artefacts   what is needed to build, serve and load the pick, in a folder
"""

from planner.tell.document import Document, plain
from planner.tell.recommendation.artefacts import check_folder, write_artefacts
from planner.tell.recommendation.plan_file import read_plan
from planner.tell.recommendation.story import tell
from planner.tell.recommendation.write import as_text, page_kind, write_recommendation
from planner.tell.render import as_json

__all__ = [
    "Document",
    "as_json",
    "as_text",
    "check_folder",
    "page_kind",
    "plain",
    "read_plan",
    "tell",
    "write_artefacts",
    "write_recommendation",
]

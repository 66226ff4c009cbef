"""The deployment recommendation: what a plan says, for who decides and for who deploys.

story       plan (and verdict) -> Document: what is said, as data; every number with what it stands for
html, markdown, write     Document -> a file
artefacts   what is needed to build, serve and load the pick
"""

from planner.report.recommendation.document import Document, as_json
from planner.report.recommendation.story import tell
from planner.report.recommendation.write import SUFFIXES, as_text, page_kind, write_recommendation

__all__ = ["SUFFIXES", "Document", "as_json", "as_text", "page_kind", "tell", "write_recommendation"]

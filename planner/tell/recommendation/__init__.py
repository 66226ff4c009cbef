"""The deployment recommendation: what a plan says, for who decides and for who deploys.

story       plan (and verdict) -> Document: what is said, as data; every number with what it stands for
artefacts   what is needed to build, serve and load the pick, in a folder
"""

from planner.tell.recommendation.artefacts import check_folder, write_artefacts
from planner.tell.recommendation.story import tell

__all__ = ["check_folder", "tell", "write_artefacts"]

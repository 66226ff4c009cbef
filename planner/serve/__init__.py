"""`vlm-planner serve`: the reference server of a built model, for clients that speak OpenAI's API.

Needs torch (extra `[vlm]`) and starlette and uvicorn (extra `[app]`) once a model is served.
"""

from planner.serve.open import serve_model as serve_model
from planner.serve.settings import Settings as Settings

"""Serve the model to clients that speak OpenAI's API: python serve.py my-vlm, with the options of vlm-planner serve."""

import sys

from planner.cli import main

sys.argv.insert(1, "serve")
main()

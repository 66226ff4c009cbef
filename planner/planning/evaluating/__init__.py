"""Evaluations of released models: which of them would tell most about a plan's pick, and what each costs.

Visual tokens are a knob of a released model, so that a grid of models x knob values costs inference alone.
"""

"""Joint laws: groups of runs (compressors, tasks, families) fitted together with some parameters in common.

    Y_g(N, T) = A_g / N^alpha_g + B_g / T^beta_g + D_g        for every group g; the other forms likewise

A shared parameter is one number for all groups, so that a group whose runs cannot tell it (a compressor measured at one
LLM size has no alpha of its own) borrows it from the groups that can. That it *is* the same number is an assumption
which no run tests; every law says which one it rests on in its `remarks` and in `joint`. In the additive form a group
of one LLM size that shares alpha alone still cannot tell A from D: share A too.

Each module imports only modules above it:

    problem     what is asked of whoever solves a joint fit
    arrow       non-negative least squares of many groups: own columns, and shared ones
    projected   the least squares at given exponents, of forms with a projection
    descent     the best exponents
    follow      the edge of the likelihood region, by pulls
    path        the same of a form without exponents, exactly
    exact       joint fits of forms with a projection, by the four above
    general     joint fits of any other form
    groups      the groups of a table, and what each can tell
    profile     what is kept of the edge, from when it is first asked for
    intervals   intervals at plan time, from what was kept
    laws        the law of every group
    fit         `fit_joint`, which does it all
"""

from planner.laws.joint.fit import JointFit, fit_joint
from planner.laws.joint.intervals import joint_difference, joint_interval, joint_parameters

__all__ = ["JointFit", "fit_joint", "joint_difference", "joint_interval", "joint_parameters"]

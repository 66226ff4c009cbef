"""One belief about the errors of configurations: forms of the law, and what all of them leave out.

    error = form(N, T) + g(ln T) + h(ln N) + p(ln N, ln T) + offset of the LLM + offset of the token count + noise

Every registered form takes part, at many values of its exponents; g, h and p are smooth, the offsets independent. How
large each is, relative to the noise, nobody knows: all sizes of a small table are tried, and the evidence of the runs
weighs them. All else is Gaussian algebra, without a chain and without a search.

Modules, in the order of their imports:

    means     the columns in which each form is linear, its exponents held
    misfit    sizes and covariances of what the forms leave out
    believe   the weights of all combinations, from runs
    belief    expected errors, draws and intervals at any points
    mixed     several beliefs in one, where forms can take different runs
"""

from planner.laws.belief.belief import Belief as Belief
from planner.laws.belief.belief import Measured as Measured
from planner.laws.belief.belief import Points as Points
from planner.laws.belief.believe import KNOWN_RUNS as KNOWN_RUNS
from planner.laws.belief.believe import NoisePrior as NoisePrior
from planner.laws.belief.believe import believe as believe
from planner.laws.belief.mixed import MixedBelief as MixedBelief

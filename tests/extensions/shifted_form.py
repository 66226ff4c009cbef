"""A law form from outside the package: the power of T begins c tokens earlier, so that no tokens have an error too.

Y = A/N^a + B/(T + c)^b + D, with c between 0 and 60 tokens; registered by `planner.base.registry.register(SHIFTED)`.
"""

from planner.laws.forms import Form, Parameter, Variant, exponent, offset


def shifted(p, n, t):
    return p["A"] * n ** -p["a"] + p["B"] * (t + p["c"]) ** -p["b"] + p["D"]


SHIFTED = Form(
    name="shifted",
    formula="Y = A/N^a + B/(T + c)^b + D",
    latex=r"Y = \frac{A}{N^a} + \frac{B}{(T + c)^b} + D",
    parameters=(
        Parameter(name="A", linear=True, meaning="error at N = {unit}"),
        exponent("a", "N"),
        Parameter(name="B", linear=True, meaning="error at T + c = 1"),
        Parameter(name="c", high=60.0, starts=(0.5, 40.0), size=10.0, word="a shift", takes_level_of="T"),
        exponent("b", "T + c"),
        offset("D"),
    ),
    function=shifted,
    of_n=("A", "a"),
    of_t=("B", "b"),
    levels=(3, 4),
    variants=(Variant("D = 0", {"D": 0.0}), Variant("c = 0", {"c": 0.0})),
)

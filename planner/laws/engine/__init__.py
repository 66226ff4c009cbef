"""How a form is fitted.

Exact, for forms that are linear once two exponents are given, or linear altogether:

    design       where the runs stand
    tokens       the best number of visual tokens on a budget
    projection   what the engine must know of such a form
    powers       two powers, or one of both
    logs         a straight line in both logarithms
    faces        least squares at given exponents
    grid         where to start
    solve        the optimum
    region       the likelihood region at given exponents
    cloud        the exponents of the region
    constrained  the optimum under constraints of the user, by lmfit

For any form:

    descent      the optimum, by bounded least squares from many starts
    sampler      draws from the posterior, by an ensemble of walkers
    edge         how far a quantity moves inside the likelihood region, by fits with the quantity held
    optimum      the optimum of a form, by whichever way it allows
"""

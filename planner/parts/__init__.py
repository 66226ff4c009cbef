"""What a model is made of. A part describes itself once, as a walk of kernels, and `planner.costs` reads it."""

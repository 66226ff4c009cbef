"""Released models made by transformers: the true architecture with random or its own weights, and what they see."""

"""How the reference is made from the code; `docs/make_reference.py` writes it."""

"""The explorer: a local page with sliders where a plan follows at once.

offer.py      the fixed lists that the page chooses from; no other name reaches the planner
state.py      what the page is set to
settings.py   each setting as text: read, checked, written
link.py       a state <-> the query string of a link, and the same plan as a command
view.py       a state -> a plan -> what the page shows, as texts
picture.py    the candidates of a plan as points, lines and ticks
under_load.py the pick under its load: simulated numbers, the load curve, a second of the engine
serving/      the pages over HTTP, to this host alone [starlette and uvicorn from here on]
"""

"""Stories: what a plan, a law, a cost tell, once, as a Document; and what renders it.

document    sections of paragraphs, facts, tables, charts and commands, whose numbers carry raw value and unit
values      numbers of a story, each formatted where it is made
render/     Document -> HTML, Markdown, JSON, the terminal: a registry, one file each
"""

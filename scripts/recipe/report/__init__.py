"""The report: a small table (TSV, Markdown) and one self-contained HTML page.

spec: what goes in; results: rates and differences; summary: the table; findings: what to mind; listing, players: the
utterances; charts: SVG; page: the HTML.
"""

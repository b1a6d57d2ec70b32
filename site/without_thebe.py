"""Sphinx extension: take sphinx-thebe's scripts off the pages.

Jupyter Book always loads sphinx-thebe. The book does not use it, but every page then carries its
script twice (an error in the browser's console) with the address of another host.
"""


def setup(app) -> dict:
    # This extension is loaded after sphinx-thebe, whose handlers wait for the pages to be read.
    # Its style sheet stays, since the theme names it on every page.
    for event, handlers in app.events.listeners.items():
        if event != "builder-inited":
            handlers[:] = [h for h in handlers if h.handler.__module__ != "sphinx_thebe"]
    return {"parallel_read_safe": True, "version": "1"}

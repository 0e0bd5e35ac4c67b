"""The page at ``/``: plain HTML, CSS and modules in ``static/``, which ask the service's own routes only."""

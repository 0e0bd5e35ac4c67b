"""The page at ``/``: plain HTML, CSS and modules in ``static/``, which use only the service's own routes."""

"""``convoy score``: folders, archives and lists of pictures to a table of predictions. No HTTP and no event loop.

::

    pictures ─> chunks ─> worker processes: read, decode, run ─> in the order of the input ─> parts ─> the table
                                                └─ damaged ones ─────────────────────────────> errors.csv
"""

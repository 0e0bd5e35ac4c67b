"""``convoy score``: makes a table of predictions for folders, archives and lists of pictures, without HTTP.

::

    pictures ─> chunks ─> worker processes: read, decode, run ─> in the order of the input ─> parts ─> the table
                                                └─ damaged ones ────────────────────> <table>.errors.csv
"""

"""Maps of what spoke for a class. Knows no HTTP."""

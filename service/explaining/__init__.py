"""Maps of the pixels that are evidence for a class. Independent of HTTP."""

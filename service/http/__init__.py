"""HTTP/1.1: the server process, its connections and requests, and the types of ASGI."""

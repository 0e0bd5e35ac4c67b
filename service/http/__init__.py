"""The connection: the server process, its HTTP protocol, and the types of ASGI."""

"""Who may do what, where keys are set: API keys with scopes and rates, from a file that may change while serving.

::

    key of a request -> KeyFile (read anew when it has changed) -> hash compared -> scope -> rate -> ApiKey
                                                                      │              │        │
                                                        UnauthenticatedError  ForbiddenError  RateLimitedError

Knows no HTTP and no gRPC: both give it the key that came with a request, and the scope that the request needs.
"""

from service.access.access_control import AccessControl
from service.access.api_key import ApiKey
from service.access.key_file import KeyFile
from service.access.shared_rates import SharedRates
from service.declarations import KeyScope

__all__ = ["AccessControl", "ApiKey", "KeyFile", "KeyScope", "SharedRates"]

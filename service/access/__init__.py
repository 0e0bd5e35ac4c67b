"""Access control: API keys with scopes and rates, from a file that may change while the service runs.

::

    key of a request -> KeyFile (read again after a change) ─────> hash compared -> scope -> rate -> ApiKey
                                                                      │              │        │
                                                        UnauthenticatedError  ForbiddenError  RateLimitedError

It does not depend on HTTP or gRPC: both give it the key of a request and the scope that the request needs.
"""

from service.access.access_control import AccessControl
from service.access.api_key import ApiKey
from service.access.key_file import KeyFile
from service.access.shared_rates import SharedRates
from service.declarations import KeyScope

__all__ = ["AccessControl", "ApiKey", "KeyFile", "KeyScope", "SharedRates"]

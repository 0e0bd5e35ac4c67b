"""Security headers for the service's own pages: a browser runs their scripts and styles, and no others.

Source: Content Security Policy Level 3 (W3C); OWASP Secure Headers Project.
"""

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders

from service.http.asgi import ASGIApp, Message, Receive, Scope, Send

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class PageSecurity:
    """Adds security headers: the content policy to HTML, ``nosniff`` to every answer of the app that it wraps.

    Predictions, inferences and refused keys are answered outside it: they are JSON or arrays, which no browser runs,
    and one more header would cost time in each of them.

    An inline script may run because its hash is in the policy. Nothing from a request gets into a page except a checked
    path prefix, so each inline script is one of the service.

    Args:
        app: its answers get the headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        held: Message | None = None

        async def send_secured(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                if headers.get("content-type", "").startswith("text/html"):
                    held = message
                    return
            elif held is not None:
                head, held = held, None
                _secure_page(MutableHeaders(scope=head), message.get("body", b""))
                await send(head)
            await send(message)

        await self._app(scope, receive, send_secured)


def _secure_page(headers: MutableHeaders, page: bytes) -> None:
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    scripts = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    if "Content-Security-Policy" not in headers:  # a page may have a stricter one of its own
        headers["Content-Security-Policy"] = _POLICY.format(scripts=scripts)
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"

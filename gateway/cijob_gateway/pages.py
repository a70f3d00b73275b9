"""Whose web page a request comes from. Used before the caller is known; pure.

Without a login every page that a person opens could send requests to their own machine: browsers
ask nobody before a simple POST or a WebSocket. But they say whose page it is, in `Origin`, and by
which name they came here, in `Host`: a name that was rebound to the loopback is no loopback's.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from cijob_gateway.errors import Forbidden

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def require_own_page(headers: Mapping[str, str], *, login: bool) -> None:
    """Raise Forbidden for a page of another site; `headers` by any spelling of their names."""
    host, origin = headers.get("Host") or "", headers.get("Origin")
    if origin and urlsplit(origin).netloc != host:
        raise Forbidden(f"pages of {origin} may not use this gateway")
    if not login and urlsplit(f"//{host}").hostname not in LOOPBACK:
        known = "localhost or 127.0.0.1"
        raise Forbidden(f"without a login this gateway is {known}, not {host or 'nameless'}")

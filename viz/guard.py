"""Lets in only who holds the token, and only from the page's own address."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

LOCAL = ("127.0.0.1", "localhost", "::1")
REFUSED = "refused: open the address that `twin serve` printed, with its token"
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; "
        "base-uri 'self'; form-action 'none'"
    ),
}
"""The page may fetch from its own address only; the browser holds it to that."""


def _name_and_port(authority: str) -> tuple[str, int | None]:
    """Split `name:port`; ('', None) for anything else."""
    try:
        parts = urlsplit(f"//{authority}")
        plain = not (parts.path or parts.query or parts.fragment or parts.username is not None)
        return (parts.hostname or "", parts.port) if plain else ("", None)
    except ValueError:
        return "", None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Decides on every request, the websocket's included, by token, Host and Origin.

    `token`: what the printed address carries; `cookie`: what the browser is given for it, good as long as the
    server lives. Bound to all addresses, this machine's name and any numeric Host are taken: a rebound name is neither.
    """

    def __init__(self, host: str) -> None:
        self.host = host.lower().strip("[]")
        self.token, self.cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._open: set[asyncio.Transport] = set()

    def is_our_host(self, authority: str, port: int) -> bool:
        """Return whether a Host header names this server."""
        name, said = _name_and_port(authority)
        if (said or 80) != port:
            return False
        anywhere = self.host in ("0.0.0.0", "::", "")  # noqa: S104 - compares, binds nothing
        return name in (*LOCAL, self.host) or (anywhere and (_is_address(name) or name == socket.gethostname().lower()))

    def is_our_origin(self, origin: str | None, authority: str, *, needed: bool) -> bool:
        """Return whether an Origin header is this page's; without one only where a browser sends none."""
        return not needed if origin is None else origin.lower() == f"http://{authority.lower()}"

    def knows(self, token: str, cookie: str) -> bool:
        """Return whether either is right, in a time that does not tell how much of it is."""
        by_token = hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())
        by_cookie = hmac.compare_digest(cookie.encode("utf-8", "replace"), self.cookie.encode())
        return by_token or by_cookie

    def hang_up(self) -> None:
        """End every connection that is still being answered, websockets included, without waiting for its other end."""
        for transport in tuple(self._open):
            transport.abort()

    def middleware(self) -> Callable[[Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]:
        """Return it as a middleware of an aiohttp application."""
        from aiohttp import web

        @web.middleware
        async def guard(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
            port = int(request.transport.get_extra_info("sockname")[1]) if request.transport else 0
            name = f"twin_{port}"
            authority = request.headers.get("Host", "")
            upgrade = "websocket" in request.headers.get("Upgrade", "").lower()
            fine = (
                self.is_our_host(authority, port)
                and len(request.headers.getall("Origin", ())) < 2
                and self.is_our_origin(request.headers.get("Origin"), authority, needed=upgrade)
                and self.knows(request.query.get("token", ""), request.cookies.get(name, ""))
            )
            if not fine:
                return web.Response(status=403, text=f"{REFUSED}\n", headers=HEADERS)
            held = {request.transport} if request.transport else set()
            self._open |= held
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = error
            finally:
                self._open -= held
            if not response.prepared:
                response.headers.update(HEADERS)
                response.set_cookie(name, self.cookie, httponly=True, samesite="Strict", path="/")
            if isinstance(response, web.HTTPException):
                raise response
            return response

        return guard

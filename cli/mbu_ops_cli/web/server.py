"""The server of the page: on this machine only, for its own page only, with files that go when it stops."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from mbu_ops.errors import ConfigurationError, MissingPackageError

HOST = "127.0.0.1"
"""The only address that the page has."""

NAMES = (HOST, "localhost")
"""The only names that requests may call it by: a stranger's page that has its own name lead here is refused."""

MAX_BYTES = 64 * 2**20
"""Longer uploads are refused."""

QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""What Gradio is told before it is imported."""

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "frame-ancestors 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Headers of every answer: the browser itself then asks no other machine for anything."""


class OwnPageOnly:
    """Refuses what another page asks for, and tells browsers to ask nobody else.

    Args:
        app: the application behind it.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not is_own(headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")):
            await _refuse(scope, send)
            return

        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        await self.app(scope, receive, with_headers)


def is_own(host: str, origin: str | None, site: str | None = None) -> bool:
    """Tell whether a request comes from the page itself, or from somebody who typed its address.

    Args:
        host: its ``Host``.
        origin: its ``Origin``, if it has one.
        site: its ``Sec-Fetch-Site``, if it has one.

    Example:
        >>> is_own("127.0.0.1:7860", "http://127.0.0.1:7860"), is_own("evil.example:7860", None)
        (True, False)
        >>> is_own("127.0.0.1:7860", "http://evil.example"), is_own("localhost", None, "cross-site")
        (False, False)
    """
    name, _, port = host.partition(":")
    return (
        name.lower() in NAMES
        and (port == "" or port.isdecimal())
        and origin in (None, f"http://{host}")
        and site in (None, "same-origin", "none")
    )


async def _refuse(scope: dict[str, Any], send: Callable[..., Any]) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    text = b"This page answers its own address only: open it as mbu-ops web printed it.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def listen(port: int) -> socket.socket:
    """Return a socket that listens on this machine's own address.

    Args:
        port: its port; 0 takes a free one.

    Raises:
        ConfigurationError: if the port is taken, or may not be used.

    Example:
        >>> with listen(0) as own:
        ...     own.getsockname()[0]
        '127.0.0.1'
    """
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it lets two servers share a port
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind((HOST, port))
        own.listen(64)
    except OSError as error:
        own.close()
        raise ConfigurationError(
            f"port {port} of {HOST} cannot be used ({error.strerror}): choose another by --port, or --port 0 for one "
            "that is free"
        ) from error
    return own


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder for this user alone, which Gradio puts files in; it is deleted at the end, with all of them."""
    with TemporaryDirectory(prefix="mbu-ops-web-", ignore_cleanup_errors=True) as folder:
        os.environ.update({**QUIET, "GRADIO_TEMP_DIR": str(Path(folder, "uploads"))})
        yield Path(folder)


def application(folder: Path) -> Any:
    """Return the page as an ASGI application.

    Args:
        folder: what :func:`private_folder` gave.

    Raises:
        MissingPackageError: if Gradio is not installed.
    """
    try:
        import gradio
        from fastapi import FastAPI
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"the page needs the package gradio, which is not installed ({error}): pip install 'mbu-ops[web]'"
        ) from error
    from mbu_ops_cli.web.page import CSS, THEME, build

    undocumented: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    app = FastAPI(**undocumented)
    gradio.mount_gradio_app(
        app,
        build(folder / "results"),
        path="/",
        app_kwargs=undocumented,
        server_name=HOST,
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        max_file_size=MAX_BYTES,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        theme=THEME,
        css=CSS,
    )
    return OwnPageOnly(app)


def serve(app: Any, own: socket.socket) -> None:
    """Answer requests until Ctrl-C, or the signal that asks a program to end.

    Args:
        app: the application.
        own: what :func:`listen` gave.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Cut off the pages that are still open, which is no error to be told of."""
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            await super().shutdown(sockets)

    # uvicorn repeats the signal that ended it: this way it ends here, and what follows still tidies up
    before = signal.signal(signal.SIGTERM, _interrupt)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    try:
        with suppress(KeyboardInterrupt):
            Server(config).run(sockets=[own])
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt

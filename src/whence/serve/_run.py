"""Running the application: a socket, a line that says where, and a clean end."""

import socket
import webbrowser
from collections.abc import Callable
from urllib.parse import quote

import torch
import uvicorn

from whence.errors import InvalidInput
from whence.serve._app import create_app
from whence.serve._settings import Settings

KEEP_ALIVE = 75  # seconds that a connection may rest: whoever draws pauses to look
_PATIENCE = 3  # seconds that running requests get when the server is stopped


def serve(
    settings: Settings, *, say: Callable[[str], None] = print, open_browser: bool = False
) -> None:
    """Serve until Ctrl-C. `say` is told the address once the server can answer.

    The models are looked at first, so that the first visitor does not wait for them. Explanations
    share the machine's cores: each worker gets its part of torch's threads.
    """
    torch.set_num_threads(max(1, torch.get_num_threads() // settings.limits.running))
    app = create_app(settings)
    offered = app.state.desk.shelf.entries
    listening = listen(settings.host, settings.port)
    address = address_of(listening, settings.token)
    say(f"{len(offered)} models: {', '.join(offered)}")
    if not settings.is_local and settings.token is None:
        say("Others on the network can use this server. --token WORD lets in who knows the word.")
    say(f"Whence is at {address} (Ctrl-C stops it)")
    if open_browser:
        webbrowser.open(address)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses may hold the token
        timeout_graceful_shutdown=_PATIENCE,
        timeout_keep_alive=KEEP_ALIVE,
        server_header=False,
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # how it is meant to be stopped
    finally:
        listening.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket at an address; port 0 is any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: only then are answers sent at once instead of held back for more.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
    except (OSError, OverflowError) as error:
        made.close()
        raise InvalidInput(
            f"The server cannot listen at {host}:{port} ({error}). Is another one running there? "
            "--port 0 takes any free port."
        ) from error
    return made


def address_of(listening: socket.socket, token: str | None) -> str:
    """Where a browser on this machine finds the server."""
    host, port = listening.getsockname()[:2]
    host = str({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/" + (f"?token={quote(token)}" if token else "")

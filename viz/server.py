"""`twin serve`: a run in a browser, drawn by this machine, for whoever holds the token."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import logging
import signal
import socket
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from twin.errors import InputError, TwinError
from twin.results import Run
from viz.console import build
from viz.curve import Curve
from viz.guard import LOCAL, Guard
from viz.player import Player
from viz.window import point_m

EXTRA = ("trame_pyvista", "trame_rca", "aiohttp")
SIZE_PX = (1280, 720)
FRAME_S = 0.05
"""The least time between two pictures while it plays, so that what the reader does is heard."""

KEYS = {" ": "play", "ArrowRight": "on", "ArrowLeft": "back", "+": "faster", "-": "slower", "c": "camera", "Home": "start", "End": "end"}
TAKEN = {"checkbox": ("play",), "submit": ("play",), "range": ("on", "back", "start", "end"), "select-one": tuple(KEYS.values())}
"""What a browser's own controls do with a key themselves, by their type."""


def serve(
    run: Run,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    at: object = "",
    camera: str = "",
    layers: Sequence[str] | None = None,
    look: str = "auto",
) -> None:
    """Serve a run until Ctrl-C; print the address, which carries a random token.

    InputError: no such layer, camera or moment, an address that cannot be listened at, the extra `serve` or what
    off-screen rendering needs is missing.
    """
    if any(find_spec(name) is None for name in EXTRA):
        raise InputError("twin serve needs the extra `serve`: pip install citytwin[serve] (`twin replay` needs nothing)")
    player = Player(run, at=at, camera=camera, layers=layers)
    check_address(host, port)
    with contextlib.closing(Served(run, player, look)) as served:
        asyncio.run(served.listen(host, port, say=print))


def check_address(host: str, port: int) -> None:
    """Raise InputError unless a server can listen at `host` and `port`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise _cannot_listen(host, port, error) from None


def _cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> InputError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return InputError(f"port {port} of {host} is in use; name another with --port, or none")
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return InputError(f"port {port} of {host} may not be used; name one above 1023 with --port, or none")
    return InputError(f"--host {host}: cannot be listened at: {getattr(error, 'strerror', None) or error}")


def _protect(guard: Guard, bound: Any) -> None:
    """Put the guard before everything a bound server answers, and tell the page where its websocket is."""
    from aiohttp import web

    async def where(request: web.Request) -> web.Response:
        return web.json_response({"sessionURL": f"ws://{request.host}/ws"})

    bound.app.middlewares.append(guard.middleware())
    bound.app.router.add_post("/paraview/", where)


def _say(error: BaseException) -> None:
    """Print what went wrong in one line; a reader who closed the page is no error."""
    if not isinstance(error, ConnectionError):
        print(f"{type(error).__name__}: {error}", file=sys.stderr)


def _keep_quiet(loop: asyncio.AbstractEventLoop) -> None:
    """Let nobody print a traceback when a reader closes the page while a picture is on its way, or sends what is no HTTP."""
    from aiohttp.http_exceptions import HttpProcessingError

    def gone(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], ConnectionError | HttpProcessingError))

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), ConnectionError):
            loop.default_exception_handler(context)

    logging.getLogger("aiohttp.server").addFilter(gone)
    logging.getLogger("wslink").setLevel(logging.CRITICAL)  # it hands every exception to `_say` as well
    loop.set_exception_handler(handle)


class Served:
    """One run behind one page: the scene, the player, and what the page knows."""

    def __init__(self, run: Run, player: Player, look: str) -> None:
        from trame.app import get_server

        from viz.preflight import require_rendering
        from viz.scene import Scene

        require_rendering()
        self.run, self.player, self.curve = run, player, None
        shown = [name for name, on in player.layers.items() if on]
        self.scene = Scene(run, layers=shown, camera=player.camera, size=SIZE_PX, look=look, off_screen=True)
        self.scene.at(player.second)
        self.scene.plotter.enable_terrain_style(mouse_wheel_zooms=True)
        self.server = get_server(f"twin-{id(self)}", client_type="vue3")
        self.state = self.server.state
        self._waiting, self.size_px = False, SIZE_PX
        self._tasks: set[asyncio.Task[None]] = set()
        self.state.update(self._known())
        self.view: Any = None

    def close(self) -> None:
        """Free what VTK holds."""
        self.scene.plotter.close()

    async def listen(self, host: str, port: int, say: Any) -> None:
        """Serve until the task is cancelled (Ctrl-C, or the end of the process); `say` gets the address."""
        guard = Guard(host)
        self.view = build(self)
        self._listen_to_page()
        self.server.controller.on_server_bind.add(partial(_protect, guard))
        self.server.controller.on_server_ready.add(lambda **_: say(self._address(guard)))
        # trame would read its options from our own command line
        self.server.cli.parse_known_args = partial(self.server.cli.parse_known_args, [])
        quiet = {"open_browser": False, "show_connection_info": False, "disable_logging": True}
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is not None:
            for one in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                    loop.add_signal_handler(one, task.cancel)
        _keep_quiet(loop)
        self.server.controller.on_exception.add(_say)
        playing = asyncio.create_task(self._play())
        try:
            await self.server.start(host=host, port=port, timeout=0, thread=True, exec_mode="coroutine", backend="aiohttp", **quiet)
        except asyncio.CancelledError:
            print("stopped", file=sys.stderr)
        except OSError as error:
            raise _cannot_listen(host, port, error) from None
        finally:
            playing.cancel()
            runner = getattr(self.server._server, "runner", None)
            guard.hang_up()
            if runner is not None:
                await runner.cleanup()

    def _address(self, guard: Guard) -> str:
        name = f"[{guard.host}]" if ":" in guard.host else guard.host
        address = f"http://{name}:{self.server.port}/?token={guard.token}"
        if guard.host in LOCAL:
            return f"{address}\nCtrl-C ends it"
        return f"{address}\nothers on the network can reach it, unencrypted, with this token; Ctrl-C ends it"

    # -- what the page knows ------------------------------------------------------------------------------------------

    def _known(self) -> dict[str, Any]:
        """Return the page's whole state."""
        player, run = self.player, self.run
        title = str(run.manifest.get("title") or run.name.replace("_", " "))
        return {
            "trame__title": title,
            "note": player.note(),
            "last_s": player.last_s,
            "every_s": int(run.manifest["record_every_s"]),
            "marks": [
                {
                    "at": 100 * mark.second / max(1, player.last_s),
                    "second": mark.second,
                    "clock": run.clock(mark.second),
                    "label": mark.label,
                }
                for mark in player.marks
            ],
            "layers": [name for name, on in player.layers.items() if on],
            "all_layers": list(player.layers),
            "camera": player.camera,
            "cameras": player.cameras,
            "pressed": [0, 0],
            "curve": "",
            "curve_now": 0.0,
            "said": [],
        } | self._moving()

    def _moving(self) -> dict[str, Any]:
        """Return what changes with the second."""
        player = self.player
        known: dict[str, Any] = {"second": int(player.second), "clock": player.clock, "happened": player.happened()}
        known |= {"playing": player.playing, "speed": player.speed}
        if self.curve is not None:
            known |= {"curve_now": 100 * self.curve.now(player.second), "said": self.curve.said(player.second)}
        return known

    # -- what the page does -------------------------------------------------------------------------------------------

    def _listen_to_page(self) -> None:
        self.state.change("second")(self._on_second)
        self.state.change("layers")(self._on_layers)
        self.state.change("camera")(self._on_camera)

    def _on_second(self, second: float, **_: Any) -> None:
        if int(second) != int(self.player.second):
            self.player.seek(float(second))
            self.draw_soon()

    def _on_layers(self, layers: Sequence[str], **_: Any) -> None:
        for name, was in self.player.layers.items():
            on = name in layers
            if on != was:
                self.player.layers[name] = on
                self.scene.show_layer(name, on)
                self.draw_soon()

    def _on_camera(self, camera: str, **_: Any) -> None:
        if camera in self.player.cameras and camera != self.player.camera:
            self.player.camera = camera
            self.scene.look_from(camera)
            self.draw_soon()

    def do(self, what: str) -> None:
        """Do what a button or a key says: play, on, back, faster, slower, camera, start, end."""
        player = self.player
        if not player.do(what) and what == "camera":
            self.scene.look_from(player.next_camera())
            self.state.camera = player.camera
        self.state.update(self._moving())
        self.draw_soon()

    def key(self, name: str, control: str | None) -> None:
        """Do what a key of the page says, unless the control it was pressed in (`control`: its HTML type) takes it."""
        taken = TAKEN.get(control or "", ())
        if name in KEYS and KEYS[name] not in taken:
            self.do(KEYS[name])

    def click(self, x: float, y: float, width: float, height: float, pressed: Sequence[float]) -> None:
        """Pick what lies under a point of the page's picture (pixels from its top left); a drag picks nothing."""
        if abs(x - pressed[0]) + abs(y - pressed[1]) > 4 or width < 1 or height < 1:
            return
        wide, high = self.scene.plotter.render_window.GetSize()
        point = point_m(self.scene.plotter, x / width * wide, (1 - y / height) * high)
        self.show_curve(self.scene.pick(point) if point else None)

    def show_curve(self, picked: tuple[str, str, str] | None) -> None:
        """Show the curve of an element; none for None."""
        self.player.picked = picked
        self.curve = Curve(self.run, picked) if picked else None
        png = base64.b64encode(self.curve.png()).decode() if self.curve else ""
        self.state.curve = f"data:image/png;base64,{png}" if png else ""
        self.state.update(self._moving())

    # -- drawing ------------------------------------------------------------------------------------------------------

    def draw_soon(self) -> None:
        """Draw once what all waiting changes come to."""
        if not self._waiting:
            self._waiting = True
            task = asyncio.get_running_loop().create_task(self._draw_once())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _draw_once(self) -> None:
        await asyncio.sleep(0.005)
        self._waiting = False
        self.draw()

    def draw(self) -> None:
        """Draw the second, send picture and state."""
        try:
            self.scene.at(int(self.player.second))
        except TwinError as error:
            self.player.playing = False
            self.state.note = str(error)
        with self.state:
            self.state.update(self._moving())
        self.view.render()

    async def _play(self) -> None:
        """Let time pass while it plays; lay the picture out anew when the page has another size."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(FRAME_S)
            now, size = time.monotonic(), tuple(self.scene.plotter.render_window.GetSize())
            if self.player.tick(now - before) or size != self.size_px:
                self.size_px = size
                self.draw()
            before = now

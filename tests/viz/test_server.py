"""`twin serve` lets in only who holds the token, from its own address; what it shows is the run."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import town

from twin.errors import InputError
from twin.results import open_run
from viz import server
from viz.guard import REFUSED, Guard

pytest.importorskip("trame_pyvista")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return town.write(tmp_path_factory.mktemp("runs") / "town")


class Served:
    """A running `twin serve`: its address in parts."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address
        parts = urlsplit(address)
        self.host, self.port, self.token = parts.hostname, parts.port, parse_qs(parts.query)["token"][0]

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """Ask with exactly these headers (underscores are dashes) besides a Host that is right unless given."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": f"{self.host}:{self.port}", **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        response.body = response.read() if response.status != 101 else b""
        connection.close()
        return response

    def upgrade(self, **headers: str) -> http.client.HTTPResponse:
        """Ask for the websocket."""
        wanted = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        return self.ask(headers.pop("path", "/ws"), **wanted, **headers)


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "twin.cli", "serve", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield Served(process, process.stdout.readline().strip())
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


@pytest.fixture(scope="module")
def served(folder) -> Iterator[Served]:
    with serving(folder) as one:
        yield one


def cookie_of(response: http.client.HTTPResponse) -> str:
    return response.getheader("Set-Cookie").split(";")[0]


# -- the guard --------------------------------------------------------------------------------------------------------


def test_without_its_token_it_says_one_line_and_nothing_else(served):
    for path in (
        "/",
        "/index.html",
        "/ws",
        "/vue.global.js",
        "/nothing",
        "/paraview/",
        "/?token=",
        "/?token=wrong",
        f"/?token={served.token}x",
    ):
        refused = served.ask(path)
        assert (refused.status, refused.body.decode()) == (403, REFUSED + "\n"), path
        assert refused.getheader("Set-Cookie") is None
    assert served.upgrade().status == 403
    assert served.upgrade(Origin=f"http://127.0.0.1:{served.port}", path="/ws?token=wrong").status == 403


def test_the_token_opens_the_page_and_a_cookie_that_scripts_and_other_sites_cannot_use_opens_the_rest(served):
    page = served.ask(f"/index.html?token={served.token}")
    assert page.status == 200
    assert b"<html" in page.body
    said = page.getheader("Set-Cookie")
    assert "HttpOnly" in said
    assert "SameSite=Strict" in said
    assert served.token not in said
    assert page.getheader("Referrer-Policy") == "no-referrer"
    assert "default-src 'self'" in page.getheader("Content-Security-Policy")
    assert served.ask("/vue.global.js", Cookie=cookie_of(page)).status == 200
    origin = f"http://127.0.0.1:{served.port}"
    assert served.upgrade(Cookie=cookie_of(page), Origin=origin).status == 101


def test_a_foreign_host_is_refused_even_with_the_token(served):
    right = f"/index.html?token={served.token}"
    for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1:1", "127.0.0.1", f"127.0.0.1:{served.port}@evil.example", ""):
        assert served.ask(right, Host=host).status in (400, 403), host
    assert served.ask(right, Host=f"localhost:{served.port}").status == 200


def test_a_foreign_origin_is_refused_even_with_the_token(served):
    right, own = f"?token={served.token}", f"http://127.0.0.1:{served.port}"
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{served.port}", "http://127.0.0.1:1", own + ".evil.example"):
        assert served.ask(f"/index.html{right}", Origin=origin).status == 403, origin
        assert served.upgrade(path=f"/ws{right}", Origin=origin).status == 403, origin
    assert served.upgrade(path=f"/ws{right}").status == 403, "a browser always says where a websocket comes from"
    assert served.upgrade(path=f"/ws{right}", Origin=own).status == 101
    assert served.ask(f"/index.html{right}", Origin=own).status == 200


def test_it_listens_at_the_loopback_address_only_unless_told(served):
    import psutil

    listening = [one.laddr.ip for one in psutil.Process(served.process.pid).net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]
    assert served.address.startswith(f"http://127.0.0.1:{served.port}/?token=")
    assert len(served.token) >= 40


@pytest.mark.parametrize(
    ("host", "authority", "ours"),
    [
        ("127.0.0.1", "127.0.0.1:80", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "[::1]:80", True),
        ("127.0.0.1", "192.168.1.7:80", False),
        ("0.0.0.0", "192.168.1.7:80", True),
        ("0.0.0.0", "Hall-PC:80", True),
        ("127.0.0.1", "hall-pc:80", False),
        ("0.0.0.0", "rebound.example:80", False),
        ("city.example", "city.example:80", True),
        ("127.0.0.1", "127.0.0.1:80/path", False),
        ("127.0.0.1", "a b", False),
        ("127.0.0.1", "127.0.0.1:port", False),
    ],
)
def test_a_host_header_is_ours_only_by_name_and_port(host, authority, ours, monkeypatch):
    monkeypatch.setattr("viz.guard.socket.gethostname", lambda: "hall-PC")
    assert Guard(host).is_our_host(authority, 80) is ours


def test_each_server_has_a_token_of_its_own():
    guards = [Guard("127.0.0.1") for _ in range(20)]
    assert len({guard.token for guard in guards} | {guard.cookie for guard in guards}) == 40
    assert guards[0].knows(guards[0].token, "")
    assert guards[0].knows("", guards[0].cookie)
    assert not guards[0].knows(guards[0].cookie, guards[0].token)
    assert not guards[0].knows("\ud800", "é")


# -- starting and ending ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_ends_it_cleanly_and_its_token_is_printed_once(folder, ending):
    with serving(folder) as one:
        assert one.ask(f"/index.html?token={one.token}").status == 200
        one.process.send_signal(ending)
        out, err = one.process.communicate(timeout=30)
        assert one.process.returncode == 0
        assert "Traceback" not in err
        assert one.token not in out + err


def test_ctrl_c_waits_for_no_reader_and_what_is_no_http_is_no_traceback(folder):
    with serving(folder) as one, contextlib.closing(socket.create_connection((one.host, one.port))) as reader:
        own = f"{one.host}:{one.port}"
        upgrade = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        )
        reader.sendall(f"GET /ws?token={one.token} HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\n{upgrade}\r\n".encode())
        assert b" 101 " in reader.recv(64)
        with socket.create_connection((one.host, one.port)) as rude:
            rude.sendall(b"\x00\xff\r\n\r\n")
            assert b" 400 " in rude.recv(64)
        one.process.send_signal(signal.SIGINT)
        _, err = one.process.communicate(timeout=15)
        assert (one.process.returncode, err) == (0, "stopped\n")


def test_two_origins_are_refused(served):
    own = f"127.0.0.1:{served.port}"
    head = f"GET /index.html?token={served.token} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n"
    for other, status in (("", b" 200 "), ("Origin: http://evil.example\r\n", b" 403 ")):
        with socket.create_connection((served.host, served.port)) as reader:
            reader.sendall(f"{head}Origin: http://{own}\r\n{other}\r\n".encode())
            assert status in reader.recv(64)


def test_a_port_in_use_is_one_line(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 is in use; name another with --port"):
            server.serve(open_run(folder), port=port)


def test_an_address_that_is_not_this_machines_is_one_line(folder):
    for host in ("203.0.113.9", "no.such.host.invalid", "a" * 70):
        with pytest.raises(InputError, match=f"--host {host}: cannot be listened at") as caught:
            server.serve(open_run(folder), host=host)
        assert "\n" not in str(caught.value)


def test_without_the_extra_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setattr(server, "EXTRA", ("no_such_package",))
    with pytest.raises(InputError, match=r"pip install citytwin\[serve\]"):
        server.serve(open_run(folder))


def test_what_goes_wrong_in_the_page_is_one_line_and_a_reader_who_leaves_is_none(capsys):
    server._say(ConnectionResetError("gone"))
    server._say(ValueError("no good"))
    assert capsys.readouterr().err == "ValueError: no good\n"


# -- what it shows ----------------------------------------------------------------------------------------------------


class Page:
    """Stands for the page's view: counts pictures."""

    def __init__(self) -> None:
        self.pictures = 0

    def render(self) -> None:
        self.pictures += 1


@pytest.fixture
def behind(folder) -> Iterator[server.Served]:
    """What a page talks to, without a socket."""
    run = open_run(folder)
    with contextlib.closing(server.Served(run, server.Player(run), "auto")) as one:
        one.view = Page()
        yield one


def acts(one: server.Served, *actions) -> None:
    """Do things as the page would, within an event loop, and let the drawing that waits be done."""

    async def run() -> None:
        for action in actions:
            action()
        await asyncio.sleep(0.05)

    asyncio.run(run())


def on_screen(renderer, point_m) -> tuple[float, float]:
    """Return where a place is in the picture, pixels from the lower left."""
    renderer.SetWorldPoint(*point_m, 1.0)
    renderer.WorldToDisplay()
    return renderer.GetDisplayPoint()[:2]


def test_a_scrub_moves_clock_and_picture_and_many_at_once_are_drawn_once(behind):
    before = behind.scene.picture()
    acts(behind, *[lambda second=second: behind._on_second(second) for second in range(10, 401, 10)])
    assert behind.state.clock == "21:36:40"
    assert behind.state.happened == "21:35:00 lamps.fault K2"
    assert behind.view.pictures == 1
    assert (before != behind.scene.picture()).any(axis=2).sum() > 200


def test_layers_and_cameras_are_the_scenes(behind):
    before = behind.scene.picture()
    acts(behind, lambda: behind._on_layers([name for name in behind.state.all_layers if name != "buildings"]))
    without = behind.scene.picture()
    acts(behind, lambda: behind._on_camera("corner"))
    assert (before != without).any(axis=2).mean() > 0.02
    assert (without != behind.scene.picture()).any(axis=2).mean() > 0.2
    assert behind.player.camera == "corner"


def test_a_click_shows_the_curve_of_what_lies_there_and_a_drag_does_not(behind):
    behind.scene.picture()
    x, y = on_screen(behind.scene.plotter.renderer, (150.0, 108.0, 5.0))
    acts(behind, lambda: behind.click(x, 720 - y, 1280, 720, [x - 90, 720 - y]))
    assert behind.state.curve == ""
    acts(behind, lambda: behind.click(x, 720 - y, 1280, 720, [x, 720 - y]))
    assert behind.player.picked == ("lamps", "lamp", "K2")
    assert behind.state.curve.startswith("data:image/png;base64,")
    assert dict(behind.state.said) == {"voltage": "230 V", "lit": "yes"}
    acts(behind, lambda: behind.do("end"))
    assert dict(behind.state.said) == {"voltage": "0 V", "lit": "no"}
    acts(behind, lambda: behind.show_curve(None))
    assert behind.state.curve == ""


def test_keys_play_and_step_unless_a_control_takes_them(behind):
    acts(behind, lambda: behind.key("ArrowRight", None), lambda: behind.key("ArrowRight", "range"), lambda: behind.key("x", None))
    assert behind.state.clock == "21:30:10"
    acts(behind, lambda: behind.key(" ", "range"), lambda: behind.key("+", None), lambda: behind.key(" ", "checkbox"))
    assert (behind.state.playing, behind.state.speed) == (True, 120)


def test_a_run_cut_short_is_served_and_the_page_says_so(tmp_path):
    town.go_on(town.start(tmp_path / "cut"), last_s=200).commit(200)
    run = open_run(tmp_path / "cut")
    with contextlib.closing(server.Served(run, server.Player(run), "auto")) as one:
        assert one.state.note == "unfinished: recorded to 21:33:20 of 21:40:00"
        assert one.state.last_s == 200

"""What `twin serve` shows: the picture, the timeline with its marks, play, layers, cameras, and an element's curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from viz.server import Served

STYLE = """
html, body { overflow: hidden; background: #10151c; margin: 0; }
.city { display: flex; flex-direction: column; height: 100vh; outline: none; background: #10151c; color: #e8ecf1; }
.foot { display: flex; align-items: center; gap: 14px; padding: 6px 14px; }
.middle { flex: 1; display: flex; min-height: 0; position: relative; }
.side { width: 176px; padding: 8px 14px; overflow-y: auto; }
.side label { display: flex; gap: 8px; align-items: center; padding: 3px 0; cursor: pointer; font-size: .9rem; }
.view { flex: 1; position: relative; min-width: 0; }
.clock { font-variant-numeric: tabular-nums; font-size: 1.35rem; font-weight: 600; line-height: 1.2; letter-spacing: .02em; }
.note { background: #7a3b00; padding: 1px 8px; border-radius: 3px; font-size: .8rem; }
.happened { font-size: .85rem; color: #ffb454; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.marks { position: relative; height: 18px; margin: 0 8px; }
.mark { position: absolute; bottom: 0; width: 3px; height: 14px; margin-left: -1px; background: #ffb454; cursor: pointer; }
.line { flex: 1; min-width: 0; }
.line input { width: 100%; accent-color: #5aa9ff; display: block; margin: 0; }
.city button, .city select { background: #232b36; color: inherit; border: 0; border-radius: 4px; padding: 5px 11px; font-size: .9rem; }
.city button:hover { background: #313c4b; cursor: pointer; }
.speed { min-width: 3.2rem; text-align: center; font-variant-numeric: tabular-nums; }
.city .curve { position: absolute; right: 12px; bottom: 12px; width: 460px; background: #fbfaf7; color: #22262b; border-radius: 4px;
  overflow: hidden; box-shadow: 0 2px 14px #0009; }
.curve img { display: block; width: 100%; }
.now { position: absolute; top: 26px; bottom: 20px; width: 2px; background: #d63c1e; }
.city .curve .close { position: absolute; right: 4px; top: 4px; z-index: 2; background: #dcdad5; padding: 1px 8px; }
.said { border-collapse: collapse; margin: 2px 10px 8px; }
.said td { padding: 1px 16px 1px 0; font-size: .78rem; font-variant-numeric: tabular-nums; }
.help { font-size: .75rem; opacity: .65; margin-top: 14px; line-height: 1.5; }
"""
HELP = (
    "space: play or pause",
    "left, right: one sample",
    "+ and -: speed",
    "c: next camera",
    "drag: turn; wheel: closer",
    "click: an element's curve",
)
QUALITY = 82
"""Of the JPEG pictures, of 100."""

PRESSED = "[$event.offsetX, $event.offsetY]"
CLICKED = "[$event.offsetX, $event.offsetY, $event.currentTarget.clientWidth, $event.currentTarget.clientHeight, pressed]"


def build(served: Served) -> Any:
    """Lay the page out on its server; return the view of the picture. Needs a running event loop."""
    from trame.ui.html import DivLayout
    from trame.widgets import client, html

    with DivLayout(served.server):
        client.Style(STYLE)
        with html.Div(classes="city", tabindex="0", keydown=(served.key, "[$event.key, $event.target.type]")):
            with html.Div(classes="middle"):
                _side(html)
                with html.Div(classes="view", mousedown=f"pressed = {PRESSED}", click=(served.click, CLICKED)):
                    view = _view(served)
                _curve(served, html)
            _foot(served, html)
    return view


def _view(served: Served) -> Any:
    """Return the picture: drawn here and sent as JPEG; mouse and wheel come back."""
    from trame_pyvista.rca_view import PyVistaRCAView

    view = PyVistaRCAView(served.scene.plotter, target_fps=20, event_throttle_ms=40, style="width:100%;height:100%")
    view.handler.update_quality(interactive=QUALITY, still=QUALITY)  # unlike ones would draw each picture twice
    return view


def _side(html: Any) -> None:
    with html.Div(classes="side"):
        with html.Label(v_for="name in all_layers", key="name"):
            html.Input(type="checkbox", v_model="layers", value=("name",), id=("'layer-' + name",))
            html.Span("{{ name }}")
        with html.Select(v_model="camera", title="camera", style="width:100%;margin-top:12px", id="camera"):
            html.Option("{{ name }}", v_for="name in cameras", key="name", value=("name",))
        with html.Div(classes="help"):
            for line in HELP:
                html.Div(line)


def _curve(served: Served, html: Any) -> None:
    with html.Div(classes="curve", v_if="curve"):
        html.Button("x", classes="close", title="close", click=(served.show_curve, "[null]"))
        with html.Div(style="position:relative"):
            html.Img(src=("curve",))
            html.Div(classes="now", style=("'left:' + curve_now + '%'",))
        with html.Table(classes="said"), html.Tr(v_for="row in said", key="row[0]"):
            html.Td("{{ row[0] }}")
            html.Td("{{ row[1] }}")


def _foot(served: Served, html: Any) -> None:
    def button(text: str, what: str, title: str) -> None:
        html.Button(text, title=title, click=(served.do, f"['{what}']"), id=what)

    with html.Div(classes="foot"):
        button("{{ playing ? 'pause' : 'play' }}", "play", "play or pause (space)")
        button("<", "back", "one sample back")
        button(">", "on", "one sample on")
        button("-", "slower", "slower")
        html.Span("{{ speed }}x", classes="speed")
        button("+", "faster", "faster")
        with html.Div(classes="line"):
            with html.Div(classes="marks"):
                html.Div(
                    v_for="mark in marks",
                    key="mark.second",
                    classes="mark",
                    style=("'left:' + mark.at + '%'",),
                    title=("mark.clock + ' ' + mark.label",),
                    click="second = mark.second",
                )
            html.Input(type="range", min=0, max=("last_s",), step=1, v_model_number="second", id="second")
    with html.Div(classes="foot", style="padding-top:0"):
        html.Span("{{ clock }}", classes="clock")
        html.Span("{{ note }}", classes="note", v_if="note")
        html.Span("{{ happened }}", classes="happened")

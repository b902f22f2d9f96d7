"""A loopback server that hears every request, and one hostile page for each road out of a page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROADS = {
    "img": '<img src="{url}/a.png">',
    "srcset": '<img srcset="{url}/a.png 1x, {url}/b.png 2x">',
    "picture": '<picture><source srcset="{url}/a.png"><img></picture>',
    "input": '<input type=image src="{url}/a.png">',
    "style sheet": '<link rel=stylesheet href="{url}/a.css">',
    "icon": '<link rel=icon href="{url}/a.ico">',
    "prefetch": '<link rel=prefetch href="{url}/a"><link rel=prerender href="{url}/b">',
    "preload": '<link rel=preload as=image href="{url}/a.png">',
    "module preload": '<link rel=modulepreload href="{url}/a.js">',
    "preconnect": '<link rel=preconnect href="{url}"><link rel=dns-prefetch href="{url}">',
    "manifest": '<link rel=manifest href="{url}/a.json">',
    "import": "<style>@import url({url}/a.css);</style>",
    "background": '<p style="background:url({url}/a.png)">x</p>',
    "css content": '<style>p::before{{content:url({url}/a.png)}}</style><p>x</p>',
    "list style": '<ul style="list-style-image:url({url}/a.png)"><li>x</ul>',
    "cursor": '<style>html{{cursor:url({url}/a.cur),auto}}</style>',
    "font": '<style>@font-face{{font-family:f;src:url({url}/a.woff2)}}p{{font-family:f}}</style><p>x</p>',
    "body background": '<body background="{url}/a.png">',
    "table background": '<table background="{url}/a.png"><tr><td background="{url}/b.png">x</table>',
    "svg image": '<svg><image href="{url}/a.png" width=9 height=9 /></svg>',
    "svg use": '<svg><use href="{url}/a.svg#x"/></svg>',
    "svg filter": '<p style="filter:url({url}/a.svg#f)">x</p>',
    "mask": '<p style="mask-image:url({url}/a.svg)">x</p>',
    "iframe": '<iframe src="{url}/a"></iframe>',
    "iframe srcdoc": "<iframe srcdoc='<img src={url}/a.png>'></iframe>",
    "sandboxed iframe": "<iframe sandbox srcdoc='<img src={url}/a.png>'></iframe>",
    "data iframe": "<iframe src='data:text/html,<img src={url}/a.png>'></iframe>",
    "frame": '<frameset><frame src="{url}/a"></frameset>',
    "object": '<object data="{url}/a"></object>',
    "embed": '<embed src="{url}/a">',
    "video": '<video src="{url}/a.mp4" poster="{url}/a.png" autoplay></video>',
    "audio": '<audio src="{url}/a.mp3" autoplay preload=auto></audio>',
    "track": '<video><track default src="{url}/a.vtt"></video>',
    "refresh": '<meta http-equiv=refresh content="0;url={url}/a">',
    "script": '<script src="{url}/a.js"></script>',
    "inline script": "<script>fetch('{url}/a')</script>",
    "on error": "<img src=x: onerror=\"new Image().src='{url}/a.png'\">",
    "svg script": "<svg onload=\"fetch('{url}/a')\"></svg>",
    "beacon": "<script>navigator.sendBeacon('{url}/a')</script>",
    "location": "<script>location='{url}/a'</script>",
    "data refresh": "<meta http-equiv=refresh content=\"0;url=data:text/html,<img src={url}/a.png>\">",
    "base": '<base href="{url}/"><img src="a.png">',
    "speculation": '<script type=speculationrules>{{"prefetch":[{{"urls":["{url}/a"]}}]}}</script>',
}  # fmt: skip
"""Markup by the name of its road; `{url}` is the canary's address."""


def hostile_page(road: str, url: str) -> str:
    """A page that takes one road to the canary; with text on it, but where frames take the place of the body."""
    markup = ROADS[road].format(url=url)
    return markup if road == "frame" else f"<p>text</p>{markup}"


class Canary:
    """Its address, and the paths that were asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[str] = []


@contextmanager
def canary() -> Iterator[Canary]:
    """A canary on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.heard.append(self.path)
            self.send_response(200)
            kind = "text/css" if ".css" in self.path else "image/png" if ".png" in self.path else "text/html"
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(b"")

        do_POST = do_GET  # noqa: N815 - the server looks for this name

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard = Canary(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            thread.join()

# ruff: noqa: E501 - a road's markup is one line, however long
"""Ears outside of a page, one set for each road out of it: a TCP port, a UDP port and a file; and the roads.

In the markup of a road `$url` is its own TCP port (every connection counts, with or without a request), `$same` an
address under the server that the control's documents come from (some roads are only open to their own origin), `$udp`
and `$lan` its UDP port on loopback and on this machine's own address, `$file` the address of its file.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from string import Template
from typing import Final

from rendering.chromium import find_chromium

SECRET_COLOR: Final = (1, 2, 3)
"""What a canary file shows: a picture with it in has read the file."""

ROADS: Final = {
    "img": '<img src="$url/a.png">',
    "img by name": '<img src="$localhost/a.png">',
    "lazy img": '<img loading=lazy src="$url/a.png">',
    "srcset": '<img srcset="$url/a.png 1x, $url/b.png 2x">',
    "picture": '<picture><source srcset="$url/a.png"><img></picture>',
    "input": '<input type=image src="$url/a.png">',
    "noscript": '<noscript><img src="$url/a.png"></noscript>',
    "shadow root": '<div><template shadowrootmode=open><img src="$url/a.png"></template></div>',
    "style sheet": '<link rel=stylesheet href="$url/a.css">',
    "icon": '<link rel=icon href="$url/a.ico">',
    "touch icon": '<link rel=apple-touch-icon href="$url/a.png">',
    "prefetch": '<link rel=prefetch href="$url/a">',
    "prerender": '<link rel=prerender href="$url/b">',
    "preload": '<link rel=preload as=image href="$url/a.png">',
    "preload srcset": '<link rel=preload as=image imagesrcset="$url/a.png 1x">',
    "module preload": '<link rel=modulepreload href="$url/a.js">',
    "preconnect": '<link rel=preconnect href="$url">',
    "manifest": '<link rel=manifest href="$url/a.json">',
    "dictionary": '<link rel=compression-dictionary href="$same/a.dict">',
    "import": "<style>@import url($url/a.css);</style>",
    "background": '<p style="background:url($url/a.png)">x</p>',
    "image-set": '<p style="background:image-set(url($url/a.png) 1x)">x</p>',
    "border image": '<p style="border:9px solid;border-image:url($url/a.png) 9">x</p>',
    "shape": '<p style="float:left;width:9px;height:9px;shape-outside:url($url/a.png)">x</p>',
    "css content": "<style>p::before{content:url($url/a.png)}</style><p>x</p>",
    "list style": '<ul style="list-style-image:url($url/a.png)"><li>x</ul>',
    "cursor": "<style>html{cursor:url($url/a.cur),auto}</style>",
    "font": "<style>@font-face{font-family:f;src:url($url/a.woff2)}p{font-family:f}</style><p>x</p>",
    "body background": '<body background="$url/a.png">',
    "table background": '<table background="$url/a.png"><tr><td background="$url/b.png">x</table>',
    "svg image": '<svg><image href="$url/a.png" width=9 height=9 /></svg>',
    "svg use": '<svg><use href="$same/a.svg#x"/></svg>',
    "svg filter": '<p style="filter:url($same/a.svg#f)">x</p>',
    "svg filter image": '<svg><filter id=f><feImage href="$url/a.png"/></filter><rect filter="url(#f)" width=9 height=9 /></svg>',
    "svg animation": '<svg><image width=9 height=9><set attributeName=href to="$url/a.png"/></image></svg>',
    "svg style": "<svg><style>@import url($url/a.css);</style></svg>",
    "mask": '<p style="mask-image:url($url/a.svg)">x</p>',
    "iframe": '<iframe src="$url/a"></iframe>',
    "iframe srcdoc": "<iframe srcdoc='<img src=$url/a.png>'></iframe>",
    "sandboxed iframe": "<iframe sandbox srcdoc='<img src=$url/a.png>'></iframe>",
    "refresh in an iframe": "<iframe srcdoc='<meta http-equiv=refresh content=0;url=$url/a>'></iframe>",
    "data iframe": "<iframe src='data:text/html,<img src=$url/a.png>'></iframe>",
    "frame": '<frameset><frame src="$url/a"></frameset>',
    "object": '<object data="$url/a"></object>',
    "embed": '<embed src="$url/a">',
    "video": '<video src="$url/a.mp4" autoplay></video>',
    "video source": '<video autoplay><source src="$url/a.mp4"></video>',
    "poster": '<video poster="$url/a.png"></video>',
    "audio": '<audio src="$url/a.mp3" autoplay preload=auto></audio>',
    "track": '<video src="data:video/mp4," crossorigin><track default src="$url/a.vtt"></video>',
    "refresh": '<meta http-equiv=refresh content="0;url=$url/a">',
    "data refresh": '<meta http-equiv=refresh content="0;url=data:text/html,<img src=$url/a.png>">',
    "base": '<base href="$url/"><img src="a.png">',
    "policy report": '<meta http-equiv=Content-Security-Policy content="img-src \'none\';report-uri $url/a"><img src="/a">',
    "speculation": '<script type=speculationrules>{"prefetch":[{"urls":["$url/a"]}]}</script>',
    "name": '<link rel=dns-prefetch href="//$name"><link rel=preconnect href="http://$name"><img src="http://$name/a">',
    "file img": '<img src="$file">',
    "file image of svg": '<svg width=99 height=99><image href="$file" width=9 height=9 /></svg>',
    "file style sheet": '<link rel=stylesheet href="$file">',
    "file import": "<style>@import url($file);</style>",
    "file background": '<p style="background:url($file)">x</p>',
    "file font": "<style>@font-face{font-family:f;src:url($file)}p{font-family:f}</style><p>x</p>",
    "file iframe": '<iframe src="$file"></iframe>',
    "file object": '<object data="$file"></object>',
    "file embed": '<embed src="$file">',
    "file video": '<video src="$file" autoplay></video>',
    "file script": '<script src="$file"></script>',
    "file refresh": '<meta http-equiv=refresh content="0;url=$file">',
}  # fmt: skip
"""Markup by the name of its road; no script of the page is needed to take it."""

SCRIPT_ROADS: Final = {
    "script": '<script src="$url/a.js"></script>',
    "module": '<script type=module src="$url/a.js"></script>',
    "dynamic import": "<script>import('$url/a.js')</script>",
    "svg script": '<svg><script href="$url/a.js"></script></svg>',
    "on error": "<img src=x: onerror=\"new Image().src='$url/a.png'\">",
    "on load": "<svg onload=\"fetch('$url/a')\"></svg>",
    "javascript iframe": "<iframe src=\"javascript:fetch('$url/a')\"></iframe>",
    "fetch": "<script>fetch('$url/a',{mode:'no-cors',keepalive:true})</script>",
    "request": "<script>let x=new XMLHttpRequest;x.open('GET','$url/a');x.send()</script>",
    "blocking request": "<script>let x=new XMLHttpRequest;x.open('GET','$url/a',false);x.send()</script>",
    "beacon": "<script>navigator.sendBeacon('$url/a')</script>",
    "beacon on leaving": "<script>addEventListener('pagehide',()=>navigator.sendBeacon('$url/a','x'))</script>",
    "fetch later": "<script>fetchLater('$same/a',{activateAfter:0})</script>",
    "ping": '<a id=a ping="$url/a" href="#x">x</a><script>a.click()</script>',
    "web socket": "<script>new WebSocket('$url/a'.replace('http','ws'))</script>",
    "event source": "<script>new EventSource('$url/a')</script>",
    "image": "<script>new Image().src='$url/a.png'</script>",
    "audio object": "<script>new Audio('$url/a.mp3').play()</script>",
    "font object": "<script>new FontFace('f','url($url/a.woff2)').load()</script>",
    "added style sheet": "<script>document.head.append(Object.assign(document.createElement('link'),{rel:'stylesheet',href:'$url/a.css'}))</script>",
    "added prefetch": "<script>document.head.append(Object.assign(document.createElement('link'),{rel:'prefetch',href:'$url/a'}))</script>",
    "added preconnect": "<script>document.head.append(Object.assign(document.createElement('link'),{rel:'preconnect',href:'$url'}))</script>",
    "added speculation": "<script>document.head.append(Object.assign(document.createElement('script'),{type:'speculationrules',text:'{\"prefetch\":[{\"urls\":[\"$url/a\"]}]}'}))</script>",
    "worker": "<script>new Worker('$same/a.js')</script>",
    "worker that imports": "<script>new Worker(URL.createObjectURL(new Blob([\"importScripts('$url/a.js')\"])))</script>",
    "data worker": "<script>new Worker(\"data:text/javascript,fetch('$url/a',{mode:'no-cors'})\")</script>",
    "shared worker": "<script>new SharedWorker('$same/a.js')</script>",
    "service worker": "<script>navigator.serviceWorker.register('$same/a.js')</script>",
    "worklet": "<script>CSS.paintWorklet.addModule('$url/a.js')</script>",
    "audio worklet": "<script>new OfflineAudioContext(1,1,8000).audioWorklet.addModule('$url/a.js')</script>",
    "form": '<form id=f action="$url/a"></form><script>f.submit()</script>',
    "form post": '<form id=f method=post action="$url/a"><input name=q value=1></form><script>f.requestSubmit()</script>',
    "popup": "<script>open('$url/a')</script>",
    "popup by link": '<a id=a target=_blank href="$url/a">x</a><script>a.click()</script>',
    "popup that is written": "<script>open('about:blank').document.write('<img src=$url/a.png>')</script>",
    "location": "<script>location='$url/a'</script>",
    "location in a frame": "<iframe id=f></iframe><script>f.contentWindow.location='$url/a'</script>",
    "navigation": "<script>navigation.navigate('$url/a')</script>",
    "data location": "<script>location='data:text/html,<img src=$url/a.png>'</script>",
    "blob location": "<script>location=URL.createObjectURL(new Blob(['<img src=$url/a.png>'],{type:'text/html'}))</script>",
    "blob iframe": "<iframe id=f></iframe><script>f.src=URL.createObjectURL(new Blob(['<img src=$url/a.png>'],{type:'text/html'}))</script>",
    "script location": "<script>location='javascript:\"<img src=$url/a.png>\"'</script>",
    "download": '<a id=a download href="$url/a">x</a><script>a.click()</script>',
    "clean frame": "<iframe id=f></iframe><script>f.contentWindow.fetch('$url/a',{mode:'no-cors'})</script>",
    "written document": "<script>onload=()=>{document.open();document.write('<img src=$url/a.png>');document.close()}</script>",
    "canvas picture": "<script>let i=new Image;i.crossOrigin='';i.src='$url/a.png'</script>",
    "xslt": "<script>let p=new XSLTProcessor,d=new DOMParser().parseFromString('<x:stylesheet version=\"1.0\" xmlns:x=\"http://www.w3.org/1999/XSL/Transform\"><x:template match=\"/\"><r><x:copy-of select=\"document(\\'$same/a.xml\\')\"/></r></x:template></x:stylesheet>','text/xml');p.importStylesheet(d);p.transformToFragment(d,document)</script>",
    "stun": "<script>let c=new RTCPeerConnection({iceServers:[{urls:['stun:$udp','stun:$lan']}]});c.createDataChannel('x');c.createOffer().then(o=>c.setLocalDescription(o))</script>",
    "turn": "<script>let c=new RTCPeerConnection({iceServers:[{urls:['turn:$udp','turn:$lan'],username:'u',credential:'c'}]});c.createDataChannel('x');c.createOffer().then(o=>c.setLocalDescription(o))</script>",
    "turn over tcp": "<script>let c=new RTCPeerConnection({iceServers:[{urls:'turn:$tcp?transport=tcp',username:'u',credential:'c'}]});c.createDataChannel('x');c.createOffer().then(o=>c.setLocalDescription(o))</script>",
    "peer": "<script>let c=new RTCPeerConnection;c.createDataChannel('x');c.createOffer().then(async o=>{await c.setLocalDescription(o);let r=new RTCPeerConnection;await r.setRemoteDescription(o);let s=await r.createAnswer();await r.setLocalDescription(s);await c.setRemoteDescription(s);let [a,p]='$udp'.split(':');for(let h of [a,'$lan'.split(':')[0]])c.addIceCandidate({sdpMid:'0',candidate:'candidate:1 1 udp 1 '+h+' '+p+' typ host'})})</script>",
    "web transport": "<script>new WebTransport('https://$udp/')</script>",
    "file fetch": "<script>fetch('$file',{mode:'no-cors'})</script>",
    "file request": "<script>let x=new XMLHttpRequest;x.open('GET','$file');x.send()</script>",
    "file image": "<script>document.body.append(Object.assign(new Image,{src:'$file'}))</script>",
    "file location": "<script>location='$file'</script>",
    "file popup": "<script>open('$file')</script>",
    "file worker": "<script>new Worker('$file')</script>",
    "file import of a module": "<script>import('$file')</script>",
}  # fmt: skip
"""Roads that a script of the page takes."""

ALL_ROADS: Final = ROADS | SCRIPT_ROADS

_TYPES: Final = {".css": "text/css", ".png": "image/png", ".js": "text/javascript", ".svg": "image/svg+xml"}
_IN_OPEN, _IN_ACCESS = 0x20, 0x1  # inotify(7)


class Canary:
    """What was heard of each road, and the markup that takes it."""

    def __init__(self) -> None:
        self.heard: dict[str, list[str]] = {road: [] for road in ALL_ROADS}
        self.documents: dict[str, str] = {}
        """The address where a control finds a road's document: of the canary's own origin, or a file's."""
        self._fields: dict[str, dict[str, str]] = {}

    def page(self, road: str) -> str:
        """A page that takes one road to the canary; with text on it, but where frames take the place of the body."""
        markup = Template(ALL_ROADS[road]).substitute(self._fields[road])
        return markup if road == "frame" else f"<!doctype html><p>text</p>{markup}"

    @property
    def taken(self) -> set[str]:
        """Roads that something came by."""
        return {road for road, heard in self.heard.items() if heard}


@contextmanager
def canary(folder: Path) -> Iterator[Canary]:
    """A canary whose ports are free ones, and whose files lie in `folder`."""
    ears = Canary()
    lan = _own_address()
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        home = stack.enter_context(_tcp_socket())
        places = {f"{number}": road for number, road in enumerate(ALL_ROADS)}

        def at_home(first_line: str) -> str:
            number, _, path = first_line.split(" ")[1].lstrip("/").partition("/")
            if path == "page":
                return ears.page(places[number])
            if number in places:
                ears.heard[places[number]].append(first_line)
            return ""

        _listen(selector, home, lambda: None, at_home)
        inotify = ctypes.CDLL(None, use_errno=True)
        watching = inotify.inotify_init1(os.O_NONBLOCK)
        stack.callback(os.close, watching)
        watched: dict[int, str] = {}
        for number, road in places.items():
            tcp, udp = stack.enter_context(_tcp_socket()), stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            udp.bind(("127.0.0.1", 0))
            tcp_port, udp_port = tcp.getsockname()[1], udp.getsockname()[1]
            file = folder / f"{number}.svg"
            file.write_text(
                '<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99">'
                f'<rect width="99" height="99" fill="rgb{SECRET_COLOR}"/></svg>'
            )
            ears._fields[road] = {
                "url": f"http://127.0.0.1:{tcp_port}",
                "localhost": f"http://localhost:{tcp_port}",
                "tcp": f"127.0.0.1:{tcp_port}",
                "same": f"http://127.0.0.1:{home.getsockname()[1]}/{number}",
                "udp": f"127.0.0.1:{udp_port}",
                "lan": f"{lan}:{udp_port}",
                "file": file.as_uri(),
                "name": f"road-{number}.example.test",
            }
            watched[inotify.inotify_add_watch(watching, os.fsencode(file), _IN_OPEN | _IN_ACCESS)] = road
            ears.documents[road] = f"http://127.0.0.1:{home.getsockname()[1]}/{number}/page"
            if road.startswith("file "):
                document = folder / f"{number}.html"
                document.write_text(ears.page(road))
                ears.documents[road] = document.as_uri()
            note = ears.heard[road].append
            _listen(selector, tcp, lambda note=note: note("connection"), lambda line, note=note: note(line) or "")
            _hear_datagrams(selector, udp, note)
            if lan != "127.0.0.1":
                outer = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
                outer.bind((lan, udp_port))
                _hear_datagrams(selector, outer, note)
        selector.register(watching, selectors.EVENT_READ, lambda: _note_reads(watching, watched, ears))
        stop_out, stop_in = os.pipe()
        stack.callback(os.close, stop_out)
        selector.register(stop_out, selectors.EVENT_READ, None)
        thread = threading.Thread(target=_serve, args=(selector,))
        thread.start()
        try:
            yield ears
        finally:
            os.close(stop_in)
            thread.join()


def open_plainly(ears: Canary, roads: Iterable[str], silent: Container[str], *, scripts: bool) -> None:
    """Open the page of each road in the same browser without any defence; `silent` ones are not waited for."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium().path)
        page = browser.new_context(java_script_enabled=scripts).new_page()
        for road in roads:
            with suppress(Error):  # it goes elsewhere while it comes
                page.goto(ears.documents[road], wait_until="commit")
            deadline = time.monotonic() + (0.1 if road in silent else 3)
            while road not in ears.taken and time.monotonic() < deadline:
                page.wait_for_timeout(10)
        page.wait_for_timeout(200)
        browser.close()


def _serve(selector: selectors.BaseSelector) -> None:
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return
            key.data()


def _tcp_socket() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=64)


def _own_address() -> str:
    """This machine's address on its network, loopback's where it has none. Nothing is sent to find out."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address for documentation
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _listen(
    selector: selectors.BaseSelector,
    server: socket.socket,
    note: Callable[[], object],
    reply: Callable[[str], str],
) -> None:
    """Accept connections; `reply` gets the first line of each request and gives the body."""

    def accept() -> None:
        connection, _ = server.accept()
        note()
        selector.register(connection, selectors.EVENT_READ, lambda: answer(connection))

    def answer(connection: socket.socket) -> None:
        selector.unregister(connection)
        with connection:
            try:
                line = connection.recv(65_536).decode("latin-1").partition("\r\n")[0]
                if line.count(" ") != 2:
                    return
                body = reply(line).encode()
                kind = _TYPES.get(Path(line.split(" ")[1]).suffix, "text/html")
                connection.sendall(
                    f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                    "Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
            except OSError:
                return

    selector.register(server, selectors.EVENT_READ, accept)


def _hear_datagrams(selector: selectors.BaseSelector, udp: socket.socket, note: Callable[[str], object]) -> None:
    selector.register(udp, selectors.EVENT_READ, lambda: note(f"datagram of {len(udp.recv(65_536))} bytes"))


def _note_reads(watching: int, watched: dict[int, str], ears: Canary) -> None:
    events = os.read(watching, 65_536)
    while events:
        watch, mask, _, length = struct.unpack_from("iIII", events)  # struct inotify_event
        ears.heard[watched[watch]].append("file opened" if mask & _IN_OPEN else "file read")
        events = events[16 + length :]

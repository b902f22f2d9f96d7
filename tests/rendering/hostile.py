# ruff: noqa: E501, ISC004 - a page's markup is one line, however long; a script is written over several
"""Pages made to take all time, memory or attention, each with what becomes of it: a reason, or a picture after all."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from typing import Final, NamedTuple


class Hostile(NamedTuple):
    """A page, and the reasons it may be rejected for: none or "" where it gives a picture within its bounds."""

    markup: str
    reasons: frozenset[str] = frozenset()
    scripts: bool = False


def bomb_png(side_px: int) -> str:
    """A data address of a white PNG of `side_px` squared, small as a file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\x00" * (side_px // 8 + 2) * side_px, 9)
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return f"data:image/png;base64,{b64encode(png).decode()}"


def laughs(levels: int) -> str:
    """SVG `use` of ten `use` of ten …: 10 ** levels shapes in a few lines."""
    groups = "".join(
        f'<g id="g{level}">' + f'<use href="#g{level - 1}"/>' * 10 + "</g>" for level in range(1, levels + 1)
    )
    return f'<svg><g id="g0"><rect width="1" height="1"/></g>{groups}</svg>'


TOO_MUCH: Final = frozenset({"timeout", "crashed"})
"""Which of the two depends on the machine: the time may be up first, or the memory."""

SLOW: Final = frozenset({"", "timeout"})
"""A picture, or on a slow machine none: what is promised is the bound."""

STATIC: Final = {
    "a million elements": Hostile("<i>" * 1_000_000, frozenset({"over_cap"})),
    "a million pixels high": Hostile('<p style="height:1000000px">x', frozenset({"cut_off"})),
    "a million pixels wide": Hostile('<p style="width:1000000px">x'),
    "a grid a hundred thousand high": Hostile(
        '<div style="display:grid;grid-template-rows:repeat(100000,1px)"><p style="grid-area:100000/1">x', frozenset({"cut_off"})),
    "endless animation": Hostile(
        "<style>@keyframes a{to{transform:rotate(1turn)}}p{animation:a 1ms infinite}</style><p>x"),
    "a long way in": Hostile("<style>@keyframes a{from{opacity:0}}p{animation:a 3600s}</style><p>x"),
    "animation by scrolling": Hostile(
        "<style>@keyframes a{from{opacity:0}}p{animation:a linear both;animation-timeline:scroll()}"
        "b{animation:a linear;animation-timeline:--none}</style><p>x<b>y</b><p style='height:2000px'>"),
    "dialog and popup": Hostile("<dialog open>x</dialog><script>alert(1);open('about:blank')</script>"),
    "huge picture": Hostile(f'<p>x<img src="{bomb_png(30_000)}" width=100>'),
    "huge placeholder": Hostile('<p>x<img src="https://source.unsplash.com/99999x99999">'),
    "huge filter": Hostile(
        '<div style="filter:blur(900px) drop-shadow(0 0 900px red);width:9999px;height:5000px">x', SLOW | {"blank"}),
    "filters in filters": Hostile(
        "<div style='filter:blur(99px)'>" * 300 + "<p style='width:600px;height:3000px;background:red'>x", TOO_MUCH),
    "filters of what lies behind": Hostile(
        "<div style='position:absolute;inset:0;height:7000px;backdrop-filter:blur(50px) invert(1)'></div>" * 300 + "<p>x",
        TOO_MUCH),
    "deep nesting": Hostile("<div>" * 40_000 + "x", SLOW),
    "ten million shapes": Hostile(laughs(7), TOO_MUCH),
    "two thousand shadows": Hostile(
        f"<p style='box-shadow:{','.join(f'{n}px {n}px {n}px red' for n in range(2_000))}'>x", TOO_MUCH),
    "long arcs": Hostile(
        f"<svg width=600 height=600><path stroke=red d='{'M0 0 A 1e9 1e9 0 1 1 600 600 ' * 50_000}'/></svg>", TOO_MUCH),
    "spanning cells": Hostile("<table><tr>" + "<td colspan=1000 rowspan=65534>x" * 40_000, TOO_MUCH),
    "many style sheets": Hostile(
        "<p>x" + "".join(f'<link rel=stylesheet href="http://a.test/{n}">' for n in range(20_000)), TOO_MUCH),
    "many pictures": Hostile("<p>x" + "".join(f'<img src="http://a.test/{n}.png">' for n in range(20_000)), TOO_MUCH),
    "a line of a million letters": Hostile("<p>" + "x" * 1_900_000, frozenset({"cut_off"}) | TOO_MUCH),
    "a name of a million letters": Hostile(f"<{'x' * 900_000}>" + "t<br>" * 5_000, frozenset({"cut_off"})),
}  # fmt: skip
"""Without scripts."""

_SCRIPTS: Final = {
    "endless loop": ("for(;;);", TOO_MUCH),
    "dialogs, popups, downloads": (
        "for(;;){alert(1);confirm(2);prompt(3);print();open('about:blank');"
        "let a=document.createElement('a');a.download='x';a.href='data:,x';a.click()}", TOO_MUCH),
    "dialogs": ("for(;;){alert(1);confirm(2);prompt(3);print()}", TOO_MUCH),
    "popups": ("for(;;)open('about:blank')", TOO_MUCH),
    "downloads": ("for(;;){let a=document.createElement('a');a.download='x';a.href='data:,x';a.click()}", TOO_MUCH),
    "blocking requests": (
        "for(;;)try{let x=new XMLHttpRequest;x.open('GET','http://a.test/',false);x.send()}catch(e){}", TOO_MUCH),
    "microtasks": ("let f=()=>Promise.resolve().then(f);f()", TOO_MUCH),
    "a million timers": ("for(let i=0;i<1e6;i++)setTimeout(()=>{document.title=i},0)", None),
    "a million addresses": ("for(;;)history.pushState(0,'','#'+Math.random())", TOO_MUCH),
    "a million places": ("for(;;)location='#'+Math.random()", TOO_MUCH),
    "navigation by timer": ("setInterval(()=>location='http://a.test/'+Math.random(),0)", {"navigated"}),
    "reload by timer": ("setInterval(()=>location.reload(),0)", {"navigated"}),
    "blank": ("location='about:blank'", {"navigated"}),
    "back": ("history.back()", {"navigated"}),
    "pictures for ever": (
        "let f=()=>{let i=new Image;i.onload=f;i.src='http://a.test/'+Math.random()+'.png'};f()", TOO_MUCH),
    "talking": ("for(;;)console.log('x')", TOO_MUCH),
    "talking at length": ("let s='x'.repeat(1e8);for(;;)console.log(s+Math.random())", TOO_MUCH),
    "errors": ("for(let i=0;i<1e5;i++)setTimeout(()=>{throw new Error('x'.repeat(1e4))})", None),
    "memory in arrays": ("let k=[];for(;;)k.push(new Uint8Array(5e7).fill(1))", TOO_MUCH),
    "memory in objects": ("let k=[];for(;;)k.push({a:[1,2,3]})", TOO_MUCH),
    "memory in canvases": (
        "let k=[];for(let i=0;i<2000;i++){let c=document.createElement('canvas');c.width=c.height=8000;"
        "c.getContext('2d').fillRect(0,0,8000,8000);k.push(c)}", TOO_MUCH),
    "memory in the browser": (
        "let k=[],u=new Uint8Array(5e7).fill(1);onload=()=>{for(let i=0;i<100;i++)k.push(new Blob([u]))}", None),
    "elements for ever": ("for(;;)document.body.append(document.createElement('b'))", TOO_MUCH),
    "frames for ever": ("for(;;)document.body.append(document.createElement('iframe'))", TOO_MUCH),
    "depth": ("let e=document.body;for(let i=0;i<1e5;i++){let d=document.createElement('div');e.append(d);e=d}", None),
    "a slow expression": ("/^(a+)+$/.test('a'.repeat(60)+'b')", TOO_MUCH),
    "a busy worker": ("new Worker(URL.createObjectURL(new Blob(['for(;;);'])))", frozenset()),
    "loops on leaving": (
        "addEventListener('pagehide',()=>{for(;;);});addEventListener('beforeunload',e=>{e.preventDefault();for(;;);})",
        frozenset()),
    "loops on being measured": (
        "let f=()=>{for(;;);};new MutationObserver(f).observe(document,{childList:true,subtree:true});"
        "onresize=onscroll=f;for(let [t,n] of [[Document,'fonts'],[Node,'parentNode'],[Element,'localName']])"
        "Object.defineProperty(t.prototype,n,{get:f})", frozenset()),
    "no root for long": (
        "let f=()=>{document.documentElement?.remove();requestAnimationFrame(f)};f()", {"blank", "crashed"}),
    "no root": ("document.documentElement.remove()", {"blank"}),
}  # fmt: skip

SCRIPTED: Final = {
    # None: whether it is done in time depends on the machine.
    name: Hostile(f"<p>x<script>{script}</script>", frozenset({*TOO_MUCH, ""} if reasons is None else reasons), True)
    for name, (script, reasons) in _SCRIPTS.items()
}
"""With a script that runs."""

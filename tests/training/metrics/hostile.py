"""What models write when they have lost their way, and worse."""

from __future__ import annotations

HOSTILE: dict[str, str] = {
    "empty": "",
    "white space": " \n\t ",
    "no markup": "I cannot see any table in this picture.",
    "nested tags": "<div>" * 100_000,
    "nested tables": "<html><body>" + "<table><tr><td>" * 30_000,
    "nested inline": "<html><body><table><tr><td>" + "<b>" * 100_000 + "x",
    "many cells": "<html><body><table><tr>" + "<td>x</td>" * 40_000 + "</tr></table></body></html>",
    "a megabyte of text": "<html><body><table><tr><td>" + "lorem ipsum " * 87_000 + "</td></tr></table></body></html>",
    "a megabyte": "x" * 1_000_000,
    "many attributes": "<html><body><table " + " ".join(f"a{n}" for n in range(100_000)) + "><tr><td>x",
    "open tags": "<" * 300_000,
    "half a surrogate pair": "<html><body><table><tr><td>\ud800</td></tr></table></body></html>",
    "control characters": "<html><body><table><tr><td>a\0b\x1b</td></tr></table></body></html>",
    "spans of nothing": '<html><body><table><tr><td colspan="' + "9" * 5_000 + '" rowspan="x">a</td></tr></table>',
    "processing instruction": "<html><body><table><?php x ?><tr><td><?y?>a</td></tr></table></body></html>",
    "nested braces": "{" * 100_000,
    "scripts": "x" + "^{x" * 50_000,
    "a tower": "9^{9^{9^{9^{9^{9}}}}}",
    "macros": r"\def\a{\a\a}\a",
    "repeating": r"\frac { a } { b } " * 20_000,
}

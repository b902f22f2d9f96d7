"""Where the style sheets and fonts are that pages are rendered with; `python -m rendering.install` puts them there.

The browser sees these fonts and no others, so that pixels are the same on every machine.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from rendering.errors import AssetsMissingError

ASSETS_DIR: Final = Path(__file__).parent / "assets"
MODULES_DIR: Final = ASSETS_DIR / "node_modules"
LOCK_FILE: Final = ASSETS_DIR / "package-lock.json"

TAILWIND_CSS: Final = MODULES_DIR / "tailwindcss/dist/tailwind.min.css"
KATEX_CSS: Final = MODULES_DIR / "katex/dist/katex.min.css"
KATEX_JS: Final = MODULES_DIR / "katex/dist/katex.min.js"
MONOSPACE_FONT: Final = MODULES_DIR / "dejavu-fonts-ttf/ttf/DejaVuSansMono.ttf"

FONT_FOLDERS: Final = (
    "dejavu-fonts-ttf/ttf",
    "@expo-google-fonts/arimo",
    "@expo-google-fonts/tinos",
    "@expo-google-fonts/cousine",
    "@expo-google-fonts/noto-sans-math",
    "@expo-google-fonts/noto-sans-symbols-2",
    "@expo-google-fonts/noto-emoji/400Regular",
    "@embedpdf/fonts-sc/fonts",
    "@expo-google-fonts/nanum-gothic",
    "@expo-google-fonts/cabin",
    "@expo-google-fonts/crimson-text",
    "@expo-google-fonts/pt-sans-narrow",
    "@expo-google-fonts/source-sans-3",
    "@expo-google-fonts/stix-two-text",
    "katex/dist/fonts",
)

# Generic families are what a headless Linux machine with Debian's fonts answers, because WebSight's pictures were
# taken on such ones. Arimo, Tinos and Cousine have the widths of Arial, Times New Roman and Courier New.
FONT_ALIASES: Final = (
    ("Arial", "Arimo"),
    ("Helvetica", "Arimo"),
    ("Liberation Sans", "Arimo"),
    ("Times New Roman", "Tinos"),
    ("Times", "Tinos"),
    ("Liberation Serif", "Tinos"),
    ("Courier New", "Cousine"),
    ("Courier", "Cousine"),
    ("Liberation Mono", "Cousine"),
    ("sans-serif", "DejaVu Sans"),
    ("system-ui", "DejaVu Sans"),
    ("serif", "Tinos"),
    # Not DejaVu's: Chromium forgets what Playwright has told it of fonts (`Monospace`) when a page is taken beyond its
    # viewport, and goes on with its own, `Courier New`. Both have to be one; WebSight's pictures have this one, too.
    ("monospace", "Cousine"),
    ("math", "Noto Sans Math"),
    ("emoji", "Noto Emoji"),
    ("Apple Color Emoji", "Noto Emoji"),
    ("Noto Color Emoji", "Noto Emoji"),
)
FONT_FALLBACK: Final = (
    "DejaVu Sans",
    "Noto Sans S Chinese",
    "Noto Sans Math",
    "Noto Sans Symbols 2",
    "Noto Emoji",
    "NanumGothic",
)
VARIATION_FONTS: Final = ("Cabin", "Crimson Text", "PT Sans Narrow", "Source Sans 3", "STIX Two Text")
"""What only varied renders ask for, near the faces of journals: Gill Sans, Minion, Frutiger Condensed, Myriad, Times.
Few pages name them, so that their being here changes no plain render."""


def require_assets() -> None:
    """Raise AssetsMissingError when a style sheet or font folder is not installed."""
    wanted = [TAILWIND_CSS, KATEX_CSS, KATEX_JS, *(MODULES_DIR / folder for folder in FONT_FOLDERS)]
    missing = [path.relative_to(ASSETS_DIR).as_posix() for path in wanted if not path.exists()]
    if missing:
        raise AssetsMissingError(f"Rendering has no {', '.join(missing)}", "Run `make setup`")


def assets_fingerprint() -> str:
    """Sha256 over the lock of the npm packages (their integrity hashes) and the font settings."""
    return hashlib.sha256(LOCK_FILE.read_bytes() + _fonts_conf(MODULES_DIR.name, "").encode()).hexdigest()


def fontconfig_file() -> Path:
    """The fontconfig file that the browser is started with, written where needed, with its cache beside it."""
    require_assets()
    for folder in (MODULES_DIR / ".fontconfig", Path(tempfile.gettempdir()) / f"markupmill-fonts-{_folder_tag()}"):
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            path, text = folder / "fonts.conf", _fonts_conf(str(MODULES_DIR), str(folder / "cache"))
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                # Renamed into place: another process may be reading it.
                with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as draft:
                    draft.write(text)
                Path(draft.name).replace(path)
        except OSError:  # a read-only installation: the temporary folder serves
            continue
        return path
    raise AssetsMissingError(
        "No folder can be written for the font cache", "Set TMPDIR to a folder that can be written"
    )


@lru_cache(maxsize=1)
def katex_css() -> str:
    """KaTeX's style sheet with its fonts taken from the installed ones by name: nothing loads late."""
    text = KATEX_CSS.read_text(encoding="utf-8")
    return re.sub(r"src:url\(fonts/([\w-]+)\.woff2\)[^;}]*", r'src:local("\1")', text)


def _folder_tag() -> str:
    return hashlib.sha256(str(MODULES_DIR).encode()).hexdigest()[:12]


def _fonts_conf(modules: str, cache: str) -> str:
    folders = "".join(f"<dir>{escape(f'{modules}/{folder}')}</dir>" for folder in FONT_FOLDERS)
    aliases = "".join(
        f'<match target="pattern"><test name="family"><string>{asked}</string></test>'
        f'<edit name="family" mode="prepend" binding="same"><string>{given}</string></edit></match>'
        for asked, given in FONT_ALIASES
    )
    fallback = "".join(f"<string>{family}</string>" for family in FONT_FALLBACK)
    return (
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        # KaTeX's come in three packings, with other hints in each: which was met first would decide.
        "<selectfont><rejectfont><glob>*.woff*</glob></rejectfont></selectfont>"
        f"{folders}<cachedir>{escape(cache)}</cachedir>{aliases}"
        f'<match target="pattern"><edit name="family" mode="append_last">{fallback}</edit></match>'
        "</fontconfig>"
    )

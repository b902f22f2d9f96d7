"""What a page's requests are answered with."""

import pytest

from rendering.network import GREY, Answer, answer, placeholder_size, placeholder_svg

TAILWIND = "https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css"


@pytest.mark.parametrize(
    ("url", "size"),
    [
        ("https://source.unsplash.com/random/300x200/?dog", (300, 200)),
        ("https://source.unsplash.com/random/1600X900", (1600, 900)),
        ("https://placehold.co/600x400/png", (600, 400)),
        ("https://via.placeholder.com/150", (150, 150)),
        ("https://picsum.photos/200/300", (200, 300)),
        ("https://picsum.photos/seed/12/900/600", (900, 600)),
        ("https://picsum.photos/120", (120, 120)),
        ("https://images.example/a.jpg?w=320&q=80&h=240", (320, 240)),
        ("https://images.example/a.jpg", (640, 480)),
        ("https://source.unsplash.com/random/99999x0/", (4000, 1)),
    ],
)
def test_pictures_have_the_size_asked_for(url: str, size: tuple[int, int]) -> None:
    assert placeholder_size(url) == size
    width_px, height_px = size
    assert f'width="{width_px}" height="{height_px}"'.encode() in placeholder_svg(url, "palette")


def test_a_picture_is_the_same_for_the_same_address() -> None:
    url = "https://source.unsplash.com/random/300x200/?dog"
    assert placeholder_svg(url, "palette") == placeholder_svg(url, "palette")
    assert len({placeholder_svg(f"{url}{number}", "palette") for number in range(40)}) > 3
    assert GREY.encode() in placeholder_svg(url, "grey")


def test_pictures_are_replaced_with_a_warning() -> None:
    reply = answer("http://127.0.0.1/secret.png", "Image", "", "grey")
    assert (reply.content_type, reply.warning) == ("image/svg+xml", "pictures replaced by placeholders")


@pytest.mark.parametrize(
    "url",
    [
        TAILWIND,
        "https://unpkg.com/tailwindcss@2.2.19/dist/tailwind.min.css",
        "https://cdnjs.cloudflare.com/ajax/libs/tailwindcss/2.2.19/tailwind.min.css",
    ],
)
def test_tailwind_is_answered_from_disk(url: str) -> None:
    reply = answer(url, "Stylesheet", '<p class="flex">', "palette")
    assert reply.body is not None
    assert b".flex{display:flex}" in reply.body
    assert reply.warning == ""


def test_other_tailwind_2_is_answered_with_a_warning() -> None:
    reply = answer("https://unpkg.com/tailwindcss@^2/dist/tailwind.min.css", "Stylesheet", "", "palette")
    assert reply.body is not None
    assert "2.2.19" in reply.warning


def test_katex_is_answered_from_disk() -> None:
    reply = answer("https://cdn.jsdelivr.net/npm/katex@0.16.9/dist/katex.min.css", "Stylesheet", "", "palette")
    assert reply.body is not None
    assert b"url(" not in reply.body


@pytest.mark.parametrize(
    "url",
    [
        "https://fonts.example/css2?family=Inter",
        "https://cdn.jsdelivr.net/npm/bootstrap@5/dist/css/bootstrap.min.css",
        "https://cdn.jsdelivr.net/npm/tailwindcss@3.4.1/dist/tailwind.min.css",
        TAILWIND.replace("cdn.jsdelivr.net", "cdn.jsdelivr.net.evil.example"),
        "file:///etc/passwd",
    ],
)
def test_unknown_style_sheets_are_left_out_with_a_warning(url: str) -> None:
    assert answer(url, "Stylesheet", "", "palette") == Answer(warning=f"style sheet not known, left out: {url}")


@pytest.mark.parametrize("kind", ["Document", "Script", "Font", "XHR", "Media", "Other", "Prefetch"])
def test_everything_else_is_refused(kind: str) -> None:
    reply = answer("http://example.test/", kind, "", "palette")
    assert reply.body is None
    assert reply.warning

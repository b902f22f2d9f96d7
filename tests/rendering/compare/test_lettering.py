"""Lines read in a picture find their paragraphs, however lines break; what is missing or too much is told."""

from __future__ import annotations

from rendering.compare.lettering import Lettering, faults_of, letters_of, match_text, paragraphs_of
from rendering.compare.reading import TextLine
from rendering.result import Box

SIZE = (1000.0, 600.0)


def box(text: str, block: int, x: float = 20, y: float = 20, width: float = 400) -> Box:
    return Box("p", x, y, width, 20, text, block)


def line(text: str, x: float = 20, y: float = 20, width: float = 400) -> TextLine:
    return TextLine(text, x, y, width, 20)


PAGE = [
    box("Our Programs", 0, y=20),
    box("We offer a variety of programs to meet", 1, y=60),
    box("the needs of our students.", 1, y=85),
    box("Contact", 2, y=140),
]


def match(boxes: list[Box], lines: list[TextLine]) -> Lettering:
    return match_text(paragraphs_of(boxes), lines, SIZE, SIZE)


def missing(lettering: Lettering) -> list[str]:
    return [word.letters for found in lettering.found for word in found.missing]


def left_over(lettering: Lettering) -> list[str]:
    return [text for found in lettering.found for _, text in found.left_over]


def as_read(boxes: list[Box]) -> list[TextLine]:
    return [line(box.text, box.x_px, box.y_px) for box in boxes]


def test_what_is_read_as_it_was_written_is_found_whole() -> None:
    told = match(PAGE, as_read(PAGE))
    assert len(told.found) == 3
    assert all(found.similarity == 1 for found in told.found)
    assert (told.missing, told.left_over, missing(told), left_over(told)) == ((), (), [], [])
    assert {(tied.text, read.text) for found in told.found for tied, read in found.ties} == {
        (box.text, box.text) for box in PAGE
    }


def test_lines_may_break_elsewhere_and_look_alikes_are_no_difference() -> None:
    lines = [
        line("0ur Programs", y=20),
        line("We offer a variety", y=55),
        line("of programs to meet the", y=80),
        line("needs of our students", y=105),
        line("Contact", y=170),
    ]
    told = match(PAGE, lines)
    assert (told.missing, told.left_over, missing(told), left_over(told)) == ((), (), [], [])


def test_a_line_read_across_several_blocks_belongs_to_each() -> None:
    menu = [box("Home", 0, x=20, width=60), box("Programs", 1, x=100, width=90), box("About us", 2, x=210, width=90)]
    told = match(menu, [line("Home Programs About us", width=280)])
    assert (told.missing, told.left_over, missing(told), left_over(told)) == ((), (), [], [])


def test_parts_of_a_line_are_tied_to_the_blocks_that_they_belong_to() -> None:
    menu = [box("Home", 0, x=20, width=60), box("Programs", 1, x=100, width=90), box("About us", 2, x=210, width=90)]
    [found] = match(menu, [line("Home Programs About us", x=20, width=280)]).found
    places = {tied.text: (read.x_px, read.x_px + read.width_px) for tied, read in found.ties}
    for tied in menu:
        left, right = places[tied.text]
        assert left < tied.x_px + tied.width_px / 2 < right
        assert right - left < 160


def test_one_other_word_is_missing_here_and_too_much_there() -> None:
    lines = as_read(PAGE)
    lines[1] = line("We offer a mountain of programs to meet", y=60)
    told = match(PAGE, lines)
    assert missing(told) == ["varlety"]
    assert len("".join(left_over(told))) >= 5


def test_a_paragraph_that_was_not_read_and_a_line_that_nobody_wrote() -> None:
    lines = [*as_read(PAGE)[:3], line("Subscribe now", y=400)]
    told = match(PAGE, lines)
    assert [paragraph.letters for paragraph in told.missing] == ["contact"]
    assert [read.text for read in told.left_over] == ["Subscribe now"]


def test_of_equal_texts_the_nearer_ones_belong_together() -> None:
    buttons = [box("Read more", at, x=20 + 300 * at, y=20 + 150 * at, width=90) for at in range(3)]
    told = match(buttons, as_read(buttons)[::-1])
    ties = [found.ties[0] for found in told.found]
    assert [(tied.x_px, read.x_px) for tied, read in ties] == [(20, 20), (320, 320), (620, 620)]


def test_no_text_at_all_on_either_side() -> None:
    assert match([], []) == Lettering((), (), ())
    assert match([], [line("only here")]).left_over == (line("only here"),)
    assert [paragraph.letters for paragraph in match(PAGE[:1], []).missing] == ["ourprograms"]


def test_letters_are_compared_without_case_accents_and_signs() -> None:
    assert letters_of("Élan – 10 % (IL)") == letters_of("elan l0 il")
    assert letters_of("→ ★ ©") == ""
    assert letters_of("数据") == "数据"


def test_the_end_of_a_line_that_went_to_the_wrong_paragraph_is_no_fault() -> None:
    boxes = [
        box("Our mission is to provide hope and optimism to those in need.", 0, y=60),
        box("We have helped to build homes for families in need.", 1, y=140),
    ]
    lines = [
        line("Our mission is to provide hope and optimism to those in need.", y=60),
        line("We have helped to build homes for families in", y=120),
        line("need.", y=75),
    ]
    faults = faults_of(match(boxes, lines))
    assert (faults.missing, faults.left_over, faults.n_letters) == ((), (), 0)


def test_faults_are_words_here_and_letters_there() -> None:
    lines = as_read(PAGE)
    lines[1] = line("We offer a mountain of programs to meet", y=60)
    faults = faults_of(match(PAGE, [*lines, line("Subscribe", y=400)]))
    assert [word.text for word in faults.missing] == ["variety"]
    assert [letters for _, letters in faults.left_over][-1] == "subscrlbe"
    assert faults.n_letters >= 7 + 6 + 9

"""A page gets the Tailwind rules that it can use, in their order."""

from rendering.tailwind import tailwind_for


def test_only_what_the_markup_names() -> None:
    css = tailwind_for('<p class="text-red-500 md:flex">')
    assert ".text-red-500{" in css
    assert ".md\\:flex{" in css
    assert ".text-red-600" not in css
    assert len(css) < 20_000


def test_base_rules_and_key_frames_are_always_there() -> None:
    css = tailwind_for("")
    assert "h1,h2,h3" in css
    assert "@keyframes spin" in css


def test_selectors_of_several_classes_need_all_of_them() -> None:
    assert ".group:hover .group-hover\\:underline{" in tailwind_for(
        '<i class="group"><b class="group-hover:underline">'
    )
    assert "group-hover" not in tailwind_for('<i class="group">')


def test_order_and_media_are_kept() -> None:
    css = tailwind_for('<p class="md:p-4 sm:p-2 p-1 lg:p-8">')
    places = [css.index(part) for part in (".p-1{", ".sm\\:p-2{", ".md\\:p-4{", ".lg\\:p-8{")]
    assert places == sorted(places)
    assert css.count("{") == css.count("}")


def test_class_names_in_other_spellings_are_found() -> None:
    assert ".flex{" in tailwind_for("<p class=&#102;lex>")
    assert ".flex{" in tailwind_for("<p class=FLEX>")  # without a doctype classes have no case
    assert ".w-1\\/2{" in tailwind_for("<p class='w-1/2'>")

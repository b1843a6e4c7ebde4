from endpoints.failures import one_line


def test_foreign_text_becomes_one_printable_line() -> None:
    assert one_line("a\x1b[31m\n\tb\x00") == "a [31m b"
    assert one_line("x" * 400) == "x" * 299 + "…"

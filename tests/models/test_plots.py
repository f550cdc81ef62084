"""What a picture in a checkpoint may be."""

import pytest

from models.plots import plot_title

SOUND = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><title>Loss &amp; more</title>'
    b"<desc>A line.</desc><style>.a{fill:red}</style>"
    b'<g class="a"><path d="M0 0"/><text x="1" y="2">a</text></g><use href="#a"/></svg>\n'
)


def test_the_title_of_a_drawing_is_read():
    assert plot_title(SOUND) == "Loss & more"


def test_only_the_drawings_own_title_counts():
    deeper = SOUND.replace(b"<desc>A line.</desc>", b"<g><title>of a group</title></g>")
    assert plot_title(deeper) == "Loss & more"
    with pytest.raises(ValueError, match="without a title"):
        plot_title(deeper.replace(b"Loss &amp; more", b" "))


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "not well-formed"),
        (b"\x89PNG\r\n", "not well-formed"),
        (SOUND[:-3], "not well-formed"),
        (SOUND + b"<svg/>", "not well-formed"),
        (SOUND.replace(b"A line", b"\xff"), "not well-formed"),
        (SOUND.decode().encode("utf-16"), "not well-formed"),
        (b"<svg><title>no namespace</title></svg>", "<svg>"),
        (b'<html xmlns="http://www.w3.org/1999/xhtml"/>', "<html>"),
        (SOUND.replace(b"2000/svg", b"2001/svg"), "<svg>"),
        (SOUND.replace(b"path", b"script"), "<script>"),
        (SOUND.replace(b"path", b"foreignObject"), "<foreignObject>"),
        (SOUND.replace(b"path", b"image"), "<image>"),
        (SOUND.replace(b"path", b"a"), "<a>"),
        (SOUND.replace(b' width="9"', b' onload="alert(1)"'), "the attribute onload"),
        (SOUND.replace(b' width="9"', b' ONLOAD="alert(1)"'), "the attribute onload"),
        (SOUND.replace(b'"#a"', b'"https://example.org/#a"'), "the attribute href"),
        (
            SOUND.replace(b"<use href", b'<use xmlns:x="http://www.w3.org/1999/xlink" x:href')
            .replace(b'"#a"', b'"data:,x"'),
            "the attribute href",
        ),
        (b"<!DOCTYPE svg>" + SOUND, "a document type"),
        (b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SOUND, "a document type"),
    ],
)  # fmt: skip
def test_what_is_not_a_plain_drawing_is_refused(data, cause):
    with pytest.raises(ValueError, match=cause):
        plot_title(data)

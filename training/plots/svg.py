"""From matplotlib's figure to the SVG that is kept: small, themed, always the same bytes.

matplotlib repeats every style at every element, and writes a date and random
ids. Here each style becomes a class, each colour of the palette a variable with
a light and a dark value, and what nothing refers to goes.
"""

import io
import re
import warnings
from itertools import groupby
from xml.etree import ElementTree

from matplotlib.figure import Figure

from training.plots.theme import PALETTE

_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"
_FONTS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK KR",sans-serif'
_ROLES = {light: role for role, (light, _) in PALETTE.items()}
_NUMBER = re.compile(r"-?\d+\.\d+")
_HEX = re.compile(r"#[0-9a-f]{6}\b")
_RECTANGLE = re.compile(
    r"M(?P<x>\S+) (?P<y>\S+)L(?P<x2>\S+) (?P=y)L(?P=x2) (?P<y2>[^\sL]+)L(?P=x) (?P=y2)"
    r"(?:L(?P=x) (?P=y))?z"
)
_FONT = re.compile(r"^(?:(bold|\d00) )?([\d.]+)px .*$")


def to_svg(figure: Figure, title: str, description: str) -> bytes:
    """Write a figure.

    Args:
        figure: drawn within `theme.drawing`, in the palette's colours.
        title: its name for those who do not see it, and in lists.
        description: what can be seen in it.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Text stays text: whether matplotlib's own font could draw it does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="auto")
    drawn = ElementTree.fromstring(buffer.getvalue())
    width, height = (round(length * 72) for length in figure.get_size_inches())
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": _SVG,
            "width": str(width),
            "height": str(height),
            "viewBox": f"0 0 {width} {height}",
            "role": "img",
        },
    )
    ElementTree.SubElement(root, "title").text = title
    ElementTree.SubElement(root, "desc").text = description
    style = ElementTree.SubElement(root, "style")
    referred = set(re.findall(r"#([\w-]+)", " ".join(_references(drawn))))
    styles: dict[str, str] = {}
    for child in drawn:
        _copy(child, root, referred, styles)
    _gather(root)
    style.text = _style_sheet(styles)
    written: bytes = ElementTree.tostring(root, encoding="utf-8")
    return written + b"\n"


def _references(drawn: ElementTree.Element) -> list[str]:
    return [
        value
        for element in drawn.iter()
        for key, value in element.attrib.items()
        if key in ("clip-path", f"{{{_LINK}}}href")
    ]


def _copy(
    element: ElementTree.Element,
    parent: ElementTree.Element,
    referred: set[str],
    styles: dict[str, str],
) -> None:
    """Add an element to `parent`, tidied; a group that says nothing gives way to its content."""
    tag = element.tag.rpartition("}")[2]
    if tag in ("metadata", "style"):
        return
    attributes = _attributes(element, referred, styles)
    if tag == "g" and not attributes:
        for child in element:
            _copy(child, parent, referred, styles)
        return
    if tag in ("g", "defs") and not len(element):
        return
    copy = ElementTree.SubElement(parent, tag, attributes)
    copy.text = element.text if tag in ("text", "tspan") else None
    for child in element:
        _copy(child, copy, referred, styles)


def _gather(root: ElementTree.Element) -> None:
    """Put neighbours of one class into a group of that class, which then says it once."""
    children = list(root)
    for child in children:
        root.remove(child)
    for name, run in groupby(children, lambda child: child.get("class")):
        members = list(run)
        if name is None or len(members) < 3:
            root.extend(members)
            continue
        group = ElementTree.SubElement(root, "g", {"class": name})
        for member in members:
            del member.attrib["class"]
            group.append(member)


def _attributes(
    element: ElementTree.Element, referred: set[str], styles: dict[str, str]
) -> dict[str, str]:
    """An element's attributes: numbers to a tenth of a pixel, its style as a class."""
    attributes = {}
    for key, value in element.attrib.items():
        if key == "id" and value not in referred:
            continue
        if key == "style":
            if themed := _themed(value):
                attributes["class"] = styles.setdefault(themed, f"s{len(styles)}")
            continue
        if key == "transform" and value.startswith("rotate(-0 "):
            continue
        name = "href" if key == f"{{{_LINK}}}href" else key
        if name in ("d", "x", "y", "width", "height", "transform"):
            value = _NUMBER.sub(lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), value)
        if name == "d":
            value = _compact(value)
        attributes[name] = value
    return attributes


def _compact(path: str) -> str:
    """A path's data without the blanks that nothing needs, its rectangles by their sides."""
    return _RECTANGLE.sub(_by_sides, re.sub(r"\s*([A-Za-z])\s*", r"\1", path))


def _by_sides(match: re.Match[str]) -> str:
    x, y, x2, y2 = match["x"], match["y"], match["x2"], match["y2"]
    width, height = (
        f"{float(far) - float(near):.1f}".removesuffix(".0") for near, far in ((x, x2), (y, y2))
    )
    return f"M{x} {y}h{width}v{height}H{x}z"


def _themed(style: str) -> str:
    """A style with the palette's colours as variables, and without a font's name."""
    kept = []
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        name, _, value = declaration.partition(":")
        value = _HEX.sub(_variable, value.strip())
        if name == "font-family":
            continue
        if name == "font":
            weight, size = _FONT.fullmatch(value).groups()  # type: ignore[union-attr]
            kept += [f"font-size:{size}px"] + ([f"font-weight:{weight}"] if weight else [])
            continue
        kept.append(f"{name}:{value}")
    return ";".join(kept)


def _variable(match: re.Match[str]) -> str:
    role = _ROLES.get(match[0])
    return f"var(--{role})" if role else match[0]


def _style_sheet(styles: dict[str, str]) -> str:
    """The rules of the classes, and of the variables that they use in both schemes."""
    rules = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    used = [role for role in PALETTE if f"var(--{role})" in rules]
    light, dark = (
        "".join(f"--{role}:{PALETTE[role][scheme]};" for role in used) for scheme in (0, 1)
    )
    return (
        f"svg{{color-scheme:light dark;{light}}}"
        f"@media(prefers-color-scheme:dark){{svg{{{dark}}}}}"
        f"text{{font-family:{_FONTS};white-space:pre}}{rules}"
    )

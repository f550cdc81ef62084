"""What a checkpoint's picture may be: an SVG drawing, and nothing that acts.

The pictures are drawn when training (training/plots) and served as they are.
Their hash is checked like any file's; this looks at what they hold, so that even a
picture with sound hashes has no script, no link to elsewhere and no entity in it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.parsers import expat

from models.errors import CheckpointError

PLOT_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")
PLOT_FILE: Final = re.compile(r"plots/[a-z][a-z0-9-]*\.svg")

_SVG = "http://www.w3.org/2000/svg"
_ELEMENTS = frozenset(
    f"{_SVG} {name}"
    for name in ("svg", "title", "desc", "style", "defs", "clipPath", "g", "path", "rect")
    + ("circle", "line", "use", "text", "tspan")
)


def plot_files(folder: Path, plots: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that hold pictures, each one checked.

    Args:
        folder: the checkpoint's, for the message.
        plots: name to SVG.

    Raises:
        CheckpointError: naming the picture at fault.
    """
    files = {}
    for name, svg in plots.items():
        file = f"plots/{name}.svg"
        try:
            if not PLOT_NAME.fullmatch(name):
                raise ValueError("not a picture's name: a letter a-z, then a-z, 0-9 or -")
            plot_title(svg)
        except ValueError as error:
            raise CheckpointError(folder / file, str(error)) from error
        files[file] = svg
    return files


def read_plots(folder: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The pictures among a checkpoint's files, by name; the inverse of `plot_files`.

    Raises:
        CheckpointError: naming the picture at fault.
    """
    plots = {Path(name).stem: svg for name, svg in files.items() if PLOT_FILE.fullmatch(name)}
    plot_files(folder, plots)
    return plots


def plot_title(svg: bytes) -> str:
    """The title of a picture, once that it is a plain drawing has been checked.

    Raises:
        ValueError: it is not well-formed, is no SVG, has no title, or holds a document
            type, an element or an attribute that a drawing has no use for.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    open_elements: list[str] = []
    title: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name not in _ELEMENTS or (not open_elements and name != f"{_SVG} svg"):
            raise ValueError(f"not a plain SVG drawing: <{name.rpartition(' ')[2]}>")
        for key, value in attributes.items():
            local = key.rpartition(" ")[2].lower()
            if local.startswith("on") or (local in ("href", "src") and not value.startswith("#")):
                raise ValueError(f"not a plain SVG drawing: the attribute {local}")
        open_elements.append(name)

    def end(_name: str) -> None:
        open_elements.pop()

    def characters(text: str) -> None:
        if open_elements == [f"{_SVG} svg", f"{_SVG} title"]:
            title.append(text)

    def doctype(*_: object) -> None:
        raise ValueError("not a plain SVG drawing: a document type")  # it may define entities

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(svg.decode(), True)
    except (UnicodeDecodeError, expat.ExpatError) as error:
        raise ValueError(f"not well-formed XML in UTF-8: {error}") from error
    if not (text := "".join(title).strip()):
        raise ValueError("a picture without a title")
    return text

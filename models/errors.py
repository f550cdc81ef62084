"""Everything that can go wrong with a model, as one tree.

    NamewrightError
    ├── ConfigError               a configuration or vocabulary that no model can have
    ├── ParameterError            a caller's parameter is out of its range
    │   └── UnknownCharacterError a character that the model's alphabet lacks
    ├── CheckpointError           a checkpoint that must not be served
    └── WordListError             a list of words that cannot be read

A message says what was wrong, what is allowed, and, where there is one, the remedy.
"""


class NamewrightError(Exception):
    """The root: everything we raise on purpose."""


class ConfigError(NamewrightError, ValueError):
    """A model configuration or vocabulary that no model can have."""


class ParameterError(NamewrightError, ValueError):
    """A caller's parameter is out of its range.

    Args:
        parameter: its name, as the caller wrote it (`top_k`, `words[3]`).
        message: the fault and the allowed range, without the name.
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter
        self.message = message


class UnknownCharacterError(ParameterError):
    """A character that the model's alphabet lacks.

    Args:
        parameter: the parameter whose text holds it.
        character: the character, one code point.
        position: where it stands, counted from 0 in the NFC form of the text.
        alphabet: a short description of what is allowed.
    """

    def __init__(self, parameter: str, character: str, position: int, alphabet: str) -> None:
        super().__init__(
            parameter,
            f"the character at position {position} (U+{ord(character):04X}) is not in this "
            f"model's alphabet; allowed: {alphabet}",
        )
        self.character = character
        self.position = position


class CheckpointError(NamewrightError):
    """A checkpoint that must not be served: missing, damaged, or not what it says it is.

    Args:
        path: the file or folder at fault.
        cause: what is wrong with it.
    """

    def __init__(self, path: object, cause: str) -> None:
        super().__init__(f"{path}: {cause}")
        self.path = str(path)
        self.cause = cause


class WordListError(NamewrightError):
    """A list of words that cannot be read.

    Args:
        source: the file.
        line: of it, counted from 1; None: all of it is at fault.
        cause: what is wrong there.
    """

    def __init__(self, source: object, line: int | None, cause: str) -> None:
        place = "" if line is None else f" line {line}:"
        super().__init__(f"{source}:{place} {cause}")
        self.line = line

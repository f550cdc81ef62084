"""What commands have in common that take the service's parameters for options."""

import argparse
from collections.abc import Iterator
from typing import NoReturn

from pydantic import BaseModel, ValidationError

from models.errors import ParameterError


class BriefParser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """End with exit status 2."""
        self.exit(2, f"error: {message}\n")


def options_parser(
    options: type[BaseModel], prog: str, description: str, count: str = "-n"
) -> BriefParser:
    """One option a field, so that none of the service's parameters can be missing.

    Args:
        options: their fields. Values are parsed as texts.
        prog: the command.
        description: what it does.
        count: the option of the field `n`.
    """
    parser = BriefParser(
        prog=prog,
        description=description,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for name, field in options.model_fields.items():
        required = field.is_required()
        default = f" (default: {field.default})" if field.default and not required else ""
        text = f"{field.description}{default}".replace("%", "%%")
        option = option_of(name, count)
        if field.default is False or name == "safe":
            parser.add_argument(option, action="store_const", const="true", help=text)
        else:
            metavar = name.upper()
            parser.add_argument(option, dest=name, help=text, metavar=metavar, required=required)
    if "safe" in options.model_fields:
        text = "Give names with offensive words too, where NAMEWRIGHT_SAFE leaves them out"
        parser.add_argument(
            "--no-safe", dest="safe", action="store_const", const="false", help=text
        )
    return parser


def option_of(parameter: str, count: str = "-n") -> str:
    """The option of a parameter; that of `n` is `count`."""
    return count if parameter == "n" else f"--{parameter.replace('_', '-')}"


def fault_of(error: ValidationError | ParameterError, count: str = "-n") -> str:
    """What is wrong with an option, in a line that begins with it."""
    if isinstance(error, ParameterError):
        return f"{option_of(error.parameter, count)}: {error.message}"
    first = error.errors()[0]
    return f"{option_of(str(first['loc'][0]), count)}: {first['msg']}"


def settings_faults(error: ValidationError) -> Iterator[str]:
    """What is wrong with the settings, a line a variable."""
    for fault in error.errors():
        name = "_".join(str(part) for part in fault["loc"]).upper()
        yield f"error: NAMEWRIGHT_{name}: {fault['msg']}\n"

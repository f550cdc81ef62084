"""python -m bulk: names in numbers that no client waits for."""

import sys

from pydantic import ValidationError

from app.command_line import settings_faults
from app.settings import Settings

USAGE = """usage: python -m bulk generate --seed 7 --count 100000000 --out names/ [options]
       python -m bulk score --words words.txt --out scores/ [options]; --help lists them
"""


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status, 2 for an error that is reported in a line."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if arguments[:1] not in (["generate"], ["score"]):
        sys.stderr.write(USAGE)
        return 2
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.writelines(settings_faults(error))
        return 2
    try:
        from bulk import generate_command, score_command
    except ImportError as error:
        sys.stderr.write(f"error: {error}; pip install 'namewright[bulk]' brings what is missing\n")
        return 2
    run = generate_command.run if arguments[0] == "generate" else score_command.run
    return run(arguments[1:], settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

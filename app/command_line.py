"""What the commands of `python -m app` have in common."""

import argparse
from typing import NoReturn


class BriefParser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """End with exit status 2."""
        self.exit(2, f"error: {message}\n")

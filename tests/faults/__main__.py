"""python -m tests.faults: the table of the last `make faults`."""

import sys

from tests.faults.report import table

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in table())

"""What can go wrong with a bulk job, beside what can with any request for names.

NamewrightError
├── FolderError   the folder of a job cannot be used
└── ShardError    a shard could not be made
"""

from models.errors import NamewrightError


class FolderError(NamewrightError):
    """The folder of a job cannot be used; the message begins with its path."""


class ShardError(NamewrightError):
    """A shard could not be made; raised by a worker with a message alone, which travels well."""

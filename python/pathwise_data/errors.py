"""Errors of this package: what was tried, on what, and how to fix it."""


class PathwiseError(Exception):
    """The base of all errors that this package raises on purpose."""


class TraceError(PathwiseError):
    """A trace cannot be read."""


class NotATrace(TraceError):
    """The file does not exist, is no SQLite database, or belongs to another program."""


class OtherVersion(TraceError):
    """The trace has a version of the format that this package does not read."""


class DamagedTrace(TraceError):
    """The file is truncated, or its content is not what was written."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            f"trace '{path}' is damaged: {what}; restore the whole file (and its '-wal' file, if "
            f"there was one), or save what is left with 'sqlite3 {path} .recover'"
        )
        self.path = path
        self.what = what


class BlockFault(Exception):
    """What is wrong with the bytes of one block; readers add the place and raise `DamagedTrace`."""


class CommandError(PathwiseError):
    """The command `pathwise` is missing, or it failed."""

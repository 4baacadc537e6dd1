"""Failures a user can act on, each with the exit code that schedulers read."""

DONE, USAGE, INPUT, BAD_RECORDS, ENGINE, INTERRUPTED = 0, 2, 3, 4, 5, 130


class HanmillError(Exception):
    """Names the file, option or record, and how to mend it; ends the command with `exit_code`."""

    exit_code = ENGINE


class UsageError(HanmillError):
    """An option, or a combination of options, that cannot be carried out."""

    exit_code = USAGE


class InputError(HanmillError):
    """An input or an output folder that is missing, unreadable or damaged."""

    exit_code = INPUT


class BadRecordsError(HanmillError):
    """More bad records than `--max-bad-records` allows."""

    exit_code = BAD_RECORDS


class EngineError(HanmillError):
    """A worker that was lost, or an engine that is not there."""

    exit_code = ENGINE

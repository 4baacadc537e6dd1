"""`hanmill vocab`."""

from enum import StrEnum


class UnitName(StrEnum):
    WORD = "word"
    CHARACTER = "character"

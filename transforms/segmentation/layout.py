"""What kernels of segmentation read and write: classes of characters, numbers of tallies, records of arrays.

A character's code tells its class: 0 stands outside jieba's blocks, to LETTERS an ASCII letter or digit, to
SYMBOLS one of `+#&._%-`, above it Han.
"""

import numpy as np

LETTERS = 62
SYMBOLS = 69
BASIC_PLANE = 0x10000
# The tallies: one-character tokens with a code, from OTHERS on the others by code point, from WORDS_FROM on words.
OTHERS = 0x8000
WORDS_FROM = OTHERS + BASIC_PLANE
DIGITS = 10  # digits have the first codes
FULL_STOP_CODE, PERCENT_CODE = 63, 64
RETURN, NEWLINE = ord("\r"), ord("\n")
WORDS, SEARCH, CHARACTERS = 0, 1, 2
MISSING = 0xFFFFFFFE

CODE = np.dtype("u2")
POINT = np.dtype("u4")
NODE = np.dtype([("base", "u4"), ("check", "u4"), ("word", "u4")])  # word 0 where none ends
FIRST = np.dtype([("base", "u4"), ("node", "u4"), ("score", "f8")])  # the root's children by code, or MISSING
EMISSION = np.dtype([("begin", "f8"), ("end", "f8"), ("middle", "f8"), ("single", "f8")])
CHAIN = np.dtype(  # start and transition log probabilities of the hidden Markov model
    [(name, "f8") for name in ("begin", "end", "middle", "single", "eb", "sb", "mm", "bm", "ss", "es", "be", "me")]
)
POSITION = np.dtype([("score", "f8"), ("end", "u4"), ("tally", "u4")])  # the best route from a position of a block
TOKEN = np.dtype([("begin", "u4"), ("end", "u4"), ("tally", "u4")])  # tally 0: not looked up
TALLY = np.dtype([("count", "i8"), ("documents", "u4"), ("document", "u4")])  # document: the last one seen, from 1
UNKNOWN = np.dtype([("hash", "u8"), ("begin", "i8"), ("length", "i8")])  # where the word lies in the arena
PROGRESS = np.dtype([("document", "i8"), ("position", "i8"), ("unknown", "i8"), ("arena", "i8")])

"""Keras, imported without the notes that TensorFlow's libraries write on standard error while they are loaded.

It is to be imported before anything that imports Keras. Warnings and errors still come through.
"""

import os
import re
import tempfile

# What absl writes before it is initialized, whatever log level is set.
_NOTE = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # the notes of later: which instructions the processor has

with tempfile.TemporaryFile() as _said:
    _before = os.dup(2)
    os.dup2(_said.fileno(), 2)
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(_before, 2)
        os.close(_before)
        _said.seek(0)
        os.write(2, b"".join(line for line in _said if not _NOTE.match(line)))

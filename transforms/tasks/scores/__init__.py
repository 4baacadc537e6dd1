"""The organisers' metrics, a file a task: predictions and gold are read from bytes, and compared by their rules."""

"""A disk that can be filled."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PAGE = 4096
NO_SPACE = "No space left on device"


@dataclass(frozen=True, slots=True)
class Disk:
    """A small file system in memory."""

    path: Path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def leave(self, pages: int) -> None:
        """Fills it, but for so many pages."""
        self.free()
        with self.ballast.open("wb") as file:
            file.write(bytes(PAGE * (os.statvfs(self.path).f_bavail - pages)))

    def free(self) -> None:
        self.ballast.unlink(missing_ok=True)

    @property
    def ballast(self) -> Path:
        return self.path / "ballast"

"""`python -m cir` or `python -m eval` as another process."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.places import REPOSITORY


@dataclass(frozen=True)
class CommandLine:
    """Runs commands with a data folder of their own."""

    data_dir: Path
    module: str = "cir"

    def environment(self, **more: str) -> dict[str, str]:
        """Variables of a command: English, plain, wide, nothing of the person who runs the test."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CIR_")}
        plain = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
        paths = {"CIR_DATA_DIR": str(self.data_dir), "PYTHONPATH": str(REPOSITORY)}
        return kept | plain | paths | more

    def start(self, *arguments: object, code: str = "", **more: str) -> "subprocess.Popen[str]":
        """Start a command, or some code in its place, and do not wait."""
        return self._start(arguments, code, subprocess.PIPE, more)

    def start_on_terminal(
        self, terminal: int, *arguments: object, code: str = ""
    ) -> "subprocess.Popen[str]":
        """The same, with a terminal, named by its descriptor, as standard error."""
        return self._start(arguments, code, terminal, {"TERM": "xterm"})

    def _start(
        self, arguments: Sequence[object], code: str, stderr: int, more: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        python = ["-c", code] if code else ["-m", self.module]
        return subprocess.Popen(
            [sys.executable, *python, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            env=self.environment(**more),
        )

    def run(
        self, *arguments: object, stdin: str = "", code: str = "", **more: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; never with a traceback."""
        process = self.start(*arguments, code=code, **more)
        out, err = process.communicate(stdin, timeout=100)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def document(self, *arguments: object, exit_code: int = 0, **more: str) -> dict[str, Any]:
        """The one document that a command with `--json` prints."""
        done = self.run(*arguments, "--json", **more)
        assert done.returncode == exit_code, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

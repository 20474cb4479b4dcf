# SPDX-License-Identifier: GPL-2.0
"""QEMU's monitor: commands and their answers (docs/interop/qmp-spec of QEMU)."""

import json
import socket
import time

SECONDS = 10            # for an answer
PAUSE = 0.01            # between two looks at a migration


class MonitorError(Exception):
    """QEMU refuses a command, or does not answer."""


class Monitor:
    """The monitor at the other end of @sock."""

    def __init__(self, sock: socket.socket):
        self._sock = sock
        self._rest = b""
        self._ready = False

    def execute(self, command: str, **arguments) -> dict:
        """Returns the answer to @command."""
        if not self._ready:
            self._ready = True
            self.execute("qmp_capabilities")
        order = {"execute": command, "arguments": arguments}
        try:
            self._sock.settimeout(SECONDS)
            self._sock.sendall(json.dumps(order).encode() + b"\n")
            return self._answer(command)
        except OSError as error:
            raise MonitorError(f"{command}: {error}") from error

    def _answer(self, command: str) -> dict:
        while True:
            *lines, self._rest = self._rest.split(b"\n")
            for number, line in enumerate(lines):
                message = json.loads(line)
                if "return" in message or "error" in message:
                    self._rest = b"\n".join([*lines[number + 1:], self._rest])
                    if "error" in message:
                        raise MonitorError(f"{command}: {message['error']['desc']}")
                    return message["return"]
            data = self._sock.recv(65536)
            if not data:
                raise MonitorError(f"{command}: QEMU is gone")
            self._rest += data

    def migrate(self, command: str, uri: str, done: tuple[str, ...]) -> None:
        """Migrates all but memory in files, and waits for one of the states @done."""
        self.execute("migrate-set-capabilities",
                     capabilities=[{"capability": "x-ignore-shared", "state": True}])
        self.execute(command, uri=uri)
        until = time.monotonic() + SECONDS
        while self.execute("query-status")["status"] not in done:
            told = self.execute("query-migrate")
            if told.get("status") == "failed" or time.monotonic() > until:
                raise MonitorError(f"{command}: {told.get('error-desc', told)}")
            time.sleep(PAUSE)

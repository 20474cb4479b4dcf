# SPDX-License-Identifier: GPL-2.0
"""The server of virtiofs, without a guest: its answers, its checker, its way to QEMU."""

import socket
import struct
import subprocess
import unittest

from vm import command
from vm.base import BUILD

SERVER = BUILD / "selftests/virtiofs_server"
TEST = BUILD / "virtiofs/server_test"
SECONDS = 10

# Messages of vhost-user, and flags.
GET_FEATURES, GET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_CONFIG = 1, 15, 17, 24
SET_OWNER, GET_SHMEM_CONFIG = 3, 44
VERSION, REPLY, NEED_REPLY = 1, 4, 8


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command.make("server_test", BUILD / "virtiofs/build.log")

    def test_requests_and_checker(self):
        """Stores that no good kernel makes are complained of, and no others."""
        done = subprocess.run([TEST], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def ask(self, message: int, payload: bytes = b"", flags: int = 0) -> bytes:
        """The payload of the reply."""
        self.qemu.sendall(struct.pack("<III", message, VERSION | flags, len(payload)) + payload)
        said, answered, size = struct.unpack("<III", self.qemu.recv(12, socket.MSG_WAITALL))
        self.assertEqual((said, answered), (message, VERSION | REPLY))
        return self.qemu.recv(size, socket.MSG_WAITALL)

    def test_what_qemu_asks(self):
        self.qemu, theirs = socket.socketpair()
        self.qemu.settimeout(SECONDS)
        with self.qemu, subprocess.Popen([SERVER, "a_tag", "64"], stdin=theirs,
                                         stderr=subprocess.PIPE) as server:
            theirs.close()
            features, = struct.unpack("<Q", self.ask(GET_FEATURES))
            self.assertTrue(features >> 32 & 1, "VIRTIO_F_VERSION_1")
            protocol, = struct.unpack("<Q", self.ask(GET_PROTOCOL_FEATURES))
            self.assertTrue(protocol >> 22 & 1, "SHMEM")
            self.assertEqual(self.ask(GET_QUEUE_NUM), struct.pack("<Q", 2))
            self.assertEqual(self.ask(SET_OWNER, flags=NEED_REPLY), struct.pack("<Q", 0))
            windows = self.ask(GET_SHMEM_CONFIG)
            self.assertEqual(struct.unpack("<IIQQ", windows[:24]), (1, 0, 64 << 20, 0))
            config = self.ask(GET_CONFIG, struct.pack("<III40x", 0, 40, 0))[12:]
            self.assertEqual(config, struct.pack("<36sI", b"a_tag", 1))
            self.qemu.shutdown(socket.SHUT_RDWR)
            self.assertEqual(server.wait(SECONDS), 0)
            self.assertNotIn(b"COMPLAINT", server.stderr.read())

    def test_usage(self):
        for words in ((), ("tag", "63"), ("tag", "none")):
            done = subprocess.run([SERVER, *words], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=SECONDS, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"usage: virtiofs_server TAG WINDOW_MIB", done.stderr)

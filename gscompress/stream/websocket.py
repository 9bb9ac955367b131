"""The server's side of WebSockets (RFC 6455), as far as pushing messages needs it.

What a client sends is read for pings and farewells only; anything else it says is let go.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import select
import socket
import struct
import time
from email.message import Message

__all__ = ["Closed", "PushSocket", "accept_key"]

NORMAL, GOING_AWAY, PROTOCOL_ERROR, TOO_BIG, SERVER_ERROR = 1000, 1001, 1002, 1009, 1011
"""Why a connection is closed: section 7.4.1."""

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_OPCODES = {0, _TEXT, _BINARY, _CLOSE, _PING, _PONG}
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
_MAX_INCOMING = 1 << 12  # bytes of a frame from a client
_MAX_CONTROL = 125  # bytes
_PIECE = 1 << 16  # bytes that must be taken within the timeout
_PING_AFTER = 20.0  # seconds of silence


class Closed(Exception):
    """The connection has ended."""


def accept_key(headers: Message[str, str]) -> str | None:
    """What proves that a request for a WebSocket was understood; None: it is no such request."""
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        sound = len(base64.b64decode(key, validate=True)) == 16
    except (ValueError, binascii.Error):
        sound = False
    if not (
        sound
        and "websocket" in _tokens(headers.get("Upgrade", ""))
        and "upgrade" in _tokens(headers.get("Connection", ""))
        and headers.get("Sec-WebSocket-Version") == "13"
    ):
        return None
    return base64.b64encode(hashlib.sha1(key.encode() + _MAGIC).digest()).decode()


def _tokens(header: str) -> set[str]:
    return {token.strip().lower() for token in header.split(",")}


class PushSocket:
    """A connection behind its handshake.

    Args:
        connection: The connection.
        timeout: Seconds of silence, pings unanswered, after which it counts as broken.
    """

    def __init__(self, connection: socket.socket, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._buffer = bytearray()
        self._heard = self._pinged = time.monotonic()
        connection.settimeout(timeout)

    def send_text(self, message: bytes) -> None:
        """Send a message in UTF-8.

        Raises:
            Closed: The connection broke.
        """
        self._send(_TEXT, message)

    def send_binary(self, message: bytes) -> None:
        """Send a message of bytes.

        Raises:
            Closed: The connection broke.
        """
        self._send(_BINARY, message)

    def close(self, code: int, reason: str = "") -> None:
        """Say farewell. The other side's may still come; it is not waited for."""
        payload = struct.pack(">H", code) + reason.encode()[: _MAX_CONTROL - 2]
        try:
            self._send(_CLOSE, payload)
            self._connection.shutdown(socket.SHUT_WR)
        except (Closed, OSError):
            return

    def listen(self, seconds: float) -> None:
        """Wait, and meanwhile answer pings.

        Raises:
            Closed: The other side said farewell, broke the protocol or fell silent.
        """
        end = time.monotonic() + seconds
        while True:
            wait = max(0.0, end - time.monotonic())
            try:
                ready, _, _ = select.select([self._connection], [], [], wait)
                data = self._connection.recv(_MAX_INCOMING) if ready else b""
            except (OSError, ValueError) as error:
                raise Closed(str(error)) from error
            now = time.monotonic()
            if ready:
                if not data:
                    raise Closed("the other side has gone")
                self._heard = now
                self._buffer += data
                self._handle()
            elif now - self._heard > self._timeout:
                raise Closed("the other side fell silent")
            elif now - max(self._heard, self._pinged) > _PING_AFTER:
                self._pinged = now
                self._send(_PING, b"")
            if now >= end:
                return

    def _handle(self) -> None:
        """Take whole frames from the buffer."""
        while (frame := self._next_frame()) is not None:
            opcode, payload = frame
            if opcode == _PING:
                self._send(_PONG, payload)
            elif opcode == _CLOSE:
                self.close(NORMAL)
                raise Closed("the other side said farewell")

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Opcode and payload (section 5.2); None: it is not all here yet."""
        if len(self._buffer) < 2:
            return None
        first, second = self._buffer[:2]
        opcode, size, start = first & 15, second & 127, 2
        if first & 0x70 or opcode not in _OPCODES or not second & 0x80:
            self._refuse(PROTOCOL_ERROR, "such a frame is not allowed")
        if opcode >= _CLOSE and (size > _MAX_CONTROL or not first & 0x80):
            self._refuse(PROTOCOL_ERROR, "a control frame is short and whole")
        if size == 127:
            self._refuse(TOO_BIG, f"at most {_MAX_INCOMING} bytes")
        if size == 126:
            if len(self._buffer) < 4:
                return None
            (size,) = struct.unpack_from(">H", self._buffer, 2)
            start = 4
        if size > _MAX_INCOMING:
            self._refuse(TOO_BIG, f"at most {_MAX_INCOMING} bytes")
        end = start + 4 + size
        if len(self._buffer) < end:
            return None
        mask = self._buffer[start : start + 4]
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self._buffer[start + 4 : end]))
        del self._buffer[:end]
        return opcode, payload

    def _refuse(self, code: int, reason: str) -> None:
        self.close(code, reason)
        raise Closed(reason)

    def _send(self, opcode: int, payload: bytes) -> None:
        """Send a frame, which is a message; a server's frames are not masked."""
        size = len(payload)
        if size <= _MAX_CONTROL:
            length = bytes([size])
        elif size < 1 << 16:
            length = struct.pack(">BH", 126, size)
        else:
            length = struct.pack(">BQ", 127, size)
        try:
            self._connection.sendall(bytes([0x80 | opcode]) + length)
            for start in range(0, size, _PIECE):
                self._connection.sendall(payload[start : start + _PIECE])
        except OSError as error:
            raise Closed(str(error)) from error

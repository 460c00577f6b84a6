"""Bytes on the line: canonical MessagePack, hashes, the invitation, frames and messages (sections 2, 3 and 5)."""

import base64
import hashlib
import socket
import struct

import msgpack
import nacl.exceptions
import nacl.signing
import zstandard
from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.x25519.private import PrivateKey
from dissononce.dh.x25519.public import PublicKey
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.exceptions.decrypt import DecryptFailedException
from dissononce.hash.blake2b import Blake2bHash
from dissononce.processing.handshakepatterns.interactive.XK import XKHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState
from dissononce.processing.modifiers.psk import PSKPatternModifier

PART, MESSAGE, FRAME, COMPRESSED_FROM = 65518, 262208, 65535, 200
SESSION, ENROLMENT, WAITED_FOR = 1, 2, 3

HELLO, WELCOME, PUSH, RECEIPT, FORK, CHUNK, ACK, END, BYE, ERROR = range(1, 11)
ENROL, ENROLLED, LINEAGE, COMPARE, VERDICTS, SNAPSHOT, BLOCK, CLOSING = range(11, 19)

# number: (count of elements, ceiling in bytes), as section 5 lists them
SHAPES = {HELLO: (11, 80), WELCOME: (9, 114752), PUSH: (5, 262208), RECEIPT: (2, 262160), FORK: (3, 16),
          CHUNK: (2, 262160), ACK: (2, 32), END: (8, 11840), BYE: (7, 4160), ERROR: (4, 532), ENROL: (3, 48),
          ENROLLED: (6, 3392), LINEAGE: (2, 114704), COMPARE: (3, 128), VERDICTS: (3, 60016), SNAPSHOT: (3, 32),
          BLOCK: (3, 262160), CLOSING: (4, 64)}


class Bad(Exception):
    """What was read breaks the text."""


class Alert(Exception):
    """The hub hung up before the first transport message, with a reason (3.5)."""

    def __init__(self, reason, seconds):
        super().__init__(f"alert {reason}")
        self.reason, self.seconds = reason, seconds


class Refused(Exception):
    """The hub said ERROR (5.10)."""

    def __init__(self, code, seconds, text):
        super().__init__(f"error {code}: {text}")
        self.code, self.seconds, self.text = code, seconds, text


def need(condition, what):
    if not condition:
        raise Bad(what)


# --- section 2 ---

def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def no_extension(code, data):
    raise Bad("an extension type")


def allowed(value, depth=0):
    if isinstance(value, list):
        need(depth < 16, "nested too deep")
        for each in value:
            allowed(each, depth + 1)
    elif isinstance(value, str):
        need("\0" not in value, "U+0000 in a text")
    else:
        need(value is None or isinstance(value, (bool, int, bytes)), f"type {type(value).__name__}")


def unpack_all(data):
    """The values that stand one after the other in data, each in the one form that is allowed."""
    reader = msgpack.Unpacker(raw=False, strict_map_key=False, ext_hook=no_extension,
                              max_buffer_size=max(1, len(data)))
    reader.feed(data)
    values, begin = [], 0
    while begin < len(data):
        try:
            value = reader.unpack()
        except (msgpack.exceptions.OutOfData, ValueError, UnicodeDecodeError) as why:
            raise Bad(f"not MessagePack: {why}") from why
        allowed(value)
        # What is not in its shortest form comes back as other bytes.
        need(pack(value) == data[begin:reader.tell()], "not the canonical form")
        values.append(value)
        begin = reader.tell()
    return values


def unpack(data):
    values = unpack_all(data)
    need(len(values) == 1, "not one value")
    return values[0]


def u64(number):
    return struct.pack(">Q", number)


def blake(size, purpose, *parts):
    return hashlib.blake2b(purpose.encode("ascii") + b"\0" + b"".join(parts), digest_size=size).digest()


def verify(key, signature, digest):
    try:
        nacl.signing.VerifyKey(key).verify(digest, signature)
    except (nacl.exceptions.BadSignatureError, nacl.exceptions.ValueError, ValueError):
        return False
    return True


def sign(secret, digest):
    return nacl.signing.SigningKey(secret).sign(digest).signature


def is_number(value, most=2**63 - 1):
    return type(value) is int and 0 <= value <= most


def is_bytes(value, size):
    return isinstance(value, bytes) and len(value) == size


def is_position(value):
    return (isinstance(value, list) and len(value) == 2 and all(is_number(n) for n in value)
            and (value[0] != 0 or value[1] == 0))


# --- section 3 ---

def read_invitation(text):
    need(text.startswith("MLG1-"), "not an invitation")
    coded = text[5:].strip()
    data = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    body, check = data[:-4], data[-4:]
    need(blake(32, "maillage invitation v1", body)[:4] == check, "an invitation with a typing error")
    address, hub_noise, invitation, secret, expires = unpack(body)
    need(is_bytes(hub_noise, 32) and is_bytes(invitation, 8) and is_bytes(secret, 32), "a damaged invitation")
    return {"address": address, "hub_noise": hub_noise, "id": invitation, "secret": secret, "expires": expires}


def key_pair(private=None):
    return X25519DH().generate_keypair(None if private is None else PrivateKey(private))


def handshake(kind, static, hub_noise, psk=None, ephemeral=None, prologue=None):
    pattern = XKHandshakePattern()
    if psk is not None:
        pattern = PSKPatternModifier(3).modify(pattern)
    dh = X25519DH()
    if ephemeral is not None:  # only the worked example says beforehand what is random
        dh.generate_keypair = lambda privatekey=None: ephemeral
    state = HandshakeState(SymmetricState(CipherState(ChaChaPolyCipher()), Blake2bHash()), dh)
    state.initialize(pattern, True, prologue or bytes((0x4D, 0x4C, 0x47, kind)), s=static,
                     rs=PublicKey(hub_noise), psks=None if psk is None else (psk,))
    return state


def shrink(message):
    """One zstd frame with its content size, or None where it is not shorter."""
    if len(message) < COMPRESSED_FROM:
        return None
    frame = zstandard.ZstdCompressor(level=3, write_content_size=True).compress(message)
    return frame if len(frame) < len(message) else None


def unfold(frame, most):
    try:
        head = zstandard.get_frame_parameters(frame)
        need(head.content_size <= most, "content above the ceiling, or of unknown size")
        need(head.window_size <= 1 << 20 and head.dict_id == 0, "a window or dictionary that is not allowed")
        reader = zstandard.ZstdDecompressor().decompressobj()
        content = reader.decompress(frame)
    except zstandard.ZstdError as why:
        raise Bad(f"zstd: {why}") from why
    need(reader.unused_data == b"" and len(content) == head.content_size, "more or less than one zstd frame")
    return content


class Line:
    """A connection to the hub: the preamble, the handshake, then messages."""

    def __init__(self, address, kind, preamble=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.kind = kind
        self.seal = self.unseal = None
        self.sent = self.received = 0
        self.heard = False
        self.put(preamble or bytes((0x4D, 0x4C, 0x47, kind)))

    def close(self):
        self.socket.close()

    def put(self, data):
        self.socket.sendall(data)
        self.sent += len(data)

    def get(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError("the hub hung up")
            data += more
        self.received += count
        return data

    def put_frame(self, data):
        need(1 <= len(data) <= FRAME, "a frame of this length")
        self.put(struct.pack(">H", len(data)) + data)

    def get_frame(self):
        length = struct.unpack(">H", self.get(2))[0]
        need(length > 0, "a frame of length 0")
        frame = self.get(length)
        if not self.heard and length == 4 and frame[0] == 0xFF:
            raise Alert(frame[1], struct.unpack(">H", frame[2:])[0])
        return frame

    def shake_hands(self, static, hub_noise, first, third, psk=None):
        state = handshake(self.kind, static, hub_noise, psk)
        message = bytearray()
        state.write_message(first, message)
        self.put_frame(bytes(message))
        payload = bytearray()
        state.read_message(self.get_frame(), payload)
        if payload:
            need(psk is not None, "a payload in handshake message 2 of a session")
            raise self.error(unpack(bytes(payload)))
        message = bytearray()
        self.seal, self.unseal = state.write_message(third, message)
        self.put_frame(bytes(message))

    @staticmethod
    def error(message):
        need(isinstance(message, list) and len(message) == 4 and message[0] == ERROR, "something else than ERROR")
        return Refused(*message[1:])

    def say(self, *message):
        self.say_bytes(pack(list(message)))

    def say_bytes(self, message):
        """Also what breaks the text, where that is what is tried."""
        small = shrink(message)
        flags, content = (0, message) if small is None else (1, small)
        while True:
            part, content = content[:PART], content[PART:]
            more = 2 if content else 0
            self.put_frame(self.seal.encrypt_with_ad(b"", bytes((flags | more,)) + part))
            if not content:
                return

    def hear(self):
        """The next message; an ERROR is raised."""
        parts, flags = b"", None
        while True:
            try:
                plain = self.unseal.decrypt_with_ad(b"", self.get_frame())
            except DecryptFailedException as why:
                raise EOFError("damage on the way") from why
            self.heard = True
            need(len(plain) >= 2 and plain[0] & ~3 == 0, "flags of a frame")
            need(flags is None or plain[0] & 1 == flags, "parts of one message differ in bit 0")
            flags = plain[0] & 1
            parts += plain[1:]
            need(len(parts) <= MESSAGE, "a message that is too long")
            if not plain[0] & 2:
                break
            need(len(plain) == 1 + PART, "a part that is not full")
        data = unfold(parts, MESSAGE) if flags else parts
        message = unpack(data)
        need(isinstance(message, list) and message and message[0] in SHAPES, "a message that is unknown")
        count, ceiling = SHAPES[message[0]]
        need(len(message) == count and len(data) <= ceiling, f"the shape of message {message[0]}")
        if message[0] == ERROR:
            raise self.error(message)
        return message

"""Minidumps made by hand, so that they hold nobody's environment."""

import struct
from dataclasses import dataclass, field

LINUX, WINDOWS, MACOS, ANDROID = 0x8201, 2, 0x8101, 0x8203
X86, ARM, X86_64, ARM64 = 0, 5, 9, 12
CRASHED = 77
"""The id of the thread that crashed."""

_FORMS = {X86: "<I", X86_64: "<Q", ARM: "<I", ARM64: "<Q"}
_POINTERS = {X86: 0xB8, X86_64: 0xF8, ARM: 0x40, ARM64: 0x108}
_STACK_POINTERS = {X86: 0xC4, X86_64: 0x98, ARM: 0x38, ARM64: 0x100}
_FRAME_POINTERS = {X86: 0xB4, X86_64: 0xA0, ARM: 0x20, ARM64: 0xF0}
_LINKS = {ARM: 0x3C, ARM64: 0xF8}
_CONTEXT = 1232  # bytes


@dataclass
class Module:
    """A module that was loaded, at ``base`` and so many bytes."""

    path: str
    base: int
    size: int
    version: tuple[int, int, int, int] | None = (1, 2, 3, 4)
    record: bytes = b""
    """Its CodeView record, see `pdb` and `build_id`."""
    time: int = 0


def words(architecture: int, *values: int) -> bytes:
    """Return numbers as wide as the architecture's registers."""
    return b"".join(struct.pack(_FORMS[architecture], value) for value in values)


def pdb(path: str, guid: bytes, age: int) -> bytes:
    """Return the record of a module whose symbols are in a PDB."""
    return b"RSDS" + guid + struct.pack("<I", age) + path.encode() + b"\0"


def build_id(data: bytes) -> bytes:
    """Return the record of an ELF file."""
    return b"LEpB" + data


@dataclass
class Thread:
    """A thread beside the one that crashed."""

    id: int
    pointer: int
    stack_pointer: int
    stack: bytes
    frame_pointer: int = 0
    name: str | None = None


APP = Module("/usr/bin/app", 0x400000, 0x1000)
LIBC = Module("/lib/x86_64-linux-gnu/libc.so.6", 0x7F0000000000, 0x200000, None)


@dataclass
class Minidump:
    """What to put into a minidump."""

    platform: int = LINUX
    architecture: int = X86_64
    code: int | None = 11
    """Of the exception; None: there was none."""
    flags: int = 1
    parameters: tuple[int, ...] = ()
    pointer: int | None = 0x400123
    """Where the thread was, as the exception's context says; None: it has none."""
    thread_pointer: int | None = None
    """The same of the thread's own context."""
    stack_pointer: int = 0x7FFE0000
    frame_pointer: int = 0
    link: int = 0
    """The link register, where there is one."""
    stack: bytes = b""
    """What is on the thread's stack, from the stack pointer on."""
    stack_in: str = "thread"
    """What tells of the stack's memory: ``thread``, ``list`` or ``list64``."""
    address: int = 0xDEAD
    modules: list[Module] = field(default_factory=lambda: [APP, LIBC])
    threads: int = 3
    """How many there are; those that ``others`` lacks are empty."""
    others: list[Thread] = field(default_factory=list)
    unloaded: list[Module] = field(default_factory=list)
    written_at: int = 0
    started_at: int = 0
    writer: int | None = None
    """The id of the thread that wrote the minidump."""
    assertion: tuple[str, str, str, int] | None = None
    """An expression, a function, a file and a line."""
    os_version: tuple[int, int, int] = (6, 1, 0)
    os_text: str = "Linux 6.1.0 x86_64"
    aligned: bool = False
    """Whether lists begin at a multiple of 8 bytes."""

    def write(self) -> bytes:
        """Return the file."""
        out = _Writer()
        streams = {7: self._system(out)}
        if self.code is not None:
            streams[6] = self._exception(out, self.code)
        streams |= self._threads(out)
        streams[4] = self._list(out, [_module(module, out) for module in self.modules])
        streams |= self._further(out)
        streams[0x4350_0001] = out.put(bytes(64))  # Crashpad's own
        return out.finish(streams, self.written_at)

    def _further(self, out: "_Writer") -> dict[int, tuple[int, int]]:
        streams = {}
        if named := [t for t in self.others if t.name is not None]:
            names = [struct.pack("<IQ", t.id, out.text(t.name or "")) for t in named]
            streams[24] = out.put(struct.pack("<I", len(names)) + b"".join(names))
        if self.started_at:
            streams[15] = out.put(struct.pack("<IIII", 24, 3, 1234, self.started_at) + bytes(8))
        if self.unloaded:
            entries = [
                struct.pack("<QIIII", m.base, m.size, 0, 0, out.text(m.path)) for m in self.unloaded
            ]
            head = struct.pack("<III", 12, 24, len(entries))
            streams[14] = out.put(head + b"".join(entries))
        if self.writer is not None:
            streams[0x47670001] = out.put(struct.pack("<III", 1, self.writer, 0))
        if self.assertion is not None:
            *texts, line = self.assertion
            fixed = b"".join(str(text).encode("utf-16-le").ljust(256, b"\0") for text in texts)
            streams[0x47670002] = out.put(fixed + struct.pack("<II", line, 0))
        return streams

    def _system(self, out: "_Writer") -> tuple[int, int]:
        text = out.text(self.os_text)
        facts = (self.architecture, 6, 0, 4, 0, *self.os_version, self.platform, text)
        return out.put(struct.pack("<HHHBBIIIII", *facts) + bytes(28))

    def _exception(self, out: "_Writer", code: int) -> tuple[int, int]:
        place, size = self._context(out, self.pointer)
        given = self.parameters + (0,) * (15 - len(self.parameters))
        record = (CRASHED, 0, code, self.flags, 0, self.address, len(self.parameters), 0)
        return out.put(struct.pack("<IIIIQQII15QII", *record, *given, size, place))

    def _context(
        self, out: "_Writer", pointer: int | None, other: Thread | None = None
    ) -> tuple[int, int]:
        if pointer is None:
            return 0, 0
        context, form = bytearray(_CONTEXT), _FORMS[self.architecture]
        of: Minidump | Thread = self if other is None else other
        struct.pack_into(form, context, _POINTERS[self.architecture], pointer)
        struct.pack_into(form, context, _STACK_POINTERS[self.architecture], of.stack_pointer)
        struct.pack_into(form, context, _FRAME_POINTERS[self.architecture], of.frame_pointer)
        if self.architecture in _LINKS:
            struct.pack_into(form, context, _LINKS[self.architecture], self.link)
        return out.put(bytes(context))

    def _threads(self, out: "_Writer") -> dict[int, tuple[int, int]]:
        place, size = out.put(self.stack)
        context, length = self._context(out, self.thread_pointer)
        memory = (size, place) if self.stack_in == "thread" else (0, 0)
        crashed = (CRASHED, 0, 0, 0, 0, self.stack_pointer, *memory, length, context)
        entries = [struct.pack("<IIIIQQIIII", *crashed)]
        entries += [self._other(out, other) for other in self.others]
        entries += [bytes(48)] * (self.threads - len(entries))
        streams = {3: self._list(out, entries[: max(self.threads, 1 + len(self.others))])}
        if self.stack_in == "list":
            range_ = struct.pack("<QII", self.stack_pointer, size, place)
            streams[5] = self._list(out, [struct.pack("<QII", 0x10, 8, 0), range_])
        elif self.stack_in == "list64":
            ranges = struct.pack("<QQQQ", 0x10, 4, self.stack_pointer, size)
            streams[9] = out.put(struct.pack("<QQ", 2, place - 4) + ranges)
        return streams

    def _other(self, out: "_Writer", other: Thread) -> bytes:
        place, size = out.put(other.stack)
        context, length = self._context(out, other.pointer, other)
        facts = (other.id, 0, 0, 0, 0, other.stack_pointer, size, place, length, context)
        return struct.pack("<IIIIQQIIII", *facts)

    def _list(self, out: "_Writer", entries: list[bytes]) -> tuple[int, int]:
        padding = bytes(4) if self.aligned else b""
        return out.put(struct.pack("<I", len(entries)) + padding + b"".join(entries))


class _Writer:
    def __init__(self) -> None:
        self._out = bytearray(32 + 12 * 12)

    def put(self, data: bytes) -> tuple[int, int]:
        place = len(self._out)
        self._out += data
        return place, len(data)

    def text(self, text: str) -> int:
        data = text.encode("utf-16-le")
        return self.put(struct.pack("<I", len(data)) + data + b"\0\0")[0]

    def finish(self, streams: dict[int, tuple[int, int]], written_at: int) -> bytes:
        head = (b"MDMP", 0xA793, len(streams), 32, 0, written_at, 0)
        struct.pack_into("<4sIIIIIQ", self._out, 0, *head)
        for number, (kind, (place, size)) in enumerate(streams.items()):
            struct.pack_into("<III", self._out, 32 + 12 * number, kind, size, place)
        return bytes(self._out)


def _module(module: Module, out: _Writer) -> bytes:
    version = [0] * 13
    if module.version is not None:
        a, b, c, d = module.version
        version[:4] = [0xFEEF04BD, 0x10000, a << 16 | b, c << 16 | d]
    name, (place, size) = out.text(module.path), out.put(module.record)
    facts = (module.base, module.size, 0, module.time, name, *version, size, place)
    return struct.pack("<QIIII13III", *facts).ljust(108, b"\0")

"""An ELF file made by hand, with a build id and rules for unwinding (.eh_frame)."""

import struct

BUILD_ID = bytes(range(1, 21)).hex()


def elf(build_id: bytes = bytes.fromhex(BUILD_ID)) -> bytes:
    """Return an x86_64 program of one function at 0x1000."""
    note = struct.pack("<III4s", 4, len(build_id), 3, b"GNU\0") + build_id
    frame = _eh_frame(0x1000, 0x100, 0x3000)
    text = b"\xc3" * 0x100
    names = b"\0.note.gnu.build-id\0.text\0.eh_frame\0.shstrtab\0"
    sections = [(b".note.gnu.build-id", 7, 2, 0x400, note), (b".text", 1, 6, 0x1000, text),
                (b".eh_frame", 1, 2, 0x3000, frame), (b".shstrtab", 3, 0, 0, names)]  # fmt: skip
    body, headers = bytearray(), [bytes(64)]
    for name, kind, flags, address, data in sections:
        place = 64 + 56 + len(body)
        body += data + bytes(-len(data) % 8)
        headers.append(
            struct.pack("<IIQQQQIIQQ", names.index(name), kind, flags, address, place, len(data),
                        0, 0, 8, 0)
        )  # fmt: skip
    table = 64 + 56 + len(body)
    head = struct.pack(
        "<4sBBBBB7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0, 2, 62, 1, 0x1000, 64, table, 0, 64,
        56, 1, 64, len(headers), len(headers) - 1,
    )  # fmt: skip
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, table, table, 0x1000)
    return head + load + bytes(body) + b"".join(headers)


def _eh_frame(start: int, size: int, address: int) -> bytes:
    """Return the rules of one function that has pushed nothing (LSB 10.6, DWARF 4 §6.4)."""
    # version 1, "zR", code and data alignment, register of the return address, relative pointers
    cie = b"\x01zR\0" + bytes([1, 0x78, 0x10, 1, 0x1B])
    cie += bytes([0x0C, 7, 8, 0x90, 1])  # CFA = rsp + 8, rip at CFA - 8
    cie += bytes(-(len(cie) + 4) % 8)
    out = struct.pack("<II", len(cie) + 4, 0) + cie
    place = len(out)
    fde = struct.pack("<iI", start - (address + place + 8), size) + b"\0"
    fde += bytes(-(len(fde) + 4) % 8)
    return out + struct.pack("<II", len(fde) + 4, place + 4) + fde + bytes(4)

"""The text of a landing file: gzip undone, encoding undone, each fault in clear words."""

import codecs
import io
import zlib
from collections.abc import Iterable, Iterator

import pyarrow as pa

GZIP_MAGIC = b"\x1f\x8b"
PIECE_BYTES = 1 << 20
"""Bytes read, unpacked and decoded at a time."""

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class UnreadableTextError(ValueError):
    """The bytes are no text of the encoding or no whole gzip stream; the message says which, not in what file."""


def blocks(stream: pa.NativeFile) -> Iterator[bytes]:
    """The rest of the stream, piece by piece."""
    while piece := stream.read(PIECE_BYTES):
        yield piece


def unzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes that a gzip stream packs, in one or more members; raises UnreadableTextError for damage or a cut."""
    engine = zlib.decompressobj(_GZIP_WINDOW)
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if engine.eof:
                    engine = zlib.decompressobj(_GZIP_WINDOW)
                # Bounded, for a small stream may unpack to any size.
                if plain := engine.decompress(rest, PIECE_BYTES):
                    yield plain
                rest = engine.unused_data if engine.eof else engine.unconsumed_tail
        if plain := engine.flush():
            yield plain
    except zlib.error as problem:
        raise UnreadableTextError("the gzip stream is damaged") from problem
    if not engine.eof:
        raise UnreadableTextError("the gzip stream is cut off: its end is missing")


def decoded(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    """The text without its byte order mark; raises UnreadableTextError at the first byte not of the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done = 0
    for piece in pieces:
        if not done:
            _refuse_other_mark(piece, encoding)
        yield _decode(decoder, piece, done, encoding).removeprefix("" if done else "\ufeff")
        done += len(piece)
    _decode(decoder, b"", done, encoding, is_last=True)


def utf8_stream(stream: pa.NativeFile, encoding: str, *, is_gzip: bool) -> pa.NativeFile:
    """The text of a file that was found readable, as a stream of UTF-8 bytes."""
    plain = pa.CompressedInputStream(stream, "gzip") if is_gzip else stream
    return plain if is_utf8(encoding) else pa.transcoding_input_stream(plain, encoding, "utf-8")


def is_utf8(encoding: str) -> bool:
    """Whether the encoding is UTF-8 by any of its names."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")


def lines(stream: pa.NativeFile) -> Iterator[list[str]]:
    """Lines of a UTF-8 stream in batches, without their ends and outer blanks; blank lines are left out."""
    text = io.TextIOWrapper(stream, "utf-8-sig", "strict", newline="\n")
    while batch := text.readlines(PIECE_BYTES * 4):
        yield [line for line in map(str.strip, batch) if line]


def _decode(
    decoder: codecs.IncrementalDecoder, piece: bytes, done: int, encoding: str, *, is_last: bool = False
) -> str:
    waiting = len(decoder.getstate()[0])
    try:
        return decoder.decode(piece, is_last)
    except UnicodeDecodeError as problem:
        place = done - waiting + problem.start + 1
        message = f"byte {place:,} is not {encoding} text; write the file's `encoding` into the contract"
        raise UnreadableTextError(message) from problem


def _refuse_other_mark(start: bytes, encoding: str) -> None:
    """A single-byte encoding decodes anything, so another encoding's mark is the only hint that it is the wrong one."""
    for mark, marked in _BYTE_ORDER_MARKS:
        if start.startswith(mark) and not codecs.lookup(encoding).name.startswith(marked):
            raise UnreadableTextError(f"it is marked as {marked} text, the contract says {encoding}")

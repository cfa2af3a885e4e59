/// The header that a sender sends before the bytes of an item.
///
/// Each item has a stream of its own. docs/protocol.md, "Transfers".
struct TransferHeader: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        case file = 1
        /// Standard input or a pipe, whose size is not known in advance.
        case pipe = 2
        case directory = 3
        case link = 4
    }

    static let magic: [UInt8] = Array("PWT2".utf8)
    /// The former version, whose sender is answered in its own format.
    static let formerMagic: [UInt8] = Array("PWT1".utf8)
    /// Bytes before the name.
    static let fixedLength = 4 + 1 + 1 + 2 + 8 + 4 + 8 + 2 + 2
    static let nameLimit = 4096
    static let unknownSize = UInt64.max
    /// Largest size of a file: the system's offsets are signed.
    static let largestSize = UInt64(Int64.max)

    var kind: Kind
    /// Whether it is one of several items, or in a directory that is sent.
    var isOneOfSeveral: Bool
    /// Whether the content follows without waiting for the receiver's answer.
    var isEager: Bool
    /// POSIX permission bits.
    var mode: UInt16
    /// Time of the last change.
    var modified: FileTime
    var size: UInt64
    var name: ItemName
    /// Where a link points to.
    var target: [UInt8] = []

    func encoded() -> [UInt8] {
        var bytes = TransferHeader.magic
        bytes.reserveCapacity(TransferHeader.fixedLength + name.bytes.count + target.count)
        bytes.append(kind.rawValue)
        bytes.append((isOneOfSeveral ? 1 : 0) | (isEager ? 2 : 0))
        bytes.append(number: UInt64(mode), width: 2)
        bytes.append(number: UInt64(bitPattern: modified.seconds), width: 8)
        bytes.append(number: UInt64(modified.nanoseconds), width: 4)
        bytes.append(number: size, width: 8)
        bytes.append(number: UInt64(name.bytes.count), width: 2)
        bytes.append(number: UInt64(target.count), width: 2)
        return bytes + name.bytes + target
    }

    /// Parses the fixed part; the name and the link's target follow.
    static func parse(
        _ bytes: UnsafeRawBufferPointer
    ) throws(TransferError) -> (header: TransferHeader, nameLength: Int, targetLength: Int) {
        guard bytes.count == fixedLength else { throw .cutShort }
        guard bytes[..<4].elementsEqual(magic) else { throw .otherVersion }
        let size = bytes.number(at: 20, width: 8)
        let nanoseconds = bytes.number(at: 16, width: 4)
        let (nameLength, targetLength) = (
            Int(bytes.number(at: 28, width: 2)), Int(bytes.number(at: 30, width: 2))
        )
        guard let kind = Kind(rawValue: bytes[4]), bytes[5] <= 3, nanoseconds < 1_000_000_000,
            size <= largestSize || size == unknownSize,
            nameLength > 0, nameLength <= nameLimit, targetLength <= nameLimit,
            (kind == .link) == (targetLength > 0), (kind == .pipe) == (size == unknownSize)
        else { throw .malformed("the header of an item") }
        let header = TransferHeader(
            kind: kind, isOneOfSeveral: bytes[5] & 1 != 0, isEager: bytes[5] & 2 != 0,
            mode: UInt16(truncatingIfNeeded: bytes.number(at: 6, width: 2)) & 0o777,
            modified: FileTime(
                seconds: Int64(bitPattern: bytes.number(at: 8, width: 8)),
                nanoseconds: UInt32(truncatingIfNeeded: nanoseconds)),
            size: size, name: ItemName(bytes: []))
        return (header, nameLength, targetLength)
    }
}

/// A time as stored by file systems, since 1970, UTC.
struct FileTime: Hashable, Sendable {
    var seconds: Int64
    /// Fraction of a second.
    var nanoseconds: UInt32
}

extension [UInt8] {
    /// Appends the lowest `width` bytes of a number, big-endian.
    mutating func append(number: UInt64, width: Int) {
        for index in (0..<width).reversed() {
            append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Reads a big-endian number of `width` bytes; bytes beyond the end count as zero.
    func number(at offset: Int, width: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in offset..<(offset + width) {
            value = value << 8 | (index < count ? UInt64(self[index]) : 0)
        }
        return value
    }
}

/// What a sender says of one item before its bytes.
///
/// Each item has a stream of its own. docs/protocol.md, "Transfers".
struct TransferHeader: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        case file = 1
        /// Standard input or a pipe: its size is not known before.
        case pipe = 2
        case directory = 3
        case link = 4
    }

    static let magic: [UInt8] = Array("PWT2".utf8)
    /// The version before, whose sender is answered in its own words.
    static let formerMagic: [UInt8] = Array("PWT1".utf8)
    /// Bytes before the name.
    static let fixedLength = 4 + 1 + 1 + 2 + 8 + 4 + 8 + 2 + 2
    static let nameLimit = 4096
    static let unknownSize = UInt64.max
    /// What a file can have at the most: offsets of the system are signed.
    static let largestSize = UInt64(Int64.max)

    var kind: Kind
    /// More items come in this run, or a directory with what is in it.
    var isOneOfSeveral: Bool
    /// The content follows without waiting for the receiver's word.
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

    /// From the fixed part; the name and the link's target follow.
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

/// A moment as file systems keep it, since 1970, UTC.
struct FileTime: Hashable, Sendable {
    var seconds: Int64
    /// Below one second.
    var nanoseconds: UInt32
}

extension [UInt8] {
    /// Appends the lowest `width` bytes of a number, the highest first.
    mutating func append(number: UInt64, width: Int) {
        for index in (0..<width).reversed() {
            append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
        }
    }
}

extension UnsafeRawBufferPointer {
    /// A number of `width` bytes, the highest first; what lies beyond the end counts as zero.
    func number(at offset: Int, width: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in offset..<(offset + width) {
            value = value << 8 | (index < count ? UInt64(self[index]) : 0)
        }
        return value
    }
}

/// What a sender says of one item before its bytes, and what the receiver answers after them.
///
/// Each item has a stream of its own. docs/protocol.md, "Transfers".
struct TransferHeader: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        case file = 1
        /// Standard input: no name, no known size.
        case pipe = 2
        case directory = 3
    }

    static let magic: [UInt8] = Array("PWT1".utf8)
    /// Bytes before the name.
    static let fixedLength = 4 + 1 + 2 + 8 + 2
    static let nameLimit = 4096
    static let unknownSize = UInt64.max

    var kind: Kind
    /// Relative path, components joined by slashes.
    var name: String
    var size: UInt64
    /// POSIX permission bits.
    var mode: UInt16

    func encoded() -> [UInt8] {
        var bytes = TransferHeader.magic
        bytes.append(kind.rawValue)
        append(UInt64(mode), 2, to: &bytes)
        append(size, 8, to: &bytes)
        let text = Array(name.utf8.prefix(TransferHeader.nameLimit))
        append(UInt64(text.count), 2, to: &bytes)
        return bytes + text
    }

    /// From the fixed part; the name follows, `nameLength` bytes of it.
    static func parse(_ bytes: [UInt8]) -> (header: TransferHeader, nameLength: Int)? {
        guard bytes.count == fixedLength, Array(bytes[..<4]) == magic,
            let kind = Kind(rawValue: bytes[4])
        else { return nil }
        let length = Int(number(bytes[15..<17]))
        guard length <= nameLimit else { return nil }
        return (
            TransferHeader(
                kind: kind, name: "", size: number(bytes[7..<15]),
                mode: UInt16(truncatingIfNeeded: number(bytes[5..<7])) & 0o777), length
        )
    }

    /// The path's components if it stays below where it is put: relative, no `.`, `..`, no NUL.
    var safeComponents: [String]? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let isSafe = parts.allSatisfy { part in
            !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255
                && !part.utf8.contains(0)
        }
        return isSafe && !parts.isEmpty ? parts : nil
    }
}

/// The receiver's answer on an item's stream.
struct TransferResult: Equatable, Sendable {
    static let fixedLength = 1 + 8 + 32 + 2
    static let textLimit = 1000

    var isStored: Bool
    var bytes: UInt64
    /// SHA-256 of what arrived.
    var digest: [UInt8]
    /// Why it was not stored.
    var text: String

    func encoded() -> [UInt8] {
        var out: [UInt8] = [isStored ? 0 : 1]
        append(bytes, 8, to: &out)
        out += digest.count == 32 ? digest : [UInt8](repeating: 0, count: 32)
        let text = Array(text.utf8.prefix(TransferResult.textLimit))
        append(UInt64(text.count), 2, to: &out)
        return out + text
    }

    static func parse(_ bytes: [UInt8]) -> (result: TransferResult, textLength: Int)? {
        guard bytes.count == fixedLength, bytes[0] <= 1 else { return nil }
        let length = Int(number(bytes[41..<43]))
        guard length <= textLimit else { return nil }
        return (
            TransferResult(
                isStored: bytes[0] == 0, bytes: number(bytes[1..<9]), digest: Array(bytes[9..<41]),
                text: ""), length
        )
    }
}

private func append(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
    for index in (0..<count).reversed() {
        bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
    }
}

private func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
}

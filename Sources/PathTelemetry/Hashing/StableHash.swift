/// A 64-bit hash that is the same on every machine and in every run: FNV-1a.
///
/// It identifies schemas, models and streams of bytes in files and does not protect against
/// forgery. Source: Fowler, Noll and Vo; IETF draft-eastlake-fnv, 64-bit constants.
public struct StableHash: Sendable {
    /// The hash of everything added so far.
    public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    public init() {}

    /// Makes a salted hash, for a table whose cells an outsider must not be able to choose.
    public init(salt: UInt64) { value ^= salt }

    /// The hash of some bytes.
    public init(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { add(byte) }
    }

    /// The hash of a text's UTF-8 bytes.
    public init(_ text: String) { self.init(text.utf8) }

    /// Adds one byte.
    public mutating func add(_ byte: UInt8) { add(word: UInt64(byte)) }

    /// Adds a number in one step, which is faster than byte by byte and gives another hash than its
    /// bytes.
    public mutating func add(word: UInt64) {
        value = (value ^ word) &* 0x0000_0100_0000_01b3
    }

    /// A hash as in tables and files: 16 hexadecimal digits.
    public static func text(_ value: UInt64) -> String {
        NumberText.padded(value, to: 16, radix: 16)
    }
}

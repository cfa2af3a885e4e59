/// Names of files that are not whole yet: `.pathwise-`, 32 hexadecimal digits, `.part`.
///
/// Nothing else is likely to have such a name, so that a folder can be sent without what a
/// receiver is writing into it.
public enum TemporaryName {
    private static let prefix = Array(".pathwise-".utf8)
    private static let suffix = Array(".part".utf8)
    private static let digits = 32

    /// A name that nobody else can guess.
    public static func unguessable() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let words = [generator.next(), generator.next()]
        return name(
            words.flatMap { word in
                (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
            })
    }

    /// The name with the digits of 16 bytes.
    static func name(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        prefix + Array(hexadecimal(Array(bytes)).utf8) + suffix
    }

    /// Whether a name has the form of one.
    static func isOne(_ name: [UInt8]) -> Bool {
        name.count == prefix.count + digits + suffix.count && name.starts(with: prefix)
            && name.suffix(suffix.count) == suffix[...]
            && name[prefix.count..<(prefix.count + digits)].allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }
}

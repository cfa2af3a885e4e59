/// Names of unfinished files: `.pathwise-`, 32 hexadecimal digits, `.part`.
///
/// Other files hardly have such names, so a folder can be sent without the files that a receiver is
/// writing into it.
public enum TemporaryName {
    private static let prefix = Array(".pathwise-".utf8)
    private static let suffix = Array(".part".utf8)
    private static let digits = 32

    /// A name that nobody can guess.
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

    /// Whether a name has this form.
    static func isOne(_ name: [UInt8]) -> Bool {
        name.count == prefix.count + digits + suffix.count && name.starts(with: prefix)
            && name.suffix(suffix.count) == suffix[...]
            && name[prefix.count..<(prefix.count + digits)].allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }
}

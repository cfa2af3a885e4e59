/// Base64 of exactly 32 bytes, as WireGuard writes keys: 44 characters, of which the last is `=`.
///
/// No table is indexed by a secret and no branch depends on one, so timing reveals nothing.
enum Base64 {
    static let characters = 44

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(characters)
        append(bytes, to: &text)
        defer { Crypto.wipe(&text) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends the text as bytes to an array that has room; a caller with a secret wipes it.
    static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        var index = 0
        while index < bytes.count {
            let first = Int32(bytes[index])
            let second = index &+ 1 < bytes.count ? Int32(bytes[index &+ 1]) : 0
            let third = index &+ 2 < bytes.count ? Int32(bytes[index &+ 2]) : 0
            text.append(character(first &>> 2))
            text.append(character((first &<< 4 | second &>> 4) & 63))
            text.append(
                index &+ 1 < bytes.count
                    ? character((second &<< 2 | third &>> 6) & 63) : UInt8(ascii: "="))
            text.append(index &+ 2 < bytes.count ? character(third & 63) : UInt8(ascii: "="))
            index &+= 3
        }
    }

    /// The 32 bytes, or nil when the text is anything but their canonical base64.
    static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var symbols = Array(text)
        defer { Crypto.wipe(&symbols) }
        guard symbols.count == characters, symbols[43] == UInt8(ascii: "=") else { return nil }
        symbols[43] = UInt8(ascii: "A")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(33)
        var invalid: Int32 = 0
        for start in stride(from: 0, to: characters, by: 4) {
            var group: Int32 = 0
            for offset in 0..<4 {
                let value = value(of: Int32(symbols[start &+ offset]))
                invalid |= value
                group = group &<< 6 | (value & 63)
            }
            bytes.append(UInt8(truncatingIfNeeded: group &>> 16))
            bytes.append(UInt8(truncatingIfNeeded: group &>> 8))
            bytes.append(UInt8(truncatingIfNeeded: group))
        }
        // Bits after the 32nd byte would make a second spelling of the same key, so they are
        // refused.
        guard invalid >= 0, let extra = bytes.popLast(), extra == 0 else {
            Crypto.wipe(&bytes)
            return nil
        }
        return bytes
    }

    /// Maps 0...63 to its character: each term adds its offset if `value` is past a range's end.
    private static func character(_ value: Int32) -> UInt8 {
        let lower = (25 &- value) &>> 8 & 6
        let digit = (51 &- value) &>> 8 & 75
        let plus = (61 &- value) &>> 8 & 15
        let slash = (62 &- value) &>> 8 & 3
        return UInt8(truncatingIfNeeded: value &+ 65 &+ lower &- digit &- plus &+ slash)
    }

    /// Maps a character to 0...63, or to -1: each term is non-zero only inside its range.
    private static func value(of character: Int32) -> Int32 {
        func within(_ low: Int32, _ high: Int32, _ result: Int32) -> Int32 {
            ((low &- 1 &- character) & (character &- (high &+ 1))) &>> 8 & result
        }
        return -1 &+ within(65, 90, character &- 64) &+ within(97, 122, character &- 70)
            &+ within(48, 57, character &+ 5) &+ within(43, 43, 63) &+ within(47, 47, 64)
    }
}

import PathTelemetry
import Testing

/// A peer or a file cannot control the terminal.
struct EscapedTextTests {
    @Test(arguments: [
        ("plain.mkv", "plain.mkv"),
        ("Grüße, 東京 \u{1f600}", "Grüße, 東京 \u{1f600}"),
        ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\x1b[2J\\x1b]0;title\\x07"),
        ("two\r\nlines\ttab\u{0}", "two\\x0d\\x0alines\\x09tab\\x00"),
        ("\u{7f}\u{9b}31m", "\\x7f\\u{9b}31m"),
        ("fdp.\u{202e}exe", "fdp.\\u{202e}exe"),
        ("a\u{2028}b\u{feff}c\u{e000}", "a\\u{2028}b\\u{feff}c\\u{e000}"),
        ("C:\\new", "C:\\new"),
    ])
    func textIsWrittenOut(_ given: String, _ shown: String) {
        #expect(EscapedText(given).description == shown)
        #expect(EscapedText(shown).description == shown, "escaping twice changes nothing")
    }

    @Test(
        arguments: [
            ([0xff, 0x41, 0xc3], "\\xffA\\xc3"),
            // An overlong slash, a surrogate, and a character that is cut off.
            ([0xc0, 0xaf], "\\xc0\\xaf"),
            ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"),
            ([0xe6, 0x9d, 0x41], "\\xe6\\x9dA"),
            ([], ""),
        ] as [([UInt8], String)])
    func bytesThatAreNoTextAreWrittenOut(_ given: [UInt8], _ shown: String) {
        #expect(EscapedText(bytes: given).description == shown)
    }

    /// For any bytes, the result has no control characters and no invalid bytes, and inputs that
    /// differ by more than escapes stay different.
    @Test func nothingThatATerminalObeysComesOut() {
        let seed: UInt64 = 11
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let count = Int(generator.next() % 24)
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            let shown = EscapedText(bytes: bytes).description
            for scalar in shown.unicodeScalars {
                let category = scalar.properties.generalCategory
                #expect(
                    category != .control && category != .format && scalar != "\u{fffd}",
                    "seed \(seed), bytes \(bytes)")
            }
            #expect(EscapedText(shown).description == shown, "seed \(seed), bytes \(bytes)")
        }
    }
}

import PathTelemetry
import PathTransport

/// The lines of a text file of the state folder, each split into words.
///
/// Empty lines and what follows `#` are left out. Words are separated by spaces and tabs.
public struct StateLines: Sequence, IteratorProtocol {
    /// One line with its number, from 1, and the name of its file for errors.
    public struct Line {
        let file: String
        let number: Int
        public let words: [String]

        /// The error that says what is wrong with the line.
        public func problem(_ text: String) -> StateError {
            .malformed(file: file, line: number, text)
        }
    }

    private let file: String
    private var rest: ArraySlice<UInt8>
    private var number = 0

    /// - Parameters:
    ///   - content: of the file.
    ///   - file: the path for errors.
    public init(_ content: [UInt8], file: String) {
        self.file = file
        rest = content[...]
    }

    public mutating func next() -> Line? {
        while !rest.isEmpty {
            number += 1
            let line = rest.prefix { $0 != UInt8(ascii: "\n") }
            rest = rest.dropFirst(line.count + 1)
            let words = line.prefix { $0 != UInt8(ascii: "#") }
                .split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == 13 }
                .map { String(decoding: $0, as: UTF8.self) }
            if !words.isEmpty { return Line(file: file, number: number, words: words) }
        }
        return nil
    }
}

extension StateLines.Line {
    /// A word that is a public key.
    public func publicKey(_ word: String) throws(StateError) -> PublicKey {
        guard let key = PublicKey(base64: word) else {
            throw problem(
                "\(shown(word)) is not a public key; write the 44 characters that "
                    + "'pathwise pubkey' prints")
        }
        return key
    }

    /// A word that is the name of a client.
    public func name(_ word: String) throws(StateError) -> String {
        guard PlainName.allows(word) else {
            throw problem(
                "\(shown(word)) cannot be a name; write \(PlainName.rule)")
        }
        return word
    }

    /// A word of the file for an error, in quotes and escaped; a longer one is not shown, because it
    /// may have a secret key in it.
    public func shown(_ word: String) -> String {
        word.utf8.count < 40 ? "'\(EscapedText(word))'" : "a word of \(word.utf8.count) bytes"
    }
}

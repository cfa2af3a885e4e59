/// Swift source in which everything but code is blanked; lines and columns stay the same.
///
/// It lexes enough for rules about keywords: line and nested block comments, string literals of one
/// and several lines, raw strings, and interpolations (blanked with their string).
struct SwiftText {
    /// The lines as written.
    let lines: [String]
    /// The same lines with comments and the contents of string literals replaced by spaces.
    let code: [String]

    /// - Parameter keepsInterpolations: keeps the code within string literals.
    init(_ source: String, keepsInterpolations: Bool = false) {
        lines = source.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var blanker = Blanker(source, keepsInterpolations: keepsInterpolations)
        code = blanker.run().split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }
}

private struct Blanker {
    private let input: [UInt8]
    private let keepsInterpolations: Bool
    private var output: [UInt8] = []
    private var at = 0

    private static let quote = UInt8(ascii: "\"")
    private static let hash = UInt8(ascii: "#")
    private static let slash = UInt8(ascii: "/")
    private static let star = UInt8(ascii: "*")
    private static let backslash = UInt8(ascii: "\\")
    private static let newline = UInt8(ascii: "\n")

    init(_ source: String, keepsInterpolations: Bool) {
        input = Array(source.utf8)
        self.keepsInterpolations = keepsInterpolations
        output.reserveCapacity(input.count)
    }

    mutating func run() -> String {
        while at < input.count {
            if matches([Blanker.slash, Blanker.slash]) {
                while at < input.count, input[at] != Blanker.newline { blank() }
            } else if matches([Blanker.slash, Blanker.star]) {
                blockComment()
            } else if input[at] == Blanker.quote {
                string(hashes: 0)
            } else if input[at] == Blanker.hash, let hashes = rawStringHashes() {
                for _ in 0..<hashes { keep() }
                string(hashes: hashes)
            } else {
                keep()
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private func matches(_ bytes: [UInt8]) -> Bool {
        input[at...].starts(with: bytes)
    }

    private mutating func keep() {
        output.append(input[at])
        at += 1
    }

    private mutating func blank() {
        output.append(input[at] == Blanker.newline ? Blanker.newline : UInt8(ascii: " "))
        at += 1
    }

    private mutating func blank(_ count: Int) {
        for _ in 0..<count where at < input.count { blank() }
    }

    private mutating func blockComment() {
        var depth = 0
        while at < input.count {
            if matches([Blanker.slash, Blanker.star]) {
                depth += 1
                blank(2)
            } else if matches([Blanker.star, Blanker.slash]) {
                depth -= 1
                blank(2)
                if depth == 0 { return }
            } else {
                blank()
            }
        }
    }

    /// The count of `#` here before a quote; nil for `#if` and similar.
    private func rawStringHashes() -> Int? {
        let hashes = input[at...].prefix { $0 == Blanker.hash }.count
        let next = at + hashes
        return next < input.count && input[next] == Blanker.quote ? hashes : nil
    }

    /// Blanks from the opening quote to the closing delimiter; the delimiters stay.
    private mutating func string(hashes: Int) {
        let quotes = matches([Blanker.quote, Blanker.quote, Blanker.quote]) ? 3 : 1
        for _ in 0..<quotes { keep() }
        let end =
            [UInt8](repeating: Blanker.quote, count: quotes)
            + [UInt8](repeating: Blanker.hash, count: hashes)
        let escape = [Blanker.backslash] + [UInt8](repeating: Blanker.hash, count: hashes)
        while at < input.count {
            if matches(end) {
                for _ in end { keep() }
                return
            }
            if quotes == 1, input[at] == Blanker.newline { return }
            if matches(escape) {
                blank(escape.count)
                if at < input.count, input[at] == UInt8(ascii: "(") {
                    interpolation()
                } else {
                    blank()
                }
            } else {
                blank()
            }
        }
    }

    /// Skips from the opening to the closing parenthesis, with the strings inside.
    private mutating func interpolation() {
        var depth = 0
        while at < input.count {
            switch input[at] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case Blanker.quote:
                let start = output.count
                string(hashes: 0)
                if !keepsInterpolations {
                    for index in start..<output.count where output[index] != Blanker.newline {
                        output[index] = UInt8(ascii: " ")
                    }
                }
                continue
            default: break
            }
            if keepsInterpolations { keep() } else { blank() }
            if depth == 0 { return }
        }
    }
}

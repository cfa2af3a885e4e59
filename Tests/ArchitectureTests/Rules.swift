/// The rules as functions of text, so that tests can show that each one fails.
enum Rules {
    /// A place that breaks a rule; the line counts from one.
    struct Violation: Hashable, CustomStringConvertible {
        var file: String
        var line: Int
        var what: String
        var description: String { "\(file):\(line): \(what)" }
    }

    // MARK: imports

    /// The modules that a file imports, with their lines.
    static func imports(_ text: SwiftText) -> [(line: Int, module: String)] {
        var found: [(line: Int, module: String)] = []
        for (index, line) in text.code.enumerated() {
            var words = line.split { $0 == " " || $0 == "\t" }
            while let first = words.first, isModifier(first) { words.removeFirst() }
            guard words.count >= 2, words[0] == "import" else { continue }
            let kinds: Set<Substring> = [
                "struct", "class", "enum", "protocol", "typealias", "func", "var", "let",
            ]
            let name = words.count >= 3 && kinds.contains(words[1]) ? words[2] : words[1]
            found.append((index + 1, String(name.prefix { $0 != "." && $0 != ";" })))
        }
        return found
    }

    /// Imports that a room may not use.
    static func strangeImports(
        _ text: SwiftText, file: String, allowed: Set<String>
    ) -> [Violation] {
        imports(text).filter { !allowed.contains($0.module) }.map {
            Violation(file: file, line: $0.line, what: "may not import \($0.module)")
        }
    }

    /// Dependencies that point up, or to a room that is not in the order.
    static func upwardArrows(_ targets: [Manifest.Target], order: [String]) -> [String] {
        var problems: [String] = []
        for target in targets where target.kind != .testTarget {
            guard let own = order.firstIndex(of: target.name) else {
                problems.append("\(target.name) has no place in the order of rooms")
                continue
            }
            for name in target.dependencies {
                guard let other = order.firstIndex(of: name) else { continue }
                if other >= own { problems.append("\(target.name) points up to \(name)") }
            }
        }
        return problems
    }

    // MARK: words of the language

    /// Deliberate crashes: `try!`, `as!`, `fatalError(`.
    static func traps(_ text: SwiftText, file: String) -> [Violation] {
        ["try!", "as!", "fatalError("].flatMap { word in
            places(of: word, in: text).map { Violation(file: file, line: $0, what: word) }
        }
    }

    /// Existentials: the word `any` before a type's name.
    static func existentials(_ text: SwiftText, file: String) -> [Violation] {
        text.code.indices.compactMap { index in
            let words = text.code[index].split {
                !($0.isLetter || $0.isNumber || "_~.".contains($0))
            }
            let isExistential = zip(words, words.dropFirst()).contains { word, next in
                word == "any" && (next.first?.isUppercase == true || next.first == "~")
            }
            guard isExistential else { return nil }
            return Violation(file: file, line: index + 1, what: "an existential")
        }
    }

    /// The classes that a file declares.
    static func classes(_ text: SwiftText, file: String) -> [(name: String, at: Violation)] {
        var found: [(name: String, at: Violation)] = []
        for (index, line) in text.code.enumerated() {
            var words = line.split { $0 == " " || $0 == "\t" }
            while let first = words.first, isModifier(first) { words.removeFirst() }
            guard words.count >= 2, words[0] == "class" || words[0] == "actor" else { continue }
            let name = String(words[1].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
            // `class func` and `class var` are members.
            if name == "func" || name == "var" { continue }
            let at = Violation(file: file, line: index + 1, what: "declares the class \(name)")
            found.append((name, at))
        }
        return found
    }

    /// Draws from a generator whose numbers can be repeated or guessed.
    static func guessableDraws(_ text: SwiftText, file: String) -> [Violation] {
        ["SeededGenerator", "SplitMix64", "drand48(", "rand(", "random("].flatMap { word in
            places(of: word, in: text).map {
                Violation(file: file, line: $0, what: "draws from a generator that can be guessed")
            }
        }
    }

    // MARK: text

    /// Files that are too long.
    static func length(_ source: String, file: String, limit: Int) -> [Violation] {
        var lines = source.split(separator: "\n", omittingEmptySubsequences: false).count
        if source.hasSuffix("\n") { lines -= 1 }
        return lines > limit
            ? [Violation(file: file, line: lines, what: "\(lines) lines, \(limit) at most")] : []
    }

    /// Folders of one machine, and marks of unfinished work.
    static func strayWords(_ source: String, file: String) -> [Violation] {
        // Joined here, so that the rule can check this file too.
        let folders = ["work", "root", "home", "Users"].map { "/" + $0 + "/" }
        let marks = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]
        var found: [Violation] = []
        for (index, line) in source.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            for word in folders where contains(line, folder: word) {
                found.append(Violation(file: file, line: index + 1, what: "names \(word)"))
            }
            for word in marks where contains(line, word: word) {
                found.append(Violation(file: file, line: index + 1, what: "says \(word)"))
            }
        }
        return found
    }

    /// Public types, functions and subscripts without a documentation comment.
    ///
    /// Names, types and the type's comment may document properties, cases and initialisers.
    static func undocumented(
        _ text: SwiftText, file: String, witnesses: Set<String>
    ) -> [Violation] {
        let kinds: Set<String> = [
            "struct", "enum", "class", "actor", "protocol", "func", "subscript",
        ]
        var found: [Violation] = []
        for (index, line) in text.code.enumerated() {
            var words = line.split { $0 == " " || $0 == "\t" }
            guard words.contains("public") else { continue }
            while let first = words.first, isModifier(first) { words.removeFirst() }
            guard let first = words.first else { continue }
            let kind = String(first.prefix { $0.isLetter })
            guard kinds.contains(kind) else { continue }
            let name = words.count > 1 ? String(words[1].prefix { $0.isLetter || $0 == "_" }) : ""
            // An operator has no letters in its name, and one known meaning.
            if kind == "func", name.isEmpty || witnesses.contains(name) { continue }
            if !isDocumented(index, in: text.lines) {
                found.append(
                    Violation(
                        file: file, line: index + 1, what: "no documentation: \(kind) \(name)"))
            }
        }
        return found
    }

    private static func isDocumented(_ index: Int, in lines: [String]) -> Bool {
        var above = index - 1
        while above >= 0 {
            let line = lines[above].drop { $0 == " " }
            if line.hasPrefix("///") || line.hasSuffix("*/") { return true }
            guard line.hasPrefix("@") else { return false }
            above -= 1
        }
        return false
    }

    // MARK: parts

    private static let modifiers: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private", "open", "final", "static",
        "mutating", "nonmutating", "nonisolated", "borrowing", "consuming", "indirect", "override",
        "convenience", "required", "lazy", "weak", "unsafe",
    ]

    private static func isModifier(_ word: Substring) -> Bool {
        word.hasPrefix("@") || modifiers.contains(word) || word.hasSuffix("(set)")
    }

    /// Lines with a whole word: no letter, digit or dot before it, no letter after it.
    private static func places(of word: String, in text: SwiftText) -> [Int] {
        text.code.indices.filter { contains(text.code[$0][...], word: word) }.map { $0 + 1 }
    }

    private static func contains(_ line: Substring, word: String) -> Bool {
        var from = line.startIndex
        while let range = line[from...].firstRange(of: word) {
            let before =
                range.lowerBound > line.startIndex
                ? line[line.index(before: range.lowerBound)] : " "
            let after = range.upperBound < line.endIndex ? line[range.upperBound] : " "
            let endsInLetter = word.last?.isLetter ?? false
            if !(before.isLetter || before.isNumber || before == "_" || before == ".") {
                if !endsInLetter || !(after.isLetter || after.isNumber || after == "_") {
                    return true
                }
            }
            from = range.upperBound
        }
        return false
    }

    /// A folder at the start of a path, not within one.
    private static func contains(_ line: Substring, folder: String) -> Bool {
        var from = line.startIndex
        while let range = line[from...].firstRange(of: folder) {
            guard range.lowerBound > line.startIndex else { return true }
            let before = line[line.index(before: range.lowerBound)]
            if !(before.isLetter || before.isNumber || "_-.$~})".contains(before)) { return true }
            from = range.upperBound
        }
        return false
    }
}

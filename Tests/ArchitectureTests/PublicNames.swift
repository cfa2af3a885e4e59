/// The public declarations of all rooms, and those that nothing reaches.
///
/// Declarations are compared by name, so one whose name another room uses for something else counts
/// as used. Everything that is reported is certainly unused.
struct PublicNames {
    /// A public declaration that nothing outside its room names.
    struct Unreached: Hashable {
        var room: String
        var name: String
        var at: Rules.Violation
    }

    private struct Declaration {
        var room: String
        var file: String
        var line: Int
        var isType: Bool
        var name: String
    }

    private var declarations: [Declaration] = []
    /// The rooms whose code has a word.
    private var users: [Substring: Set<String>] = [:]
    /// The places where the signatures of a room's public declarations have a word.
    private var signatures: [String: [Substring: Set<String>]] = [:]
    /// Requirements of protocols, which are public if the type and the protocol are.
    private var requirements: Set<String> = []

    init(_ files: [(room: String, path: String, source: String)]) {
        for file in files {
            let lines = SwiftText(file.source, keepsInterpolations: true).code
            for line in lines {
                for word in PublicNames.words(line[...]) {
                    users[word, default: []].insert(file.room)
                }
            }
            add(lines, file.room, file.path)
        }
    }

    /// Public declarations whose name is neither in another room nor, for types, in the signature
    /// of another public declaration.
    func unreached(witnesses: Set<String>) -> [Unreached] {
        declarations.filter { declaration in
            let name = declaration.name
            if witnesses.contains(name) || requirements.contains(name) { return false }
            if !(users[name[...]] ?? []).subtracting([declaration.room]).isEmpty { return false }
            guard declaration.isType else { return true }
            let own = "\(declaration.file):\(declaration.line)"
            return (signatures[declaration.room]?[name[...]] ?? []).subtracting([own]).isEmpty
        }.map {
            Unreached(
                room: $0.room, name: $0.name,
                at: Rules.Violation(
                    file: $0.file, line: $0.line,
                    what: "\($0.name) is public, but no other room reaches it"))
        }
    }

    private static let types: Set<Substring> = [
        "struct", "enum", "class", "actor", "protocol", "typealias",
    ]
    private static let members: Set<Substring> = ["func", "var", "let"]

    private mutating func add(_ lines: [String], _ room: String, _ path: String) {
        for (index, line) in lines.enumerated() {
            let words = PublicNames.words(line[...])
            if let place = words.firstIndex(of: "protocol"), place + 1 < words.count,
                !line.contains("AnyObject {}")
            {
                addRequirements(lines, index, room, path, isPublic: words.contains("public"))
            }
            let isCase = words.first == "case" || words.starts(with: ["indirect", "case"])
            let isConformance = words.first == "extension" && line.contains(":")
            guard words.contains("public") || isCase && line.contains("(") || isConformance
            else { continue }
            let at = "\(path):\(index + 1)"
            for word in PublicNames.words(PublicNames.signature(lines, index)[...]) {
                signatures[room, default: [:]][word, default: []].insert(at)
            }
            guard words.contains("public"),
                let kind = words.firstIndex(where: {
                    PublicNames.types.contains($0) || PublicNames.members.contains($0)
                }), kind + 1 < words.count
            else { continue }
            // `class func` and `class var` are members.
            let isClassMember =
                words[kind] == "class" && PublicNames.members.contains(words[kind + 1])
            let name = isClassMember ? kind + 2 : kind + 1
            // An operator's name is not a word; the next word is a parameter.
            guard name < words.count, !PublicNames.isOperator(line) else { continue }
            declarations.append(
                Declaration(
                    room: room, file: path, line: index + 1,
                    isType: PublicNames.types.contains(words[kind]) && !isClassMember,
                    name: String(words[name])))
        }
    }

    private mutating func addRequirements(
        _ lines: [String], _ start: Int, _ room: String, _ path: String, isPublic: Bool
    ) {
        var depth = 0
        var hasBegun = false
        for index in start..<lines.count {
            let words = PublicNames.words(lines[index][...])
            if hasBegun {
                if let kind = words.firstIndex(where: { PublicNames.members.contains($0) }),
                    kind + 1 < words.count
                {
                    requirements.insert(String(words[kind + 1]))
                }
                if isPublic {
                    for word in words {
                        signatures[room, default: [:]][word, default: []]
                            .insert("\(path):\(index + 1)")
                    }
                }
            }
            for character in lines[index] {
                if character == "{" {
                    depth += 1
                    hasBegun = true
                } else if character == "}" {
                    depth -= 1
                }
            }
            if hasBegun, depth <= 0 { return }
        }
    }

    /// Whether a line declares an operator, as `static func ==`.
    private static func isOperator(_ line: String) -> Bool {
        guard let range = line.firstRange(of: "func "),
            let first = line[range.upperBound...].first(where: { $0 != " " })
        else { return false }
        return !(first.isLetter || first == "_" || first == "`")
    }

    /// A declaration up to its body or the end of its value.
    private static func signature(_ lines: [String], _ start: Int) -> String {
        var text = ""
        var depth = 0
        for index in start..<min(lines.count, start + 30) {
            for character in lines[index] {
                if character == "(" || character == "[" { depth += 1 }
                if character == ")" || character == "]" { depth -= 1 }
                if character == "{", depth == 0 { return text }
                text.append(character)
            }
            text += " "
            guard depth <= 0, index + 1 < lines.count else { continue }
            let next = lines[index + 1].drop { $0 == " " }
            let goesOn =
                [",", "->", ":", "=", "?", "&"].contains { ending in
                    lines[index].reversed().drop { $0 == " " }.starts(with: ending.reversed())
                }
                || ["->", "throws", "where", ":", "async", "?", "{", "&", "."].contains {
                    next.hasPrefix($0)
                }
            if !goesOn { return text }
        }
        return text
    }

    private static func words(_ text: Substring) -> [Substring] {
        text.split { !($0.isLetter || $0.isNumber || $0 == "_") }
    }
}

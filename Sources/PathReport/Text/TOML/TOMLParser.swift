/// Reads the structure of a TOML document: keys, tables, arrays.
struct TOMLParser {
    var scanner: TOMLScanner
    private let root = TOMLNode(line: 1)

    init(_ text: String) { scanner = TOMLScanner(text) }

    mutating func document() throws(TOMLProblem) -> TOMLTable {
        var current = root
        while true {
            scanner.skipBlankLines()
            guard let byte = scanner.peek else { return root.table }
            if byte == UInt8(ascii: "[") {
                current = try header()
            } else {
                try pair(into: current)
            }
            try scanner.endLine()
        }
    }

    /// Reads `[a.b]` or `[[a.b]]`.
    private mutating func header() throws(TOMLProblem) -> TOMLNode {
        let line = scanner.line
        scanner.advance()
        let isArray = scanner.take(UInt8(ascii: "["))
        let path = try keyPath()
        guard scanner.take(UInt8(ascii: "]")), !isArray || scanner.take(UInt8(ascii: "]")) else {
            throw scanner.problem("a header ends with " + (isArray ? "]]" : "]"))
        }
        var node = root
        for key in path.dropLast() { node = try node.inner(key, line: line) }
        let last = path[path.count - 1]
        return isArray
            ? try node.append(last, line: line) : try node.define(last, line: line)
    }

    /// Reads `a.b = value`.
    private mutating func pair(into table: TOMLNode) throws(TOMLProblem) {
        let line = scanner.line
        let path = try keyPath()
        guard scanner.take(UInt8(ascii: "=")) else {
            throw scanner.problem("write KEY = VALUE, or a table as [NAME]")
        }
        scanner.skipBlanks()
        let value = try value(depth: 0)
        var node = table
        for key in path.dropLast() { node = try node.dotted(key, line: line) }
        try node.set(path[path.count - 1], to: value, line: line)
    }

    /// Keys joined by dots, with blanks around them.
    private mutating func keyPath() throws(TOMLProblem) -> [String] {
        var path: [String] = []
        repeat {
            scanner.skipBlanks()
            path.append(try scanner.key())
            scanner.skipBlanks()
            guard path.count <= TOMLScanner.depthLimit else {
                throw scanner.problem("more than \(TOMLScanner.depthLimit) keys joined by dots")
            }
        } while scanner.take(UInt8(ascii: "."))
        return path
    }

    private mutating func value(depth: Int) throws(TOMLProblem) -> TOMLNode.Value {
        guard depth < TOMLScanner.depthLimit else {
            throw scanner.problem("more than \(TOMLScanner.depthLimit) arrays in each other")
        }
        switch scanner.peek {
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "{"): return try inlineTable(depth: depth)
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return .plain(.text(try scanner.string()))
        default: return .plain(try scanner.plainValue())
        }
    }

    private mutating func array(depth: Int) throws(TOMLProblem) -> TOMLNode.Value {
        scanner.advance()
        var items: [TOMLValue] = []
        while true {
            scanner.skipBlankLines()
            if scanner.take(UInt8(ascii: "]")) { return .plain(.array(items)) }
            items.append(try value(depth: depth + 1).value)
            scanner.skipBlankLines()
            if scanner.take(UInt8(ascii: "]")) { return .plain(.array(items)) }
            guard scanner.take(UInt8(ascii: ",")) else {
                throw scanner.problem(
                    "write a comma between the items of an array, and ] at its end")
            }
        }
    }

    private mutating func inlineTable(depth: Int) throws(TOMLProblem) -> TOMLNode.Value {
        let node = TOMLNode(line: scanner.line)
        scanner.advance()
        scanner.skipBlanks()
        if scanner.take(UInt8(ascii: "}")) { return .plain(.table(node.table)) }
        while true {
            let line = scanner.line
            let path = try keyPath()
            guard scanner.take(UInt8(ascii: "=")) else {
                throw scanner.problem("write KEY = VALUE between { and }")
            }
            scanner.skipBlanks()
            let value = try value(depth: depth + 1)
            var inner = node
            for key in path.dropLast() { inner = try inner.dotted(key, line: line) }
            try inner.set(path[path.count - 1], to: value, line: line)
            scanner.skipBlanks()
            if scanner.take(UInt8(ascii: "}")) { return .plain(.table(node.table)) }
            guard scanner.take(UInt8(ascii: ",")) else {
                throw scanner.problem("write a comma between the keys of a table, and } at its end")
            }
        }
    }
}

/// A table while its document is read; headers reach into it from several places.
final class TOMLNode {
    enum Value {
        case plain(TOMLValue)
        case table(TOMLNode)
        /// Made by `[[name]]`.
        case tables([TOMLNode])

        var value: TOMLValue {
            switch self {
            case .plain(let value): value
            case .table(let node): .table(node.table)
            case .tables(let nodes): .array(nodes.map { .table($0.table) })
            }
        }
    }

    private enum Origin {
        /// Named by the header of a table inside it only.
        case implied
        case header
        /// Made by a key with dots.
        case dotted
    }

    private let line: Int
    private var origin = Origin.header
    private var entries: [String: (value: Value, line: Int)] = [:]

    init(line: Int) { self.line = line }

    var table: TOMLTable {
        var table = TOMLTable(line: line)
        table.entries = entries.mapValues {
            TOMLTable.Entry(value: $0.value.value, line: $0.line)
        }
        return table
    }

    private func problem(_ key: String, _ line: Int) -> TOMLProblem {
        let first = entries[key]?.line ?? 0
        return TOMLProblem(line: line, reason: "'\(key)' is there already, in line \(first)")
    }

    private func make(_ key: String, _ origin: Origin, line: Int) -> TOMLNode {
        let node = TOMLNode(line: line)
        node.origin = origin
        entries[key] = (.table(node), line)
        return node
    }

    /// The table of a part of a header, which need not have a header of its own.
    func inner(_ key: String, line: Int) throws(TOMLProblem) -> TOMLNode {
        switch entries[key]?.value {
        case .table(let node): return node
        case .tables(let nodes): return nodes[nodes.count - 1]
        case .plain: throw problem(key, line)
        case nil: return make(key, .implied, line: line)
        }
    }

    /// The table of a header.
    func define(_ key: String, line: Int) throws(TOMLProblem) -> TOMLNode {
        switch entries[key]?.value {
        case .table(let node) where node.origin == .implied:
            node.origin = .header
            return node
        case nil: return make(key, .header, line: line)
        default: throw problem(key, line)
        }
    }

    /// A new table of an array.
    func append(_ key: String, line: Int) throws(TOMLProblem) -> TOMLNode {
        let node = TOMLNode(line: line)
        switch entries[key] {
        case (.tables(let nodes), let first)?: entries[key] = (.tables(nodes + [node]), first)
        case nil: entries[key] = (.tables([node]), line)
        default: throw problem(key, line)
        }
        return node
    }

    /// The table of a part of a key with dots.
    func dotted(_ key: String, line: Int) throws(TOMLProblem) -> TOMLNode {
        switch entries[key]?.value {
        case .table(let node) where node.origin == .dotted: return node
        case nil: return make(key, .dotted, line: line)
        default: throw problem(key, line)
        }
    }

    func set(_ key: String, to value: Value, line: Int) throws(TOMLProblem) {
        guard entries[key] == nil else { throw problem(key, line) }
        entries[key] = (value, line)
    }
}

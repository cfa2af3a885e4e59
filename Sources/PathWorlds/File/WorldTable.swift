import PathReport
import PathTelemetry

/// One table of a world's file, whose keys are taken one by one; each refusal names file, line and
/// key, and `finish` refuses the keys that nobody took.
struct WorldTable {
    /// Its place in the file, as `link[2]`; empty for the root.
    let place: String
    let file: String
    private var values: [String: TOMLValue]
    /// The lines of the keys, and of the table.
    private let lines: [String: Int]
    private let line: Int
    /// The keys that were asked for, in their order.
    private var known: [String] = []

    init(_ table: TOMLTable, place: String, file: String) {
        values = table.entries.mapValues(\.value)
        lines = table.entries.mapValues(\.line)
        line = table.line
        self.place = place
        self.file = file
    }

    /// An error about a key of this table.
    func invalid(_ key: String, _ fix: String) -> WorldError {
        .invalid(
            file: file, line: lines[key] ?? line, key: place.isEmpty ? key : "\(place).\(key)",
            fix: fix)
    }

    /// An error about the whole table.
    func invalid(_ fix: String) -> WorldError {
        .invalid(file: file, line: line, key: place, fix: fix)
    }

    /// An error about a file that a key names.
    func unreadable(_ key: String, _ reason: String) -> WorldError {
        .unreadableInput(
            file: file, line: lines[key] ?? line, key: place.isEmpty ? key : "\(place).\(key)",
            reason: reason)
    }

    /// Takes a value; nil if the key is not there.
    mutating func take(_ key: String) -> TOMLValue? {
        known.append(key)
        return values.removeValue(forKey: key)
    }

    /// Whether a key is there and was not taken yet.
    func has(_ key: String) -> Bool { values[key] != nil }

    /// Refuses keys that are not known.
    ///
    /// - Parameter others: keys that could have been there and were not asked for.
    func finish(others: [String] = []) throws(WorldError) {
        guard let key = values.keys.min() else { return }
        let known = (known + others).sorted()
        let near = NearestName.find(key, among: known)
        let hint = near.map { "did you mean '\($0)'? " } ?? ""
        throw invalid(
            key, "no such key; \(hint)the keys here are " + known.joined(separator: ", "))
    }

    // MARK: values

    /// Takes the word `none`; false leaves what else is there.
    mutating func takesNone(_ key: String) -> Bool {
        guard case .text("none") = values[key] else { return false }
        _ = take(key)
        return true
    }

    mutating func text(_ key: String) throws(WorldError) -> String? {
        guard let value = take(key) else { return nil }
        guard case .text(let text) = value else {
            throw invalid(key, "write a text in quotes, not \(value.typeName)")
        }
        return text
    }

    /// A text that is read by a function; `form` says what is allowed.
    mutating func quantity(
        _ key: String, _ form: String, in bounds: ClosedRange<Double>,
        _ read: (String) -> Double?
    ) throws(WorldError) -> Double? {
        guard let value = take(key) else { return nil }
        guard case .text(let text) = value else {
            throw invalid(key, "write \(form), in quotes, not \(value.typeName)")
        }
        guard let number = read(text), bounds.contains(number) else {
            throw invalid(key, "'\(WorldTable.shown(text))': write \(form)")
        }
        return number
    }

    /// A time with its unit, as `"20ms"`.
    mutating func time(
        _ key: String, in bounds: ClosedRange<Double> = 0...WorldBounds.seconds
    ) throws(WorldError) -> TimeDelta? {
        let form = "a time with its unit as \"150ms\" or \"2s\", "
        return try quantity(key, form + WorldTable.range(bounds, "s"), in: bounds) {
            ArgumentText.seconds($0)
        }.map { TimeDelta(seconds: $0) }
    }

    /// Bits per second, as `"20mbit"`.
    mutating func rate(_ key: String) throws(WorldError) -> Double? {
        try quantity(
            key, "a rate with its unit as \"500kbit\" or \"20mbit\", 1 kbit to 1,000,000 mbit",
            in: 1e3...1e12
        ) { ArgumentText.bitsPerSecond($0) }
    }

    /// Bytes, as `1200` or `"150kB"`.
    mutating func size(
        _ key: String, in bounds: ClosedRange<Double> = 1...WorldBounds.bytes
    ) throws(WorldError) -> Int? {
        if case .integer(let bytes) = values[key] { values[key] = .text("\(bytes)") }
        let form = "a size as 1200 or \"150kB\", "
        return try quantity(key, form + WorldTable.range(bounds, "bytes"), in: bounds) {
            ArgumentText.bytes($0)?.rounded()
        }.map { Int($0) }
    }

    /// A share of one, as `0.01` or `"1%"`.
    mutating func share(_ key: String) throws(WorldError) -> Double? {
        switch values[key] {
        case .number(let share): values[key] = .text("\(share)")
        case .integer(let share): values[key] = .text("\(share)")
        default: break
        }
        return try quantity(key, "a share as 0.01 or \"1%\"", in: 0...1) { ArgumentText.share($0) }
    }

    /// A plain number.
    mutating func number(
        _ key: String, in bounds: ClosedRange<Double>
    ) throws(WorldError) -> Double? {
        guard let value = take(key) else { return nil }
        let number: Double? =
            switch value {
            case .integer(let number): Double(number)
            case .number(let number): number
            default: nil
            }
        guard let number, bounds.contains(number) else {
            throw invalid(key, "write a number, " + WorldTable.range(bounds, ""))
        }
        return number
    }

    mutating func count(_ key: String, in bounds: ClosedRange<Int>) throws(WorldError) -> Int? {
        guard let value = take(key) else { return nil }
        guard case .integer(let number) = value, let count = Int(exactly: number),
            bounds.contains(count)
        else {
            throw invalid(
                key, "write a whole number, \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return count
    }

    mutating func flag(_ key: String) throws(WorldError) -> Bool? {
        guard let value = take(key) else { return nil }
        guard case .flag(let flag) = value else { throw invalid(key, "write true or false") }
        return flag
    }

    /// One of some words.
    mutating func word<Word: CaseIterable & RawRepresentable<String>>(
        _ key: String, _ type: Word.Type
    ) throws(WorldError) -> Word? {
        try choice(key, Array(Word.allCases), \.rawValue)
    }

    /// One of `choices`, by its name; nil if the key is not there.
    mutating func choice<Choice>(
        _ key: String, _ choices: [Choice], _ name: (Choice) -> String
    ) throws(WorldError) -> Choice? {
        guard let text = try text(key) else { return nil }
        if let choice = choices.first(where: { name($0) == text }) { return choice }
        let words = choices.map { "\"\(name($0))\"" }.joined(separator: ", ")
        throw invalid(key, "'\(WorldTable.shown(text))': write one of \(words)")
    }

    // MARK: tables

    /// A table inside this one; nil if it is not there.
    mutating func table(_ key: String) throws(WorldError) -> WorldTable? {
        guard let value = take(key) else { return nil }
        guard case .table(let table) = value else {
            throw invalid(key, "write a table, not \(value.typeName)")
        }
        return WorldTable(
            table, place: place.isEmpty ? key : "\(place).\(key)", file: file)
    }

    /// The tables of an array of tables, as `[[link]]` makes them.
    mutating func tables(_ key: String, limit: Int) throws(WorldError) -> [WorldTable] {
        guard let value = take(key) else { return [] }
        guard case .array(let items) = value else {
            throw invalid(key, "write tables, each below a line [[\(key)]]")
        }
        guard items.count <= limit else {
            throw invalid(key, "\(items.count) of them; at most \(limit)")
        }
        var tables: [WorldTable] = []
        for (index, item) in items.enumerated() {
            let name = (place.isEmpty ? key : "\(place).\(key)") + "[\(index + 1)]"
            guard case .table(let table) = item else {
                throw invalid(key, "write tables, not \(item.typeName)")
            }
            tables.append(WorldTable(table, place: name, file: file))
        }
        return tables
    }

    /// The texts of an array.
    mutating func texts(_ key: String, limit: Int) throws(WorldError) -> [String]? {
        guard let value = take(key) else { return nil }
        guard case .array(let items) = value, items.count <= limit else {
            throw invalid(key, "write an array of at most \(limit) texts")
        }
        var texts: [String] = []
        for item in items {
            guard case .text(let text) = item else {
                throw invalid(key, "write texts in quotes, not \(item.typeName)")
            }
            texts.append(text)
        }
        return texts
    }

    // MARK: messages

    private static func range(_ bounds: ClosedRange<Double>, _ unit: String) -> String {
        let (low, high) = (NumberText.exact(bounds.lowerBound), NumberText.exact(bounds.upperBound))
        return "from \(low) to \(high)" + (unit.isEmpty ? "" : " \(unit)")
    }

    private static func shown(_ text: String) -> String {
        String(EscapedText(String(text.prefix(60))).description)
    }
}

/// Bounds of the values of worlds.
enum WorldBounds {
    /// Longest time, seconds.
    static let seconds = 1e6
    static let bytes = 1e12
    /// Enough for a hundred thousand changes of a link, with their comments.
    static let fileBytes = 16_777_216
    /// The smallest MTU that a session can use: its packets of 1,200 bytes with the headers of UDP
    /// and IPv4.
    static let smallestMTU = 1228
    /// The IP bytes of a full packet, which a queue has to take.
    static let fullPacket = 1500
    static let links = 16
    static let workloads = 64
    /// Changes and outages of one link.
    static let changes = 100_000
}

import PathReport
import PathSimulation
import PathTelemetry

/// A configuration file that was read and checked.
struct ConfigFile: Equatable, Sendable {
    /// The largest file that is read, bytes.
    static let sizeLimit = 1 << 20
    /// The most problems that are kept.
    static let problemLimit = 50

    let path: String
    /// By full name, as `serve.hold`; `path` has the text of `--path` of each table.
    private(set) var values: [String: ConfigValue] = [:]
    /// The tables that are in the file.
    private(set) var sections: Set<String> = []
    /// What is wrong, by line; empty for a file that may be used.
    private(set) var problems: [ConfigProblem] = []

    /// Reads a file.
    ///
    /// - Throws: `ConfigProblem` if it cannot be read; what is wrong in it is in `problems`.
    init(reading path: String) throws(ConfigProblem) {
        do throws(SimulationError) {
            self.init(try readFile(path, limit: ConfigFile.sizeLimit), path: path)
        } catch {
            var reason = "\(error)"
            if case .unreadableFile(_, let cause) = error { reason = "cannot read it: \(cause)" }
            throw ConfigProblem(file: path, line: nil, key: "", reason: reason)
        }
    }

    /// - Parameters:
    ///   - bytes: the content.
    ///   - path: the name for messages.
    init(_ bytes: [UInt8], path: String) {
        self.path = path
        var text = ""
        for (index, line) in bytes.split(
            separator: 10, omittingEmptySubsequences: false
        ).enumerated() {
            guard let line = String(validating: line, as: UTF8.self) else {
                add(index + 1, "", "the line is not UTF-8; save the file as UTF-8")
                return
            }
            text += index == 0 ? line : "\n" + line
        }
        do throws(TOMLProblem) { read(try TOMLTable(parsing: text)) } catch {
            add(error.line, "", error.reason)
        }
        if problems.isEmpty { checkRelations() }
        problems.sort { ($0.line ?? 0, $0.key) < ($1.line ?? 0, $1.key) }
    }

    private mutating func add(_ line: Int, _ key: String, _ reason: String) {
        guard problems.count < ConfigFile.problemLimit else { return }
        problems.append(ConfigProblem(file: path, line: line, key: key, reason: reason))
    }

    /// Notes that two values do not go together.
    mutating func refuse(_ key: String, _ reason: String) {
        add(values[key]?.line ?? 1, key, reason)
    }

    // MARK: tables

    private mutating func read(_ root: TOMLTable) {
        let common = ConfigSchema.common
        for (name, entry) in root.entries.sorted(by: { $0.value.line < $1.value.line }) {
            if let key = common.keys.first(where: { $0.name == name }) {
                if let texts = texts(of: key, name, entry) {
                    values[name] = ConfigValue(texts: texts, line: entry.line)
                }
                continue
            }
            guard let section = ConfigSchema.section(name), !name.isEmpty else {
                refuseName(name, entry)
                continue
            }
            sections.insert(name)
            switch (entry.value, section.isRepeated) {
            case (.table(let table), false): read(table, of: section)
            case (.array(let tables), true) where tables.allSatisfy(\.isTable):
                readPaths(tables)
            default:
                add(entry.line, name, "write the header \(section.header), and keys below it")
            }
        }
    }

    private mutating func refuseName(_ name: String, _ entry: TOMLTable.Entry) {
        let names = ConfigSchema.common.keys.map(\.name)
        let tables = ConfigSchema.sections.map(\.name).filter { !$0.isEmpty }
        let isTable = entry.value.isTable || entry.value.isTables
        var hint = ConfigFile.hint(name, among: isTable ? tables : names)
        // A key that stands before its header.
        let home = ConfigSchema.sections.first { section in
            !isTable && section.keys.contains { $0.name == name }
        }
        if let home { hint = "it belongs below \(home.header)" }
        add(
            entry.line, ConfigFile.shown(name),
            isTable
                ? "no such table; \(hint)the tables are "
                    + ConfigSchema.sections.dropFirst().map(\.header).joined(separator: ", ")
                : home == nil
                    ? "no such key; \(hint)before the tables the keys are "
                        + names.joined(separator: ", ")
                    : "no such key here; \(hint)")
    }

    /// The values of a table, by the names of its keys.
    private mutating func entries(
        _ table: TOMLTable, of section: ConfigSection, place: String
    ) -> [String: ConfigValue] {
        var found: [String: ConfigValue] = [:]
        for (name, entry) in table.entries.sorted(by: { $0.value.line < $1.value.line }) {
            let full = "\(place).\(ConfigFile.shown(name))"
            guard let key = section.keys.first(where: { $0.name == name }) else {
                let names = section.keys.map(\.name)
                add(
                    entry.line, full,
                    "no such key; \(ConfigFile.hint(name, among: names))the keys of "
                        + "\(section.header) are \(names.joined(separator: ", "))")
                continue
            }
            if let texts = texts(of: key, full, entry) {
                found[name] = ConfigValue(texts: texts, line: entry.line)
            }
        }
        return found
    }

    private mutating func read(_ table: TOMLTable, of section: ConfigSection) {
        for (name, value) in entries(table, of: section, place: section.name) {
            values[section.fullName(name)] = value
        }
    }

    private mutating func readPaths(_ tables: [TOMLValue]) {
        var paths: [PathArgument] = []
        for (index, value) in tables.enumerated() {
            guard case .table(let table) = value else { continue }
            let place = "path[\(index + 1)]"
            let before = problems.count
            let found = entries(table, of: ConfigSchema.path, place: place)
            guard problems.count == before else { continue }
            do throws(SyntaxProblem) {
                let text = try ConfigPath.text(found)
                paths.append(try PathArgument(parsing: text))
                try PathArgument.check(paths)
                let line = values["path"]?.line ?? table.line
                values["path"] = ConfigValue(
                    texts: (values["path"]?.texts ?? []) + [text], line: line)
            } catch {
                add(table.line, place, error.description)
            }
        }
    }

    // MARK: values

    /// The texts of a value; nil if it is refused.
    private mutating func texts(
        of key: ConfigKey, _ full: String, _ entry: TOMLTable.Entry
    ) -> [String]? {
        let texts: [String]
        switch (key.form, entry.value) {
        case (.text, .text(let text)), (.texts, .text(let text)): texts = [text]
        case (.texts, .array(let items)):
            var list: [String] = []
            for item in items {
                guard case .text(let text) = item else {
                    add(entry.line, full, "write \(key.form.name), not \(item.typeName) among them")
                    return nil
                }
                list.append(text)
            }
            texts = list
        case (.number, .integer(let number)): texts = ["\(number)"]
        case (.number, .number(let number)): texts = [NumberText.exact(number)]
        case (.flag, .flag(let flag)): texts = [flag ? "true" : "false"]
        default:
            add(
                entry.line, full,
                "write \(key.form.name), not \(entry.value.typeName); allowed: \(key.allowed)")
            return nil
        }
        for text in texts {
            guard !text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
                add(entry.line, full, "no control characters may stand in a text")
                return nil
            }
            do { try key.check(text) } catch {
                add(
                    entry.line, full,
                    "\(ConfigCheck.reason(error)) (allowed: \(key.allowed))")
                return nil
            }
        }
        return texts
    }

    /// The nearest name as a question; empty if none is near.
    private static func hint(_ name: String, among names: [String]) -> String {
        NearestName.find(name, among: names).map { "did you mean '\($0)'? " } ?? ""
    }

    /// A name of a file in a message, shortened.
    private static func shown(_ name: String) -> String {
        name.count > 40 ? "\(name.prefix(37))..." : name
    }
}

extension TOMLValue {
    fileprivate var isTable: Bool {
        guard case .table = self else { return false }
        return true
    }

    fileprivate var isTables: Bool {
        guard case .array(let items) = self, !items.isEmpty else { return false }
        return items.allSatisfy(\.isTable)
    }
}

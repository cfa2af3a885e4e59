import PathTelemetry

/// A file of named scenarios, one per line: `name | options of path 1, path 2, ... | sum |
/// comment`.
///
/// Paths are separated by blanks, `#` starts a comment line, and trace names are relative to the
/// file. The lines are split when the file is read; `paths()` of a scenario parses its options and
/// reads its traces, so that one scenario's missing trace does not affect the others.
public struct ScenarioFile: Sendable, Hashable {
    /// One line.
    public struct Scenario: Sendable, Hashable {
        public var name: String
        /// One option string for each path; `veth` is a path without emulation.
        public var options: [String]
        /// Sum of the rates of the client's direction, Mbit/s; zero is unlimited.
        var sumMegabits: Double
        var comment: String
        /// Line in the file, from one.
        public var line: Int
        var folder: String

        /// Parses the options of every path and reads their traces.
        ///
        /// A path without a name is called `p1`, `p2`, ...; `veth` gives nil.
        public func paths() throws(SimulationError) -> [LinkSpecification?] {
            var paths: [LinkSpecification?] = []
            for (index, text) in options.enumerated() {
                guard text != "veth" else {
                    paths.append(nil)
                    continue
                }
                var path = try LinkSpecification(parsing: text, traceFolder: folder)
                if path.name == nil { path.name = "p\(index + 1)" }
                paths.append(path)
            }
            return paths
        }
    }

    public static let maximumPaths = 16

    public private(set) var scenarios: [Scenario] = []
    /// The file's name in messages.
    public let file: String

    /// Parses the text of a scenario file; trace names are relative to `file`.
    public init(parsing text: String, file: String) throws(SimulationError) {
        self.file = file
        let home = folder(of: file)
        var names: Set<String> = []
        var number = 0
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            number += 1
            let line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let scenario = try ScenarioFile.scenario(line, number, file: file, folder: home)
            guard names.insert(scenario.name).inserted else {
                throw .invalidScenario(
                    file: file, line: number,
                    fix: "the name '\(clipped(scenario.name))' is there already; choose another")
            }
            scenarios.append(scenario)
        }
    }

    /// Reads and parses a file of at most `LinkBounds.scenarioBytes`.
    public init(file: String) throws(SimulationError) {
        let bytes = try readFile(file, limit: LinkBounds.scenarioBytes)
        try self.init(parsing: String(decoding: bytes, as: UTF8.self), file: file)
    }

    /// The scenario with that name.
    public func scenario(named name: String) throws(SimulationError) -> Scenario {
        for scenario in scenarios where scenario.name == name { return scenario }
        throw .unknownScenario(name: name, file: file, known: scenarios.map(\.name))
    }

    private static func scenario(
        _ line: Substring, _ number: Int, file: String, folder: String
    ) throws(SimulationError) -> Scenario {
        let fields = line.split(separator: "|", maxSplits: 3, omittingEmptySubsequences: false)
            .map { String(trimmed($0)) }
        func invalid(_ fix: String) -> SimulationError {
            .invalidScenario(file: file, line: number, fix: fix)
        }
        guard fields.count >= 3 else { throw invalid("use: name | path options | sum | comment") }
        guard !fields[0].isEmpty, !fields[0].contains(" ") else {
            throw invalid("the name must be one word")
        }
        let options = fields[1].split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        guard (1...maximumPaths).contains(options.count) else {
            throw invalid("\(options.count) paths; use 1 to \(maximumPaths), separated by blanks")
        }
        guard let sum = ArgumentText.number(fields[2]), sum >= 0 else {
            throw invalid("sum of rates '\(clipped(fields[2]))': use Mbit/s, 0 for unlimited")
        }
        return Scenario(
            name: fields[0], options: options, sumMegabits: sum,
            comment: fields.count > 3 ? fields[3] : "", line: number, folder: folder)
    }
}

private func trimmed(_ text: Substring) -> Substring {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
    var text = text.drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return text
}

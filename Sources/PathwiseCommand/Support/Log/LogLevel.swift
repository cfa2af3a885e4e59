import ArgumentParser

/// How important a line of a log is, by the numbers of syslog(3).
enum LogLevel: Int, Comparable, CaseIterable, Sendable {
    case error = 3
    case warning = 4
    case info = 6
    case debug = 7

    /// The word in options, files and JSON.
    var name: String {
        switch self {
        case .error: "error"
        case .warning: "warning"
        case .info: "info"
        case .debug: "debug"
        }
    }

    init?(_ name: String) {
        guard let level = LogLevel.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    /// Less is less important.
    static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue > right.rawValue }

    private static let errors: Set<String> = ["problem"]
    /// The first token is among them, as nobody could join without it.
    private static let warnings: Set<String> = [
        "token", "refused", "more_refused", "flow_failed", "flows_failed", "waiting", "no_path",
        "cap", "refused_change",
    ]
    /// Events of which the same may come many times.
    static let counted: Set<String> = ["problem", "refused", "flow_failed", "refused_change"]

    /// The level of an event by its name in JSON.
    init(ofEvent event: String) {
        if LogLevel.errors.contains(event) {
            self = .error
        } else if LogLevel.warnings.contains(event) {
            self = .warning
        } else {
            self = event == "path" ? .debug : .info
        }
    }
}

/// The form of the lines of a log.
enum LogFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
    case text, json
}

/// The options of a log that runs for months.
struct ServiceLogOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The lines of the log: error, warning, info or debug (default: info).",
            valueName: "level"))
    var logLevel: String?

    @Option(
        help: ArgumentHelp("Form of lines (default: text).", valueName: "form")
    )
    var logFormat: LogFormat?

    @Flag(help: "The same as --log-format json.")
    var json = false

    @Flag(name: .shortAndLong, help: "The same as --log-level warning.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "The same as --log-level debug.")
    var verbose = false

    var printsJSON: Bool { json || logFormat == .json }

    /// The least important lines that are printed.
    func least() throws(CommandFailure) -> LogLevel {
        if let logLevel {
            guard let level = LogLevel(logLevel) else {
                let known = LogLevel.allCases.map(\.name).joined(separator: ", ")
                throw CommandFailure("--log-level '\(logLevel)': write one of \(known)", .usage)
            }
            return level
        }
        return quiet ? .warning : verbose ? .debug : .info
    }
}

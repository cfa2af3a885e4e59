/// The errors of this room: options, scenarios and trace files that cannot be used.
///
/// The description names what was tried, on what, and how to fix it.
public enum SimulationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The option key does not exist.
    case unknownOption(key: String, value: String)
    /// The key is known but its value is not allowed; `fix` says which values are.
    case invalidOption(key: String, value: String, fix: String)
    /// The options are valid alone but contradict each other.
    case conflictingOptions(keys: String, fix: String)
    /// The file could not be opened or read; `reason` is the system's text.
    case unreadableFile(path: String, reason: String)
    /// The file is no such trace; `line` counts from one, and is zero for a file without lines.
    case invalidTrace(path: String, line: Int, fix: String)
    /// A line of the scenario file is invalid; `line` counts from one.
    case invalidScenario(file: String, line: Int, fix: String)
    /// The file has no scenario of that name.
    case unknownScenario(name: String, file: String, known: [String])

    public var description: String {
        switch self {
        case .unknownOption(let key, let value):
            return "link option '\(clipped(key))=\(clipped(value))': no such key; use one of "
                + LinkOption.all.map { String($0.key) }.joined(separator: ", ") + ", name, mtu"
                + " (prefix f or r sets one direction only)"
        case .invalidOption(let key, let value, let fix):
            return "link option '\(clipped(key))=\(clipped(value))': \(fix)"
        case .conflictingOptions(let keys, let fix):
            return "link options \(keys): \(fix)"
        case .unreadableFile(let path, let reason):
            return "cannot read '\(clipped(path))': \(reason); check the name and the permissions"
        case .invalidTrace(let path, let line, let fix):
            let place = line > 0 ? ", line \(line)" : ""
            return "trace '\(clipped(path))'\(place): \(fix)"
        case .invalidScenario(let file, let line, let fix):
            return "scenario file '\(clipped(file))', line \(line): \(fix)"
        case .unknownScenario(let name, let file, let known):
            let listed = known.prefix(40).map(clipped).joined(separator: ", ")
            return "no scenario '\(clipped(name))' in '\(clipped(file))'; it has " + listed
                + (known.count > 40 ? " and \(known.count - 40) more" : "")
        }
    }
}

/// External text, made safe and short enough for one line of a message.
func clipped(_ text: String) -> String {
    var result = ""
    for (index, scalar) in text.unicodeScalars.enumerated() {
        guard index < 120 else { return result + "..." }
        result.unicodeScalars.append(scalar.value < 32 || scalar.value == 127 ? "?" : scalar)
    }
    return result
}

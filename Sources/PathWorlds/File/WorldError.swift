import PathTelemetry

/// Why a world cannot be used; the description names the place, what is wrong and how to fix it.
public enum WorldError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file could not be read; `reason` is the system's text.
    case unreadable(file: String, reason: String)
    /// The file is no TOML.
    case syntax(file: String, line: Int, reason: String)
    /// A key of the file, as `link[2].rate`, has a wrong value, is missing or is not known.
    case invalid(file: String, line: Int, key: String, fix: String)
    /// A file that a key names could not be read; `reason` says which and why.
    case unreadableInput(file: String, line: Int, key: String, reason: String)
    /// No world of that name ships.
    case unknownWorld(name: String, known: [String])
    /// An endpoint came to a halt in a run, which is a fault of the program.
    case stalled(run: String, reason: String)

    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            return
                "cannot read '\(EscapedText(file))': \(reason); check the name and the permissions"
        case .syntax(let file, let line, let reason):
            return "world '\(EscapedText(file))', line \(line): \(EscapedText(reason))"
        case .invalid(let file, let line, let key, let fix),
            .unreadableInput(let file, let line, let key, let fix):
            let place = line > 0 ? ", line \(line)" : ""
            return "world '\(EscapedText(file))'\(place), \(EscapedText(key)): \(fix)"
        case .unknownWorld(let name, let known):
            let near = NearestName.find(name, among: known)
            return "no world '\(EscapedText(name))' ships; "
                + (near.map { "did you mean '\($0)'? " } ?? "") + "there are "
                + known.joined(separator: ", ")
        case .stalled(let run, let reason):
            return "\(run): \(reason); please report it"
        }
    }
}

import PathForward

/// The changes that requests make to the settings of a `forward`.
///
/// Each is made on the texts of its command line, and what results is checked as a whole, as at the
/// start.
extension ForwardCommand {
    /// This command after a change.
    ///
    /// - Parameters:
    ///   - action: one that `forward` takes, and not `reload`.
    ///   - found: the names of the paths that were found by themselves, which become explicit; it
    ///     is asked only if that is needed.
    ///   - notes: for the user.
    func changed(
        by action: ControlAction, found: () throws(CommandFailure) -> [String],
        notes: inout [String]
    ) throws(CommandFailure) -> ForwardCommand {
        var command = self
        switch action {
        case .addPath(let spec):
            try command.nameAllPaths(found, &notes)
            command.path.append(spec)
        case .removePath(let name):
            try command.nameAllPaths(found, &notes)
            let index = try command.index(ofPath: name)
            guard command.path.count > 1 else {
                throw CommandFailure(
                    "'\(name)' is the only path; add another one first, or end the forward",
                    .usage)
            }
            command.path.remove(at: index)
        case .setPath(let name, let setting, let value):
            try command.nameAllPaths(found, &notes)
            let index = try command.index(ofPath: name)
            command.path[index] = ForwardCommand.path(
                command.path[index], with: setting, value)
        case .addForward(let text):
            if command.reverse {
                command.reverseForward.append(text)
            } else {
                command.forwards.append(text)
            }
        case .removeForward(let text):
            if let index = command.forwards.firstIndex(of: text) {
                command.forwards.remove(at: index)
            } else if let index = command.reverseForward.firstIndex(of: text) {
                command.reverseForward.remove(at: index)
            } else {
                let known = command.forwards + command.reverseForward
                throw CommandFailure(
                    "no forward is '\(text)'; there are \(known.joined(separator: ", "))", .usage)
            }
        case .record(let file): command.record = file
        case .stopRecording: command.record = nil
        case .reload, .policy, .formerPolicy, .shadow, .promote, .rollback, .allowClient,
            .revokeClient:
            break
        }
        return command
    }

    private func index(ofPath name: String) throws(CommandFailure) -> Int {
        let names = path.map { String($0.prefix { $0 != "=" }) }
        guard let index = names.firstIndex(of: name) else {
            throw CommandFailure(
                "no path is called '\(name)'; there are \(names.joined(separator: ", "))", .usage)
        }
        return index
    }

    /// Names the paths that were found by themselves, as a list of some stands for all.
    private mutating func nameAllPaths(
        _ found: () throws(CommandFailure) -> [String], _ notes: inout [String]
    ) throws(CommandFailure) {
        guard path.isEmpty else { return }
        let names = try found()
        path = names.map { "\($0)=\($0)" }
        notes.append(
            "the paths are now \(names.joined(separator: ", ")), and interfaces that appear later "
                + "become none by themselves")
    }

    /// The text of a path with another value of one setting; `none` takes it away.
    private static func path(
        _ text: String, with setting: ControlAction.PathSetting, _ value: String
    ) -> String {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        parts.removeAll {
            $0.hasPrefix("\(setting.rawValue)=") || setting == .cap && $0 == "hard"
        }
        if value != "none" { parts.append("\(setting.rawValue)=\(value)") }
        return parts.joined(separator: ",")
    }
}

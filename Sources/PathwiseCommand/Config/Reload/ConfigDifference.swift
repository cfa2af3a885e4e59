import PathReport

/// A key that has another value than before.
struct ConfigDifference: Equatable, Sendable {
    /// As `serve.hold`.
    var key: String
    var before: [String]
    var after: [String]
    var effect: ConfigEffect

    /// The policy before a change of it, as `--policy` takes it; nil for the default.
    ///
    /// - Parameter change: the latest one of this process.
    /// - Throws: if there was none.
    static func formerPolicy(
        before change: ConfigDifference?
    ) throws(CommandFailure) -> String? {
        guard let change else {
            throw CommandFailure("the policy has not changed since the start", .usage)
        }
        return change.before.first
    }

    /// What has changed, in a part of a sentence.
    var text: String {
        let gone = before.filter { !after.contains($0) }
        let new = after.filter { !before.contains($0) }
        var parts: [String] = []
        if let old = gone.first, let other = new.first, gone.count == 1, new.count == 1 {
            parts.append("\(other) instead of \(old)")
        } else {
            if !new.isEmpty { parts.append("with \(new.joined(separator: " "))") }
            if !gone.isEmpty { parts.append("without \(gone.joined(separator: " "))") }
            if parts.isEmpty { parts.append("in another order") }
        }
        return "\(key) \(parts.joined(separator: ", "))"
    }

    var json: JSONValue {
        [
            "key": .string(key),
            "before": .array(before.map { .string($0) }),
            "after": .array(after.map { .string($0) }),
            "effect": .string(effect.rawValue),
        ]
    }
}

extension Configurable {
    /// The keys that have other values in another command line of this command.
    func differences(to other: Self) -> [ConfigDifference] {
        Self.bindings.compactMap { binding in
            let (before, after) = (binding.given(self), binding.given(other))
            guard before != after else { return nil }
            return ConfigDifference(
                key: binding.key, before: before, after: after,
                effect: ConfigSchema.effect(of: binding.key))
        }
    }

    /// This command with the values of another one where a change needs a restart.
    func keeping(_ differences: [ConfigDifference]) -> Self {
        var command = self
        for difference in differences where difference.effect == .restart {
            Self.bindings.first { $0.key == difference.key }?.set(&command, difference.before)
        }
        return command
    }
}

import PathTelemetry

/// Both directions of one path, as an option string describes them.
///
/// The string is comma-separated `KEY=VALUE`. Without a prefix a key sets both directions; `f`
/// sets only client to server and `r` only back (`frate=`, `rdown=`). A later key replaces an
/// earlier one, except that `rate@` and `down` add up.
///
/// `LinkOption.all` has the options, and `forms` shows them; `name=` and `mtu=` belong to the path
/// and have no prefix.
public struct LinkSpecification: Sendable, Hashable {
    /// Nil if the options have none.
    public var name: String?
    public var forward: LinkParameters
    public var backward: LinkParameters

    public init(name: String? = nil, forward: LinkParameters, backward: LinkParameters) {
        self.name = name
        self.forward = forward
        self.backward = backward
    }

    /// The parameters of one direction.
    public subscript(direction: LinkDirection) -> LinkParameters {
        direction == .forward ? forward : backward
    }

    /// The form and effect of each option, for help texts.
    public static var forms: [(form: String, help: String)] {
        LinkOption.all.map { ($0.form, $0.help) } + [
            ("name=NAME", "the path's name"),
            ("mtu=BYTES", "larger IP packets are discarded (1500)"),
        ]
    }

    /// Parses an option string.
    ///
    /// - Parameter folder: where relative trace names start; empty is the current folder.
    public init(
        parsing text: String, traceFolder folder: String = ""
    ) throws(SimulationError) {
        self.init(forward: LinkParameters(), backward: LinkParameters())
        try set(options: text, folder: folder)
    }

    /// Sets the options of a string, and leaves what it does not name.
    ///
    /// - Parameter folder: where relative trace names start; empty is the current folder.
    mutating func set(options text: String, folder: String = "") throws(SimulationError) {
        guard text.utf8.count <= LinkBounds.optionText else {
            throw .conflictingOptions(
                keys: "'\(clipped(text))'",
                fix: "longer than \(LinkBounds.optionText) bytes; put rates into a trace file")
        }
        let options = text.split(separator: ",")
        guard !options.isEmpty else {
            throw .conflictingOptions(
                keys: "''", fix: "give at least one, as rate=20,rtt=20 (rate=0 for no limit)")
        }
        for option in options {
            guard let equals = option.firstIndex(of: "=") else {
                throw .invalidOption(
                    key: String(option), value: "", fix: "no '='; write KEY=VALUE joined by ','")
            }
            try set(
                key: option[..<equals], value: option[option.index(after: equals)...],
                folder: folder)
        }
        try check()
    }

    /// Whether a direction's rate comes from a file.
    package var followsFile: Bool {
        [forward, backward].contains { $0.trace != nil || $0.rateSeries != nil }
    }

    /// Refuses options that contradict each other.
    package func check() throws(SimulationError) {
        try check(forward, "forward")
        try check(backward, "backward")
    }

    /// Refuses what cannot change while a link is in use.
    func checkChange(from before: LinkSpecification) throws(SimulationError) {
        try check()
        for direction in LinkDirection.allCases {
            let (old, new) = (before[direction], self[direction])
            if old.trace != new.trace || old.rateSeries != new.rateSeries || !new.rateSteps.isEmpty
                || old.isNetem != new.isNetem || old.outages != new.outages
            {
                throw .conflictingOptions(
                    keys: "trace, rates, rate@, netem and down",
                    fix: "they cannot change; leave them out")
            }
            if new.rateMegabits != old.rateMegabits,
                old.rateMegabits == 0 || new.rateMegabits == 0 || old.trace != nil
                    || old.rateSeries != nil
            {
                throw .conflictingOptions(
                    keys: "rate", fix: "only a link with a rate can change it, to one above 0")
            }
        }
    }

    /// Sets one option, as the string of options has it; `check` has to follow.
    ///
    /// - Parameters:
    ///   - key: with the prefix of a direction, if it concerns one.
    ///   - value: the text behind the `=`.
    ///   - folder: where relative file names start; empty is the current folder.
    package mutating func set(
        key: Substring, value: Substring, folder: String
    ) throws(SimulationError) {
        if key == "name" {
            name = try LinkSpecification.checkedName(value)
        } else if key == "mtu" {
            guard let bytes = Int(value), LinkBounds.packet.contains(bytes) else {
                throw .invalidOption(
                    key: "mtu", value: String(value),
                    fix: "use \(LinkBounds.packet.lowerBound) to \(LinkBounds.packet.upperBound)")
            }
            forward.intake.maximumPacket = bytes
            backward.intake.maximumPacket = bytes
        } else if key == "a" || key == "b" {
            throw .invalidOption(
                key: String(key), value: String(value),
                fix: "a simulated path has no addresses; leave it out")
        } else if let option = LinkOption.named(key) {
            let set = try option.parse(OptionText(key: key, value: value, folder: folder))
            try set(&forward)
            try set(&backward)
        } else if key.hasPrefix("f") || key.hasPrefix("r"),
            let option = LinkOption.named(key.dropFirst())
        {
            let set = try option.parse(
                OptionText(key: key.dropFirst(), value: value, folder: folder))
            if key.hasPrefix("f") { try set(&forward) } else { try set(&backward) }
        } else {
            throw .unknownOption(key: String(key), value: String(value))
        }
    }

    private static func checkedName(_ text: Substring) throws(SimulationError) -> String {
        guard PlainName.allows(text) else {
            throw .invalidOption(
                key: "name", value: String(text), fix: "use \(PlainName.rule)")
        }
        return String(text)
    }

    private func check(_ link: LinkParameters, _ direction: String) throws(SimulationError) {
        if !link.rateSteps.isEmpty, link.rateMegabits == 0 || link.trace != nil {
            throw .conflictingOptions(
                keys: "rate@ (\(direction))", fix: "needs a rate= above 0 and no trace=")
        }
        if link.isNetem, link.intake.discipline != .dropTail {
            throw .conflictingOptions(
                keys: "netem=1 and aqm= (\(direction))", fix: "leave one of them out")
        }
        if link.rateSeries != nil, link.trace != nil || !link.rateSteps.isEmpty {
            throw .conflictingOptions(
                keys: "rates= (\(direction))", fix: "leave out trace= and rate@")
        }
        if link.isNetem, link.trace != nil {
            throw .conflictingOptions(
                keys: "netem=1 and trace= (\(direction))", fix: "leave one of them out")
        }
    }
}

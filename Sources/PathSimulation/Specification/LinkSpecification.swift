import PathTelemetry

/// Both directions of one path, as an option string describes them.
///
/// The string is comma-separated `KEY=VALUE`. Without a prefix a key sets both directions; `f`
/// sets only client to server and `r` only back (`frate=`, `rdown=`). A later key replaces an
/// earlier one, except that `rate@` and `down` add up.
///
///     rate=MBPS         bottleneck rate, 10^6 bit/s of IP bytes; 0 = unlimited
///     rate@S=MBPS       new rate from S seconds on; repeat with rising S
///     trace=FILE        Mahimahi trace instead of a rate
///     queue=N[b|p]      drop-tail limit in bytes or packets (150000b)
///     delay=MS          one-way delay; rtt=MS sets it to MS/2
///     jitter=MS         adds a uniform [0,MS) to the delay of each packet
///     jitter=normal:SD  adds a normal deviate, cut at 4 SD and at zero delay
///     reorder=1         jitter may reorder; by default a packet waits for those before it
///     loss=P            independent loss, after the bottleneck
///     ge=P:R[:LG:LB]    Gilbert-Elliott loss: good to bad, bad to good, loss in each (0:1)
///     down=S-E[/PERIOD] outage from S to E seconds, repeated if given; several joined by ';'
///     duplicate=P       a packet arrives twice
///     corrupt=P         one to three bits of a packet arrive flipped
///     netem=1           the discipline of one Linux netem queue; sets queue=1000p
///     name=NAME         the path's name       (of the path, no prefix)
///     mtu=BYTES         larger IP packets are discarded (1500; of the path, no prefix)
public struct LinkSpecification: Sendable, Hashable {
    /// Nil when the options gave none.
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

    /// Parses an option string.
    ///
    /// - Parameter folder: where relative trace names start; empty is the current folder.
    public init(
        parsing text: String, traceFolder folder: String = ""
    ) throws(SimulationError) {
        self.init(forward: LinkParameters(), backward: LinkParameters())
        guard text.utf8.count <= LinkBounds.optionText else {
            throw .conflictingOptions(
                keys: "'\(clipped(text))'",
                mend: "longer than \(LinkBounds.optionText) bytes; put rates into a trace file")
        }
        let options = text.split(separator: ",")
        guard !options.isEmpty else {
            throw .conflictingOptions(
                keys: "''", mend: "give at least one, as rate=20,rtt=20 (rate=0 for no limit)")
        }
        for option in options {
            guard let equals = option.firstIndex(of: "=") else {
                throw .invalidOption(
                    key: String(option), value: "", mend: "no '='; write KEY=VALUE joined by ','")
            }
            try set(
                key: option[..<equals], value: option[option.index(after: equals)...],
                folder: folder)
        }
        try check(forward, "forward")
        try check(backward, "backward")
    }

    private mutating func set(
        key: Substring, value: Substring, folder: String
    ) throws(SimulationError) {
        if key == "name" {
            name = try LinkSpecification.checkedName(value)
        } else if key == "mtu" {
            guard let bytes = Int(value), LinkBounds.packet.contains(bytes) else {
                throw .invalidOption(
                    key: "mtu", value: String(value),
                    mend: "use \(LinkBounds.packet.lowerBound) to \(LinkBounds.packet.upperBound)")
            }
            forward.maximumPacket = bytes
            backward.maximumPacket = bytes
        } else if key == "a" || key == "b" {
            throw .invalidOption(
                key: String(key), value: String(value),
                mend: "a simulated path has no addresses; leave it out")
        } else if LinkOption.isKey(key) {
            let option = try LinkOption(key: key, value: value, folder: folder)
            try option.apply(to: &forward)
            try option.apply(to: &backward)
        } else if key.hasPrefix("f") || key.hasPrefix("r"), LinkOption.isKey(key.dropFirst()) {
            let option = try LinkOption(key: key.dropFirst(), value: value, folder: folder)
            if key.hasPrefix("f") {
                try option.apply(to: &forward)
            } else {
                try option.apply(to: &backward)
            }
        } else {
            throw .unknownOption(key: String(key), value: String(value))
        }
    }

    private static func checkedName(_ text: Substring) throws(SimulationError) -> String {
        guard PlainName.allows(text) else {
            throw .invalidOption(
                key: "name", value: String(text), mend: "use 1 to 32 of a-z A-Z 0-9 - _ .")
        }
        return String(text)
    }

    private func check(_ link: LinkParameters, _ direction: String) throws(SimulationError) {
        if !link.rateSteps.isEmpty, link.rateMegabits == 0 || link.trace != nil {
            throw .conflictingOptions(
                keys: "rate@ (\(direction))", mend: "needs a rate= above 0 and no trace=")
        }
        if link.isNetem, link.trace != nil {
            throw .conflictingOptions(
                keys: "netem=1 and trace= (\(direction))", mend: "leave one of them out")
        }
    }
}

public import PathTelemetry
public import PathTransport

extension StreamPriority {
    /// The word used in options, tables and JSON.
    public var name: String {
        switch self {
        case .interactive: "interactive"
        case .media: "media"
        case .bulk: "bulk"
        }
    }

    /// The class of a word; nil if there is none.
    public init?(name: some StringProtocol) {
        guard let known = StreamPriority.allCases.first(where: { $0.name == name }) else {
            return nil
        }
        self = known
    }
}

/// What one forward asks of the transport, for both directions of its flows.
public struct FlowOptions: Hashable, Sendable {
    /// Time within which a datagram is useful; 1 us to 1 h.
    ///
    /// A second covers one loss and its repair on a slow path. Later the inner protocol has sent
    /// the datagram again, and its first copy would only take room from newer ones.
    var deadline: TimeDelta
    /// The class that was named; nil for that of the kind of traffic.
    var namedClass: StreamPriority?
    /// How long a datagram may be held until its predecessors came, at most 10 s; nil hands each
    /// over as it arrives.
    var ordered: TimeDelta?
    /// Bytes that copies of datagrams may take on further paths, in thousandths of the flow's own.
    ///
    /// A datagram is copied while its path pauses and another one would deliver it sooner.
    var redundancyPermille: Int

    /// The bounds of `deadline`.
    public static let deadlines = TimeDelta.microseconds(1)...TimeDelta.seconds(3600)
    /// The bounds of `ordered`.
    public static let holds = TimeDelta.microseconds(1)...TimeDelta.seconds(10)

    public init(
        deadline: TimeDelta = .seconds(1), flowClass: StreamPriority? = nil,
        ordered: TimeDelta? = nil, redundancyPermille: Int = 100
    ) {
        self.deadline = deadline
        namedClass = flowClass
        self.ordered = ordered
        self.redundancyPermille = redundancyPermille
    }

    /// How connections share the paths.
    public var flowClass: StreamPriority { namedClass ?? .bulk }
    /// Which datagrams leave first while several wait; all of them go before connections.
    public var datagramClass: StreamPriority { namedClass ?? .media }
    /// The redundancy as a share, 0...1.
    var redundancy: Double { Double(redundancyPermille) / 1000 }

    /// Why an option has no effect on a forward, and what to do; nil if it has one.
    ///
    /// - Parameters:
    ///   - name: of the option.
    ///   - kind: of the forward.
    public static func problem(with name: Substring, on kind: ForwardSpec.Kind) -> String? {
        switch (name, kind) {
        case ("deadline", .tcp), ("deadline", .http), ("ordered", .tcp), ("ordered", .http),
            ("redundancy", .tcp), ("redundancy", .http):
            "\(name)= is for datagrams, and \(kind): carries connections, which lose nothing and "
                + "keep their order; leave it out, or use it with udp: or socks:"
        default: nil
        }
    }

    /// Sets one option from its text, as in `deadline=120ms`.
    ///
    /// - Returns: what is wrong and what to write instead; nil if the option was set.
    public mutating func set(_ name: Substring, to value: Substring) -> String? {
        switch name {
        case "deadline":
            guard let time = FlowOptions.time(value, within: FlowOptions.deadlines) else {
                return "write deadline=120ms, with a time up to 1h"
            }
            deadline = time
        case "class":
            guard let known = StreamPriority(name: value) else {
                return "write class=interactive, class=media or class=bulk"
            }
            namedClass = known
        case "ordered":
            guard let time = FlowOptions.time(value, within: FlowOptions.holds) else {
                return "write ordered=50ms, with a time up to 10s"
            }
            ordered = time
        case "redundancy":
            guard let share = FlowOptions.permille(value) else {
                return "write redundancy=10%, with a share from 0% to 100%"
            }
            redundancyPermille = share
        default:
            return "the options are deadline=TIME, class=NAME, ordered=TIME and redundancy=SHARE"
        }
        return nil
    }

    /// A share of 0% to 100% in thousandths.
    private static func permille(_ text: Substring) -> Int? {
        guard text.last == "%", let percent = Double(text.dropLast()), percent >= 0,
            percent <= 100
        else { return nil }
        return Int((percent * 10).rounded())
    }

    private static func time(
        _ text: Substring, within bounds: ClosedRange<TimeDelta>
    ) -> TimeDelta? {
        guard let seconds = ArgumentText.seconds(String(text)), seconds <= 1e8 else { return nil }
        let time = TimeDelta(seconds: seconds)
        return bounds.contains(time) ? time : nil
    }
}

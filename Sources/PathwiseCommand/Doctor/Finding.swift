import PathReport

/// One result of `pathwise doctor`.
struct Finding: Equatable, Sendable {
    /// How it is: as wanted, worth knowing, or in the way of paths.
    enum Level: String, Sendable {
        case ok, note, problem
    }

    /// What was checked; it does not change between versions.
    var id: Check
    var level: Level
    /// The interface, address or path that it is about; empty for the whole host.
    var subject: String
    /// One line: what was found.
    var what: String
    /// One line: why it matters.
    var why: String
    /// The command that changes it; nil if nothing has to be changed, or no command can.
    var fix: String?

    /// What `doctor` checks.
    enum Check: String, Sendable, CaseIterable {
        case interface = "interface.state"
        case mtu = "interface.mtu"
        case route = "route.default"
        case sourceRoute = "route.source"
        case reversePath = "route.rp_filter"
        case ipv6 = "route.ipv6"
        case nat = "route.nat"
        case receiveBuffer = "buffer.receive"
        case sendBuffer = "buffer.send"
        case segmentation = "offload.segmentation"
        case joining = "offload.joining"
        case monotonic = "clock.monotonic"
        case synchronised = "clock.synchronised"
        case binding = "privilege.bind"
        case openFiles = "limit.files"
        case lockedMemory = "limit.memory"
        case processors = "host.processors"
        case answer = "server.answer"
        case pathMTU = "server.mtu"
        case session = "server.session"
        case serverNAT = "server.nat"
        case ecn = "server.ecn"
        case path = "path"

        /// Why it matters.
        var why: String {
            switch self {
            case .interface: "a path needs an interface that is up, with a carrier and an address"
            case .mtu: "the first packets have 1,200 bytes; with headers they need an MTU of 1,280"
            case .route: "packets of a path leave only if a route leads out of its interface"
            case .sourceRoute:
                "packets with the address of one interface that leave by another are dropped by "
                    + "the provider, and count there"
            case .reversePath:
                "the kernel drops answers that arrive on another interface than its route back"
            case .ipv6: "IPv6 is often a second way without NAT to the same server"
            case .nat: Check.serverNAT.why
            case .receiveBuffer:
                "a small buffer loses packets of fast paths while the program waits"
            case .sendBuffer: "a small buffer slows fast paths down"
            case .segmentation: "one system call then sends up to 64 packets"
            case .joining: "one system call then receives up to 64 packets"
            case .monotonic: "all estimates of delay depend on a clock that only goes forward"
            case .synchronised:
                "periods of caps, tokens and stamps of handshakes depend on the time of day"
            case .binding: "a path is bound to its interface, whatever the routes say"
            case .openFiles: "each TCP connection that is forwarded needs a file descriptor"
            case .lockedMemory: "keys are kept out of swap space in locked memory"
            case .processors: "packets of fast paths need a processor's time at once"
            case .answer: "a path needs UDP in both directions, with 1,200 bytes"
            case .pathMTU: "larger packets cost less; the session finds the size by itself"
            case .session: "a session over this path is the real proof"
            case .serverNAT:
                "a NAT forgets silent paths after some time; keep-alives prevent that"
            case .path: "a path that was asked for needs its interface or address"
            case .ecn: "marks of congestion would tell of queues before packets are lost"
            }
        }
    }

    init(
        _ id: Check, _ level: Level, _ subject: String, _ what: String, fix: String? = nil
    ) {
        self.id = id
        self.level = level
        self.subject = subject
        self.what = what
        why = id.why
        self.fix = fix
    }

    /// A finding about the whole host.
    init(_ id: Check, _ level: Level, _ what: String, fix: String? = nil) {
        self.init(id, level, "", what, fix: fix)
    }

    var json: JSONValue {
        .object([
            ("id", .string(id.rawValue)), ("level", .string(level.rawValue)),
            ("subject", subject.isEmpty ? .null : .string(subject)), ("what", .string(what)),
            ("why", .string(why)), ("fix", fix.map { .string($0) } ?? .null),
        ])
    }

    /// A line with what was found; unless all is well, lines with why it matters and its remedy.
    var lines: [String] {
        let title = subject.isEmpty ? what : "\(subject): \(what)"
        var lines = [SessionSummary.pad(level.rawValue, 9) + title]
        guard level != .ok else { return lines }
        lines.append("         why: \(why)")
        if let fix { lines.append("         fix: \(fix)") }
        return lines
    }
}

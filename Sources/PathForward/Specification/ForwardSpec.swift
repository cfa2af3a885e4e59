internal import PathTransport

/// One argument of `pathwise forward`: what listens, and where its flows end.
///
///     udp:51820                      the same port at the other side's loopback
///     tcp:8443=10.0.0.5:443          a local port, and the target that the other side connects to
///     tcp:0.0.0.0:8443=web:443       listening on another address than 127.0.0.1
///     socks:1080   http:3128         proxies: each connection names its own target
///     udp:9000=studio:10080,deadline=120ms,ordered=50ms
public struct ForwardSpec: Hashable, Sendable {
    /// What is spoken at the listening side.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case tcp, udp, socks, http
    }

    public let kind: Kind
    /// The address to listen on; port 0 lets the system choose.
    public let listen: ForwardTarget
    /// Where the flows end; nil for proxies.
    public let target: ForwardTarget?
    public let options: FlowOptions
    /// Whether the peer listens, and this side connects.
    public let isReverse: Bool
    /// The argument as it was given.
    public let text: String

    /// Reads one argument.
    ///
    /// - Parameters:
    ///   - text: the argument.
    ///   - defaults: options that the argument does not name; those without effect on its kind
    ///     are ignored.
    ///   - isReverse: whether the peer listens.
    /// - Throws: `malformedForward`, with what to write instead.
    public init(
        parsing text: String, defaults: FlowOptions = FlowOptions(), isReverse: Bool = false
    ) throws(ForwardError) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let form = parts[0]
        guard let colon = form.firstIndex(of: ":"),
            let kind = Kind(rawValue: String(form[..<colon]))
        else {
            throw .malformedForward(
                text, "write tcp:PORT, tcp:PORT=HOST:PORT, udp:..., socks:PORT or http:PORT")
        }
        let places = form[form.index(after: colon)...].split(
            separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        listen = try ForwardSpec.listener(places[0], in: text)
        self.kind = kind
        self.text = text
        self.isReverse = isReverse
        switch (kind, places.count) {
        case (.tcp, 2), (.udp, 2):
            let target = try ForwardSpec.target(places[1], in: text)
            self.target = target
        case (.tcp, _), (.udp, _):
            guard listen.port != 0 else {
                throw .malformedForward(text, "give the target of port 0: \(kind):0=HOST:PORT")
            }
            // A program on one family only is found by TCP, which tries all addresses of the name;
            // a datagram has one destination.
            target = ForwardTarget(
                host: kind == .tcp ? "localhost" : "127.0.0.1", port: listen.port)
        case (_, 2):
            throw .malformedForward(
                text, "a proxy has no target: its clients name one; write \(kind):PORT")
        default:
            guard !isReverse else {
                throw .malformedForward(text, "--reverse takes tcp: and udp: only")
            }
            target = nil
        }
        var options = defaults
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else {
                throw .malformedForward(text, "write options as NAME=VALUE")
            }
            if let problem = FlowOptions.problem(with: pair[0], on: kind)
                ?? options.set(pair[0], to: pair[1])
            {
                throw .malformedForward(text, problem)
            }
        }
        self.options = options
    }

    /// Whether this forward and another cannot listen at the same time: they have one port, and the
    /// addresses are equal or one stands for all.
    public func collides(with other: ForwardSpec) -> Bool {
        guard isReverse == other.isReverse, (kind == .udp) == (other.kind == .udp),
            listen.port == other.listen.port, listen.port != 0,
            let address = listen.address, let second = other.listen.address,
            address.family == second.family
        else { return false }
        return address == second || address.isUnspecified || second.isUnspecified
    }

    private static func listener(
        _ place: Substring, in text: String
    ) throws(ForwardError) -> ForwardTarget {
        if !place.isEmpty, place.utf8.allSatisfy({ (48...57).contains($0) }) {
            guard let port = UInt16(place), let local = ForwardTarget(host: "127.0.0.1", port: port)
            else { throw .malformedForward(text, "a port is a number from 0 to 65535") }
            return local
        }
        guard let place = try? ForwardTarget(parsing: String(place)), place.address != nil else {
            throw .malformedForward(
                text, "what listens is PORT, ADDRESS:PORT or [ADDRESS]:PORT, and no name")
        }
        return place
    }

    private static func target(
        _ place: Substring, in text: String
    ) throws(ForwardError) -> ForwardTarget {
        guard let target = try? ForwardTarget(parsing: String(place)), target.port != 0 else {
            throw .malformedForward(
                text, "the target is HOST:PORT or [ADDRESS]:PORT, with a port from 1 to 65535")
        }
        return target
    }
}

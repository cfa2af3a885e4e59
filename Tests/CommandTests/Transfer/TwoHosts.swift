import Glibc
import PathTelemetry
import Synchronization
import Testing

/// Two hosts, each a network namespace, joined by links whose ends can be added and removed.
final class TwoHosts {
    static let isPossible: Bool = {
        guard getuid() == 0 else { return false }
        let name = "pwt\(getpid())x"
        defer { shell("ip netns del \(name)") }
        return shell("ip netns add \(name)")
            && shell("ip -n \(name) link add v0 type veth peer name v1")
    }()

    private static let made = Atomic<Int>(0)

    let client: String
    let server: String
    let links: [String]

    /// - Parameter segments: whether the kernel may count packets that are sent together as one.
    init(_ links: [String], segments: Bool = true) throws {
        self.links = links
        let number = TwoHosts.made.add(1, ordering: .relaxed).newValue
        client = "pwt\(getpid())a\(number)"
        server = "pwt\(getpid())b\(number)"
        var commands = ["ip netns add \(client)", "ip netns add \(server)"]
        for host in [client, server] { commands.append("ip -n \(host) link set lo up") }
        for (index, link) in links.enumerated() {
            commands.append(
                "ip link add \(link) netns \(client) type veth peer name w\(index) netns \(server)")
            for end in End.allCases {
                let (host, device) = interface(index, end)
                commands += [
                    "ip -n \(host) link set \(device) address \(hardware(index, end)) up",
                    "ip -n \(host) addr add \(address(index, end))/26 dev \(device)",
                ]
            }
        }
        for index in links.indices where !segments {
            for end in End.allCases {
                let (host, device) = interface(index, end)
                commands.append("ip -n \(host) link set \(device) gso_max_segs 1")
            }
        }
        for command in commands { try #require(Self.shell(command), "\(command)") }
    }

    /// The two ends of a link.
    enum End: Int, CaseIterable {
        case client = 1
        case server = 2
    }

    private func interface(_ link: Int, _ end: End) -> (host: String, device: String) {
        end == .client ? (client, links[link]) : (server, "w\(link)")
    }

    private func hardware(_ link: Int, _ end: End) -> String {
        "02:00:00:00:0\(link):0\(end.rawValue)"
    }

    /// Takes an end of a link up or down.
    func command(_ link: Int, _ end: End, isUp: Bool) -> String {
        let (host, device) = interface(link, end)
        return "ip -n \(host) link set \(device) \(isUp ? "up" : "down")"
    }

    /// Directs packets of an end to the hardware address of the other one, or to one that does not
    /// exist.
    func command(_ link: Int, _ end: End, reachesItsPeer: Bool) -> String {
        let (host, device) = interface(link, end)
        let other = end == .client ? End.server : .client
        let peer = reachesItsPeer ? hardware(link, other) : "02:00:00:00:ee:ee"
        return "ip -n \(host) neigh replace \(address(link, other)) lladdr \(peer) dev \(device) "
            + "nud permanent"
    }

    private func address(_ link: Int, _ end: End) -> String {
        "192.0.2.\(64 * link + end.rawValue)"
    }

    /// Where the server listens.
    var addresses: [String] { links.indices.map { address($0, .server) + ":7000" } }

    func set(_ link: String, _ state: String) {
        _ = Self.shell("ip -n \(client) link set \(link) \(state)")
    }

    /// Gives the client's ends of all links other addresses, after a time without any.
    func replaceAddresses(after pause: UInt32, _ host: Int) {
        for link in links { _ = Self.shell("ip -n \(client) addr flush dev \(link)") }
        usleep(pause)
        for (index, link) in links.enumerated() {
            _ = Self.shell(
                "ip -n \(client) addr add 192.0.2.\(64 * index + host)/26 dev \(link)")
        }
    }

    /// Calls a closure on a thread of its own whose new sockets belong to a host.
    static func onThread(of host: String, _ body: @escaping @Sendable () -> Void) throws {
        try WorkerThread(named: "host") {
            let space = open("/run/netns/\(host)", O_RDONLY | O_CLOEXEC)
            defer { close(space) }
            // It is a GNU extension, which Glibc's module leaves out; 0 allows any kind.
            guard let symbol = dlsym(nil, "setns") else { return }
            let enter = unsafeBitCast(
                symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
            guard space >= 0, enter(space, 0) == 0 else { return }
            body()
        }.detach()
    }

    /// Bytes that the client's ends of the links have sent, by the kernel's count.
    func bytesSent(_ folder: Scratch) -> Int {
        links.reduce(0) { sum, link in
            let file = folder.file("counter")
            let counter = "/sys/class/net/\(link)/statistics/tx_bytes"
            _ = Self.shell("ip netns exec \(client) cat \(counter) >\(file)")
            let digits = text(of: file).filter(\.isNumber)
            return sum + (Int(digits) ?? 0)
        }
    }

    /// What a link of the client has carried in both directions, by the kernel's counters, as operators
    /// count it: without the Ethernet header of 14 bytes.
    func carried(_ link: String, _ folder: Scratch) -> Int {
        ["tx", "rx"].reduce(0) { sum, way in
            func counter(_ name: String) -> Int {
                let file = folder.file("counter")
                let place = "/sys/class/net/\(link)/statistics/\(way)_\(name)"
                _ = Self.shell("ip netns exec \(client) cat \(place) >\(file)")
                return Int(text(of: file).filter(\.isNumber)) ?? 0
            }
            return sum + counter("bytes") - 14 * counter("packets")
        }
    }

    /// Whether the command ended well.
    @discardableResult
    static func shell(_ command: String) -> Bool {
        let line = ["/bin/sh", "-c", "exec >/dev/null 2>&1; " + command]
        var words: [UnsafeMutablePointer<CChar>?] = line.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [
            strdup("PATH=/usr/bin:/bin:/usr/sbin:/sbin"), nil,
        ]
        defer { for word in words + environment { free(word) } }
        var child = pid_t()
        guard posix_spawn(&child, "/bin/sh", nil, nil, &words, &environment) == 0 else {
            return false
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status == 0
    }

    deinit { for host in [client, server] { Self.shell("ip netns del \(host)") } }
}

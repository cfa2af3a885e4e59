import Glibc
import PathNetwork
import PathTransport

/// What `doctor` knows of a host; tests give other facts.
struct HostFacts: Sendable {
    /// A network interface, usable or not.
    struct Link: Sendable {
        var name: String
        var index: UInt32
        var isUp: Bool
        var hasCarrier: Bool
        var mtu: Int
        /// Addresses that are valid beyond the link.
        var addresses: [SocketAddress]

        /// Whether a path could use it.
        var isUsable: Bool { isUp && hasCarrier && !addresses.isEmpty }

        func addresses(of family: SocketAddress.Family) -> [SocketAddress] {
            addresses.filter { $0.family == family }
        }
    }

    /// Interfaces that may carry paths: without loopback, those of containers, and tunnels.
    var links: [Link]
    /// Before `/proc` and `/sys` in the names of files.
    var root = ""
    /// The route to an address, from an address, through an interface's index or 0.
    var route: @Sendable (SocketAddress, SocketAddress?, UInt32) -> HostInquiry.Route?
    /// The error when a socket is bound to an interface; nil if that works.
    var bindingProblem: @Sendable (String) -> NetworkError?
    /// Bytes that sockets get, and that they want.
    var buffers: (receive: Int, send: Int)?
    var wantedBuffers: (receive: Int, send: Int)
    var offloads: (segmentation: Bool, joining: Bool)?
    var isClockSynchronised: Bool?
    /// Readings of the monotonic clock, nanoseconds.
    var monotonic: [Int64]
    var openFiles: UInt64
    var lockedMemory: UInt64
    var processors: Int

    /// The interfaces through which packets may leave the host.
    var uplinks: [Link] { links.filter(\.isUsable) }

    /// The text of a file; nil if it cannot be read.
    func text(_ path: String) -> String? { HostFacts.text(root + path) }

    func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    private static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &bytes, bytes.count)
        guard count >= 0 else { return nil }
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return String(text.split(separator: "\n").first ?? "")
    }

    // MARK: interfaces

    /// The interfaces that the files of a root list, with the addresses given.
    static func links(root: String, addresses: [String: [SocketAddress]]) -> [Link] {
        let folder = root + "/sys/class/net"
        var links: [Link] = []
        for name in FolderNames.all(in: folder) where !isExcluded(name) {
            let flags = text("\(folder)/\(name)/flags").flatMap { Int($0.dropFirst(2), radix: 16) }
            // IFF_UP, IFF_LOOPBACK.
            guard let flags, flags & 8 == 0 else { continue }
            links.append(
                Link(
                    name: name,
                    index: text("\(folder)/\(name)/ifindex").flatMap { UInt32($0) } ?? 0,
                    isUp: flags & 1 != 0, hasCarrier: text("\(folder)/\(name)/carrier") == "1",
                    mtu: text("\(folder)/\(name)/mtu").flatMap { Int($0) } ?? 0,
                    addresses: addresses[name] ?? []))
        }
        return links.sorted { $0.index < $1.index }
    }

    private static func isExcluded(_ name: String) -> Bool {
        (PathPlanner.containerInterfaces + PathPlanner.tunnelInterfaces).contains {
            fnmatch($0, name, 0) == 0
        }
    }

    // MARK: this host

    /// The facts of this host.
    static func ofThisHost() throws -> HostFacts {
        var addresses: [String: [SocketAddress]] = [:]
        for interface in try InterfaceWatcher.list() {
            addresses[interface.name] = interface.addresses.map(\.address)
        }
        var clock: [Int64] = []
        for _ in 0..<1000 {
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            clock.append(Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec))
        }
        return HostFacts(
            links: links(root: "", addresses: addresses),
            route: { HostInquiry.route(to: $0, from: $1, through: $2) },
            bindingProblem: { HostInquiry.problemBinding(toInterface: $0) },
            buffers: try? HostInquiry.socketBuffers(), wantedBuffers: HostInquiry.wantedBuffers,
            offloads: try? HostInquiry.offloads(),
            isClockSynchronised: HostInquiry.isClockSynchronised, monotonic: clock,
            openFiles: limit(RLIMIT_NOFILE),
            lockedMemory: limit(__RLIMIT_MEMLOCK),
            processors: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    private static func limit(_ resource: __rlimit_resource) -> UInt64 {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0
            ? UInt64(limit.rlim_cur) : 0
    }
}

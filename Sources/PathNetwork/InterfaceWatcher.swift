internal import CLinuxUDP
internal import Glibc
public import PathTransport

/// An address of an interface, from which datagrams can be sent.
public struct InterfaceAddress: Hashable, Sendable {
    /// The address, with port 0.
    public var address: SocketAddress
    /// Length of the network's prefix, bits.
    var prefixLength: Int
    /// An IPv6 privacy address (RFC 8981), which the system replaces after some hours.
    public var isTemporary: Bool
}

/// A network interface that may carry a path: up, with carrier, with an address.
public struct NetworkInterface: Hashable, Sendable {
    public var index: UInt32
    public var name: String
    /// MTU, bytes of IP packet.
    public var mtu: Int
    public var isLoopback: Bool
    var isPointToPoint: Bool
    /// Addresses that are valid beyond the link, in the kernel's order; the first of a kind is
    /// preferred.
    public var addresses: [InterfaceAddress]
    /// Addresses that are valid only on this link (fe80::/10 and 169.254.0.0/16).
    var linkLocalAddresses: [InterfaceAddress] = []

    /// The source address for a destination, and the destination with this interface's scope; nil
    /// if no address of this interface can reach it.
    ///
    /// A link-local address is reached from a link-local one: an IPv6 address through the interface
    /// of its scope, or any interface if it has no scope, and an IPv4 address through an interface
    /// in the same network. Permanent addresses are preferred to temporary ones.
    func way(to remote: SocketAddress) -> PathPlan.Way? {
        var remote = remote
        var candidates = addresses.filter { $0.address.family == remote.family }
        if remote.isLinkLocal {
            candidates = linkLocalAddresses.filter { $0.isOnLink(remote) }
            if remote.family == .ipv6 {
                guard remote.scope == 0 || remote.scope == index else { return nil }
                remote = remote.with(scope: index)
            }
        }
        guard let own = candidates.first(where: { !$0.isTemporary }) ?? candidates.first else {
            return nil
        }
        return PathPlan.Way(local: own.address, remote: remote)
    }
}

/// A change of the usable interfaces.
enum InterfaceChange: Hashable, Sendable {
    /// An interface became usable.
    case added(NetworkInterface)
    /// An interface vanished, went down, or lost its last address.
    case removed(NetworkInterface)
    /// A usable interface has other addresses, or another name or MTU.
    case changed(from: NetworkInterface, to: NetworkInterface)
    /// Routes changed, so other addresses may be reachable now.
    case routesChanged
}

/// Lists the usable interfaces and reports changes of that list, through netlink.
///
/// Usable means up, with carrier, not loopback unless requested, and with at least one address that
/// is neither tentative, failed nor deprecated. An interface with only link-local addresses is
/// listed, as it reaches link-local servers.
public struct InterfaceWatcher: ~Copyable, Sendable {
    private let file: FileDescriptor
    private let includesLoopback: Bool

    /// The usable interfaces, by index, as of the latest `readChanges`.
    public private(set) var interfaces: [NetworkInterface]

    /// Subscribes, then lists, so that no change is missed in between.
    public init(includingLoopback: Bool = false) throws(NetworkError) {
        let file = try FileDescriptor(
            clu_netlink_open(), .watchInterfaces, target: "network interfaces")
        interfaces = try InterfaceWatcher.list(includingLoopback: includingLoopback)
        includesLoopback = includingLoopback
        self.file = file
    }

    /// The file descriptor, to watch with a `Poller`; readable when there may be changes.
    public var descriptor: Int32 { file.raw }

    /// Reads the kernel's messages and returns the changes since `interfaces` was last updated.
    ///
    /// It compares whole lists, so messages that the kernel dropped do not matter, and a change
    /// that was undone before this call is not reported.
    mutating func readChanges() throws(NetworkError) -> [InterfaceChange] {
        let kinds = clu_netlink_read(file.raw)
        try check(kinds, .watchInterfaces, target: "network interfaces")
        guard kinds != 0 else { return [] }
        let current = try InterfaceWatcher.list(includingLoopback: includesLoopback)
        var changes = InterfaceWatcher.difference(from: interfaces, to: current)
        interfaces = current
        if kinds & Int32(CLU_ROUTE_CHANGED | CLU_OVERRUN) != 0 { changes.append(.routesChanged) }
        return changes
    }

    static func difference(
        from old: [NetworkInterface], to new: [NetworkInterface]
    ) -> [InterfaceChange] {
        var changes: [InterfaceChange] = []
        for interface in old where !new.contains(where: { $0.index == interface.index }) {
            changes.append(.removed(interface))
        }
        for interface in new {
            guard let former = old.first(where: { $0.index == interface.index }) else {
                changes.append(.added(interface))
                continue
            }
            if former != interface { changes.append(.changed(from: former, to: interface)) }
        }
        return changes
    }

    /// The usable interfaces now, by index.
    public static func list(
        includingLoopback: Bool = false
    ) throws(NetworkError) -> [NetworkInterface] {
        let links = try allLinks()
        let addresses = unsafe try entries(of: clu_interface_address()) {
            unsafe clu_list_addresses($0, $1)
        }
        var usable: [NetworkInterface] = []
        for link in links where link.up != 0 && link.carrier != 0 {
            guard includingLoopback || link.loopback == 0 else { continue }
            let all = addresses.compactMap { entry -> InterfaceAddress? in
                guard entry.interface == link.index, entry.usable != 0,
                    let address = SocketAddress(entry.address),
                    !address.isMulticast, includingLoopback || !address.isLoopback
                else { return nil }
                return InterfaceAddress(
                    address: address, prefixLength: Int(entry.prefix),
                    isTemporary: entry.temporary != 0)
            }
            guard !all.isEmpty else { continue }
            usable.append(
                NetworkInterface(
                    index: link.index, name: name(of: link), mtu: Int(link.mtu),
                    isLoopback: link.loopback != 0, isPointToPoint: link.point_to_point != 0,
                    addresses: all.filter { !$0.address.isLinkLocal },
                    linkLocalAddresses: all.filter { $0.address.isLinkLocal }))
        }
        return usable.sorted { $0.index < $1.index }
    }

    /// Whether an interface is up and has a carrier; nil if there is none of that name.
    static func condition(of name: String) -> (isUp: Bool, hasCarrier: Bool)? {
        guard let link = try? allLinks().first(where: { self.name(of: $0) == name }) else {
            return nil
        }
        return (link.up != 0, link.carrier != 0)
    }

    private static func allLinks() throws(NetworkError) -> [clu_interface] {
        unsafe try entries(of: clu_interface()) { unsafe clu_list_interfaces($0, $1) }
    }

    /// Calls the C function with a growing buffer until everything fits.
    private static func entries<Entry>(
        of empty: Entry, _ list: (UnsafeMutablePointer<Entry>?, Int32) -> Int32
    ) throws(NetworkError) -> [Entry] {
        var room = [Entry](repeating: empty, count: 64)
        while true {
            let count = unsafe room.withUnsafeMutableBufferPointer {
                unsafe list($0.baseAddress, Int32(clamping: $0.count))
            }
            try check(count, .listInterfaces, target: "network interfaces")
            if Int(count) <= room.count { return Array(room.prefix(Int(count))) }
            guard count < 100_000 else {
                throw .system(.listInterfaces, target: "network interfaces", code: E2BIG)
            }
            room = [Entry](repeating: empty, count: Int(count) * 2)
        }
    }

    private static func name(of link: clu_interface) -> String {
        var bytes: [UInt8] = []
        unsafe withUnsafeBytes(of: link.name) { raw in
            unsafe bytes.append(contentsOf: raw.prefix { $0 != 0 })
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

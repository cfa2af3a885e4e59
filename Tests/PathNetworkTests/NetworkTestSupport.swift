import Foundation
import Glibc

@testable import PathNetwork
@testable import PathTelemetry
@testable import PathTransport

/// What this host lets tests do; tests that need more are skipped by name with the reason.
enum Host {
    static let isRoot = getuid() == 0
    static let canMakeNamespaces = isRoot && runsInNamespace("ip link show lo")
    static let hasVeth =
        canMakeNamespaces && runsInNamespace("ip link add v0 type veth peer name v1")
    static let hasTrafficControl =
        hasVeth
        && runsInNamespace(
            "ip link add v0 type veth peer name v1 && "
                + "tc qdisc add dev v0 root tbf rate 1mbit burst 5000 limit 50000")
    static let hasIPv6 =
        (try? UDPSocket(local: SocketAddress(ipv6High: 0, low: 1, port: 0))) != nil
    static let runsBenchmarks = ProcessInfo.processInfo.environment["PATHWISE_BENCH"] == "1"

    private static func runsInNamespace(_ command: String) -> Bool {
        inNamespace { shell(command) == 0 } ?? false
    }
}

/// Runs a shell command in the calling thread's network namespace and gives its exit status.
@discardableResult
func shell(_ command: String) -> Int32 {
    let words = ["/bin/sh", "-c", command + " >/dev/null 2>&1"]
    var arguments = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    guard posix_spawn(&child, "/bin/sh", nil, nil, arguments, environ) == 0 else { return -1 }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return (status & 0x7f) == 0 ? (status >> 8) & 0xff : -1
}

/// The result of a thread, which is joined before the result is read.
private final class Box<Value>: @unchecked Sendable {
    var value: Value?
}

/// Runs `body` on its own thread in a new, empty network namespace, which ends with it.
///
/// Returns nil if the system refuses the namespace. A namespace belongs to a thread: sockets opened
/// and commands spawned by `body` are in it, other threads are not.
func inNamespace<Value>(_ body: @escaping @Sendable () -> Value) -> Value? {
    // CLONE_NEWNET. The function is not in Swift's view of the C library.
    guard let symbol = dlsym(nil, "unshare") else { return nil }
    let unshare = unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)
    return onThread { unshare(0x4000_0000) == 0 ? body() : nil }
}

/// Runs `body` on its own thread and waits for it.
func onThread<Value>(_ body: @escaping @Sendable () -> Value) -> Value {
    let box = Box<Value>()
    let finished = DispatchSemaphore(value: 0)
    let thread = Thread {
        box.value = body()
        finished.signal()
    }
    thread.start()
    finished.wait()
    return box.value!
}

/// Datagrams of `size` bytes with the number of each at its front, and a tail that differs.
func numberedDatagrams(count: Int, size: Int, tail: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    for number in 0..<count {
        let length = number == count - 1 ? tail : size
        for offset in 0..<length {
            let value = offset < 2 ? number >> (8 * offset) : number &* 31 &+ offset &* 7
            bytes.append(UInt8(truncatingIfNeeded: value))
        }
    }
    return bytes
}

/// A copy of one received datagram.
struct Datagram: Equatable {
    var bytes: [UInt8]
    var remote: SocketAddress
    var local: SocketAddress?
    var interface: UInt32
    var receivedAt: Instant
    /// Datagrams in the message that this one was part of.
    var joined: Int
}

/// Receives until `count` datagrams are there, or until nothing came for `patience`.
func receive(
    _ count: Int, from socket: inout UDPSocket, patience: TimeDelta = .seconds(5)
) throws -> [Datagram] {
    let poller = try Poller()
    try poller.add(socket.descriptor, token: 1)
    var events = Poller.Events()
    var batch = try ReceiveBatch()
    var datagrams: [Datagram] = []
    while datagrams.count < count {
        try poller.wait(until: MonotonicClock.now() + patience, into: &events)
        guard events.count > 0 else { break }
        while case .received = socket.receive(into: &batch) {
            batch.forEachDatagram { bytes, message in
                datagrams.append(
                    Datagram(
                        bytes: Array(bytes), remote: message.remote, local: message.local,
                        interface: message.interface, receivedAt: message.receivedAt,
                        joined: message.segmentCount))
            }
        }
    }
    return datagrams
}

/// Waits, at most five seconds, until the poller reports the wanted event of a socket.
///
/// Even loopback delivers after the sender's call has returned, when the host is busy.
func wait(
    for socket: borrowing UDPSocket, until isWanted: (Poller.Event) -> Bool
) throws {
    let poller = try Poller()
    try poller.add(socket.descriptor, token: 1)
    var events = Poller.Events()
    let deadline = MonotonicClock.now() + .seconds(5)
    while MonotonicClock.now() < deadline {
        try poller.wait(until: deadline, into: &events)
        if events.count > 0, isWanted(events[0]) { return }
    }
}

extension UDPSocket {
    /// Sends an array, for tests.
    mutating func send(
        _ bytes: [UInt8], segmentSize: Int? = nil, to destination: SocketAddress,
        from source: SocketAddress? = nil
    ) -> SendResult {
        bytes.withUnsafeBytes {
            send($0, segmentSize: segmentSize ?? bytes.count, to: destination, from: source)
        }
    }
}

let ipv4Loopback = SocketAddress(ipv4: 0x7f00_0001, port: 0)
let ipv6Loopback = SocketAddress(ipv6High: 0, low: 1, port: 0)

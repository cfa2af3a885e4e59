import Glibc
import Pathwise

/// Messages of 1200 bytes each 4.8 ms through the library, and their one-way delay.
///
/// Both sides run on one machine, in two network namespaces, since they compare times of one clock.
///
///     MessageLatency keys                               two key pairs, each private and public
///     MessageLatency receive PRIVATE PEER ADDRESS...    listens; prints the delays of one session
///     MessageLatency send PRIVATE PEER SECONDS ADDRESS...
@main
struct MessageLatency {
    static let size = 1200
    static let interval = Duration.microseconds(4800)

    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case ("keys", 1):
            for _ in 0..<2 {
                let key = try PrivateKey.generate()
                print(try key.base64, try key.publicKey.base64)
            }
        case ("receive", 4...):
            guard let (key, peer) = keys(arguments) else { fail("not a key") }
            try await receive(key, peer, listen: Array(arguments[3...]))
        case ("send", 5...):
            guard let (key, peer) = keys(arguments), let seconds = Int(arguments[3]), seconds > 0
            else { fail("not a key, or not a number of seconds") }
            try await send(key, peer, seconds: seconds, to: Array(arguments[4...]))
        default:
            fail(
                "MessageLatency keys | receive PRIVATE PEER ADDRESS... | send PRIVATE PEER SECONDS ADDRESS..."
            )
        }
    }

    private static func keys(_ arguments: [String]) -> (PrivateKey, PublicKey)? {
        guard let key = PrivateKey(base64: arguments[1]), let peer = PublicKey(base64: arguments[2])
        else { return nil }
        return (key, peer)
    }

    private static func fail(_ text: String) -> Never {
        print("usage: \(text)")
        exit(64)
    }

    private static func nanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func send(
        _ key: PrivateKey, _ server: PublicKey, seconds: Int, to addresses: [String]
    ) async throws {
        let session = try await Session.connect(
            ClientOptions(key: key, server: server, to: addresses))
        try await Task.sleep(for: .milliseconds(500))
        let count = seconds * 1_000_000 / 4800
        let start = ContinuousClock.now
        for number in 0..<count {
            var bytes = [UInt8](repeating: 0, count: size)
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: nanoseconds(), as: UInt64.self) }
            try session.sendMessage(bytes, deadline: .milliseconds(500))
            let next = start + interval * (number + 1)
            try await Task.sleep(until: next, tolerance: .zero, clock: .continuous)
        }
        try await Task.sleep(for: .seconds(1))
        print("sent \(count), reported lost \(session.status().statistics.messagesExpired)")
        await session.close()
    }

    private static func receive(
        _ key: PrivateKey, _ client: PublicKey, listen addresses: [String]
    ) async throws {
        let server = try Server(key: key, clients: [client], listen: addresses)
        print("ready")
        fflush(nil)
        for await session in server.sessions {
            var delays: [Double] = []
            for await message in session.messages {
                let sent = message.bytes.withUnsafeBytes {
                    $0.loadUnaligned(as: UInt64.self)
                }
                delays.append(Double(nanoseconds() - sent) / 1e6)
            }
            delays.sort()
            func quantile(_ share: Double) -> Double {
                delays.isEmpty ? .nan : delays[Int(Double(delays.count - 1) * share)]
            }
            let figures = [quantile(0.5), quantile(0.99), quantile(1)].map {
                ($0 * 100).rounded() / 100
            }
            print(
                "received \(delays.count), one way p50 \(figures[0]), p99 \(figures[1]), max \(figures[2]) ms"
            )
            break
        }
        await server.close()
    }
}

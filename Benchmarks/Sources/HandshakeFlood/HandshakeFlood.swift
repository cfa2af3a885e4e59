import Glibc
import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport

/// Sends first messages of clients whose keys the server does not know, at a steady rate.
///
/// They come from many ports and carry the server's cookies, which is the strongest flood that a
/// host with one address can make. Traffic goes to loopback only. The flood begins after a line on
/// standard input.
///
///     HandshakeFlood 127.0.0.1:PORT SERVER-PUBLIC-KEY RATE SECONDS
@main
struct HandshakeFlood {
    static let strangers = 5000
    static let ports = 50

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let server = SocketAddress(parsing: arguments[1]),
            server.isLoopback, let key = PublicKey(base64: arguments[2]),
            let rate = Int(arguments[3]), rate > 0, let seconds = Int(arguments[4])
        else {
            print("usage: HandshakeFlood 127.0.0.1:PORT SERVER-PUBLIC-KEY RATE SECONDS")
            exit(64)
        }
        var messages = try (0..<strangers).map { _ in try initiation(for: key, server) }
        print("ready")
        fflush(nil)
        _ = readLine()

        var sockets: [Port] = []
        for _ in 0..<ports { sockets.append(try Port()) }
        var batch = try ReceiveBatch(capacity: 64, messageBytes: 2048)
        var sent = 0
        var received = 0
        var receivedBytes = 0
        let start = MonotonicClock.now()
        var nextReport = start + .seconds(1)
        let end = start + .seconds(Int64(seconds))
        while true {
            let now = MonotonicClock.now()
            if now >= end { break }
            let due = Int((now - start).seconds * Double(rate))
            while sent < due {
                let port = sockets[sent % ports]
                let number = sent % strangers
                if !port.cookie.isEmpty {
                    // The cookie is the last field of the message and validates the address.
                    for (offset, byte) in port.cookie.enumerated() {
                        messages[number][1200 - port.cookie.count + offset] = byte
                    }
                }
                messages[number].withUnsafeBytes {
                    _ = port.socket.send($0, segmentSize: $0.count, to: server)
                }
                sent += 1
            }
            for port in sockets {
                while case .received = port.socket.receive(into: &batch) {
                    batch.forEachDatagram { bytes, _ in
                        received += 1
                        receivedBytes += bytes.count
                        // A retry: kind 3, the sender's index, 16 bytes of cookie.
                        if bytes.count == 24, bytes[0] == 3 { port.cookie = Array(bytes[8...]) }
                    }
                }
            }
            if now >= nextReport {
                nextReport += .seconds(1)
                let share = Double(receivedBytes) / Double(max(1, sent * 1200))
                print(
                    "\(sent) initiations in \(Int((now - start).seconds)) s, \(received) answers, "
                        + "\(Double(Int(share * 1000)) / 1000) bytes back for each sent")
                fflush(nil)
            }
            usleep(500)
        }
    }

    /// The first message of a client with a new key.
    private static func initiation(
        for server: PublicKey, _ address: SocketAddress
    ) throws -> [UInt8] {
        let now = MonotonicClock.now()
        var connection = try Connection(
            client: ClientIdentity(key: try PrivateKey.generate(), peer: server),
            configuration: ConnectionConfiguration(),
            selector: try PathSelector(.minRTT, seed: 1), stamp: StampClock.now(), now: now)
        connection.addPath(socket: 0, remote: address, datagramLimit: 1200, now: now)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let length = buffer.withUnsafeMutableBytes {
            connection.pollTransmit(into: $0, now: now)?.length ?? 0
        }
        return Array(buffer.prefix(length))
    }

    /// One of the flood's sockets, with the server's cookie.
    private final class Port {
        var socket: UDPSocket
        var cookie: [UInt8] = []

        init() throws {
            let local = SocketAddress.loopback(port: 0)
            socket = try UDPSocket(local: local)
        }
    }
}

import PathSimulation
import PathTelemetry
import PathTransport

/// Keeps one stream full of the same bytes and counts what arrives.
///
/// The application costs almost nothing, so the measured time is the transport's.
struct Pump: WorldApplication {
    let total: Int
    private(set) var received = 0
    private var written = 0
    private var stream: StreamID?
    private var isFull = false
    private var source = [UInt8](repeating: 7, count: 65_536)

    init(total: Int) { self.total = total }

    var nextWake: Instant { .distantFuture }
    var isDone: Bool { received >= total }

    mutating func handleClient(_ connection: inout Connection, now: Instant) {
        while let event = connection.pollEvent() {
            if case .streamWritable = event { isFull = false }
        }
        guard connection.isEstablished, !isFull else { return }
        if stream == nil { stream = try? connection.openStream() }
        guard let stream else { return }
        while written < total {
            let accepted = source.withUnsafeBytes { (try? connection.write(stream, $0)) ?? 0 }
            written += accepted
            if accepted < source.count {
                isFull = true
                return
            }
        }
    }

    mutating func handleServer(_ connection: inout Connection, now: Instant) {
        while let event = connection.pollEvent() {
            guard case .streamReadable(let stream) = event else { continue }
            while true {
                let count = source.withUnsafeMutableBytes {
                    (try? connection.read(stream, into: $0))?.count ?? 0
                }
                received += count
                if count == 0 { break }
            }
        }
    }
}

import PathLearning
import PathSimulation
import PathTelemetry
import PathTrace
import PathTransport

/// Messages with a deadline beside a stream, recorded by the connection that sends them.
struct RecordedFlow: WorldApplication {
    private static let start = Instant(nanoseconds: 1_000_000_000_000)
    private static let interval = TimeDelta.milliseconds(15)
    private static let deadline = TimeDelta.milliseconds(120)
    private static let end = TimeDelta.seconds(3)

    let ring: TraceRing
    let session: SessionID
    private(set) var decisions = 0
    private var nextAt = start + .milliseconds(500)
    private var stream: StreamID?
    private var bytes = [UInt8](repeating: 7, count: 65_536)

    init(ring: TraceRing, session: SessionID) {
        self.ring = ring
        self.session = session
    }

    var nextWake: Instant { nextAt }
    var isDone: Bool { false }

    mutating func handleClient(_ connection: inout Connection, now: Instant) {
        while connection.pollEvent() != nil {}
        record(&connection)
        guard connection.isEstablished, now - RecordedFlow.start < RecordedFlow.end else {
            nextAt = .distantFuture
            return
        }
        if stream == nil { stream = try? connection.openStream() }
        bytes.withUnsafeBytes { bytes in
            while nextAt <= now {
                _ = try? connection.sendMessage(
                    UnsafeRawBufferPointer(rebasing: bytes[..<3000]),
                    options: MessageOptions(deadline: now + RecordedFlow.deadline), now: now)
                nextAt += RecordedFlow.interval
            }
            guard let stream else { return }
            while let taken = try? connection.write(stream, bytes), taken == bytes.count {}
        }
    }

    mutating func record(_ connection: inout Connection) {
        connection.drainRecords { record in
            switch record {
            case .decision(let decision):
                decisions += 1
                _ = ring.record(decision, session: session)
            case .outcome(let outcome): _ = ring.record(outcome, session: session)
            case .sample, .pathAdded, .pathRemoved, .judged: break
            }
        }
    }

    mutating func handleServer(_ connection: inout Connection, now: Instant) {
        while connection.receiveMessage() != nil {}
        while let event = connection.pollEvent() {
            guard case .streamReadable(let stream) = event else { continue }
            bytes.withUnsafeMutableBytes { buffer in
                while let read = try? connection.read(stream, into: buffer), read.count > 0 {}
            }
        }
    }
}

import Foundation
import Glibc
import PathTransport
import Testing

@testable import PathNetwork
@testable import PathTelemetry

/// How fast one thread sends and another receives over loopback; run with optimisation.
@Suite(.serialized, .enabled(if: Host.runsBenchmarks, "set PATHWISE_BENCH=1 to run it"))
struct LoopbackBenchmark {
    static let datagramBytes = 1_400

    @Test(arguments: [46, 10, 1]) func throughput(datagramsPerCall: Int) throws {
        let bytes = numberedDatagrams(
            count: datagramsPerCall, size: LoopbackBenchmark.datagramBytes,
            tail: LoopbackBenchmark.datagramBytes)
        let seconds = 2.0
        let stop = StopFlag()
        let destination = AddressBox()
        let ready = DispatchSemaphore(value: 0)
        let done = DispatchSemaphore(value: 0)
        let outcome = Outcome()

        let thread = Thread {
            defer { done.signal() }
            do {
                var receiver = try UDPSocket(local: ipv4Loopback)
                destination.value = receiver.localAddress
                let poller = try Poller()
                try poller.add(receiver.descriptor, token: 1)
                ready.signal()
                var events = Poller.Events()
                var batch = try ReceiveBatch()
                while !stop.isSet {
                    try poller.wait(until: MonotonicClock.now() + .milliseconds(50), into: &events)
                    while case .received = receiver.receive(into: &batch) {
                        batch.forEachDatagram { bytes, _ in
                            outcome.datagrams += 1
                            // In place, as decryption would.
                            bytes[0] ^= 0xff
                        }
                    }
                }
                outcome.bytes = receiver.counters.bytesReceived
                outcome.calls = receiver.counters.receiveCalls
                outcome.drops = receiver.receiveBufferDrops
                outcome.cpu = threadSeconds()
            } catch { outcome.error = "\(error)" }
        }
        thread.start()
        ready.wait()

        let sent = try onThread {
            Result { () throws -> (bytes: Int, elapsed: Double, cpu: Double) in
                var sender = try UDPSocket(local: ipv4Loopback)
                let to = destination.value
                let start = MonotonicClock.now()
                let cpu = threadSeconds()
                while MonotonicClock.now() - start < TimeDelta(seconds: seconds) {
                    for _ in 0..<16 {
                        _ = bytes.withUnsafeBytes {
                            sender.send($0, segmentSize: LoopbackBenchmark.datagramBytes, to: to)
                        }
                    }
                }
                let elapsed = (MonotonicClock.now() - start).seconds
                return (sender.counters.bytesSent, elapsed, threadSeconds() - cpu)
            }
        }.get()
        usleep(200_000)
        stop.set()
        done.wait()
        #expect(outcome.error == nil)
        #expect(outcome.datagrams > 0)
        #expect(outcome.bytes <= sent.bytes)
        let gigabits = { (bytes: Int) in Double(bytes) * 8e-9 / sent.elapsed }
        print(
            String(
                format: "%2d x %d B a call: sent %.2f, received %.2f Gbit/s (%.0f thousand/s), "
                    + "lost %.1f %% (%d dropped), CPU s/GB %.3f + %.3f, %.1f datagrams a receive",
                datagramsPerCall, LoopbackBenchmark.datagramBytes, gigabits(sent.bytes),
                gigabits(outcome.bytes), Double(outcome.datagrams) / sent.elapsed / 1e3,
                100 * (1 - Double(outcome.bytes) / Double(sent.bytes)), outcome.drops,
                sent.cpu / (Double(sent.bytes) / 1e9), outcome.cpu / (Double(outcome.bytes) / 1e9),
                Double(outcome.datagrams) / Double(outcome.calls)))
    }
}

private func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Written by the receiving thread, read after it has ended.
private final class Outcome: @unchecked Sendable {
    var datagrams = 0
    var bytes = 0
    var calls = 0
    var drops = 0
    var cpu = 0.0
    var error: String?
}

/// Written before the semaphore that its reader waits for.
private final class AddressBox: @unchecked Sendable {
    var value = ipv4Loopback
}

private final class StopFlag: @unchecked Sendable {
    private let lock = NSLock()
    private var flag = false
    func set() { lock.withLock { flag = true } }
    var isSet: Bool { lock.withLock { flag } }
}

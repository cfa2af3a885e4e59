import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// Measurements of TCP flows over loopback; they assert nothing about time.
@Suite(.serialized, .enabled(if: getenv("PATHWISE_BENCH") != nil, "PATHWISE_BENCH=1"))
struct FlowBenchmark {
    /// Round trips of one byte over a port, sorted.
    private static func roundTrips(_ port: UInt16, _ count: Int) throws -> [TimeDelta] {
        let socket = try #require(PlainSocket.connect(port))
        var times: [TimeDelta] = []
        for _ in 0..<count {
            let start = MonotonicClock.now()
            socket.write([1])
            #expect(socket.read(exactly: 1) == [1])
            times.append(MonotonicClock.now() - start)
            usleep(500)
        }
        return times.sorted()
    }

    @Test func latencyOfAnIdleForward() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let (direct, through) = try await blocking {
            (
                try FlowBenchmark.roundTrips(target.port, 2000),
                try FlowBenchmark.roundTrips(port, 2000)
            )
        }
        print("round trip of one byte, median and 99th percentile:")
        print("  direct \(direct[1000]) \(direct[1980]), forward \(through[1000]) \(through[1980])")
        #expect(direct.count == 2000 && through.count == 2000)
        await pair.close()
    }

    @Test func throughputOfOneConnection() async throws {
        let bytes = 400 << 20
        let target = try PlainServer { socket in
            let piece = [UInt8](repeating: 5, count: 1 << 18)
            for _ in 0..<bytes / piece.count where !socket.write(piece) { return }
            socket.finish()
            _ = socket.readAll()
        }
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let start = MonotonicClock.now()
        let count = try await blocking {
            let socket = try #require(PlainSocket.connect(port))
            socket.finish()
            var count = 0
            while case .bytes(let more) = socket.read(atMost: 1 << 18) { count += more.count }
            return count
        }
        let seconds = Double((MonotonicClock.now() - start).nanoseconds) * 1e-9
        print("one connection: \(Double(count) * 8e-9 / seconds) Gbit/s")
        #expect(count == bytes)
        await pair.close()
    }

    @Test func twoThousandConnectionsAtOnce() async throws {
        try await TCPFlowTests().connections(2000)
    }

    /// The difference to the same connections without a forward, whose threads and buffers are of
    /// the test.
    @Test func memoryOfAnIdleConnection() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        let (direct, used, idle) = try await blocking {
            func open(_ port: UInt16) -> [PlainSocket] {
                let sockets = (0..<2000).compactMap { _ in PlainSocket.connect(port) }
                for socket in sockets { socket.write([UInt8](repeating: 1, count: 2000)) }
                for socket in sockets { #expect(socket.read(exactly: 2000).count == 2000) }
                return sockets
            }
            let before = ResidentMemory.bytes
            let plain = open(target.port)
            let direct = ResidentMemory.bytes
            let forwarded = open(port)
            let used = ResidentMemory.bytes
            sleep(6)
            let idle = ResidentMemory.bytes
            #expect(plain.count + forwarded.count == 4000)
            return (direct - before, used - direct, idle - direct)
        }
        print("resident memory of a connection, both sides together:")
        print("  used \((used - direct) / 2000) bytes, idle \((idle - direct) / 2000) bytes")
        await pair.close()
    }
}

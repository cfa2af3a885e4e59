import PathTransport
import Testing

@testable import PathSimulation
@testable import PathTelemetry

@Suite struct EmulatorCoreTests {
    private func core(
        _ options: [String], origin: Instant = .zero,
        limits: EmulatorCore.Limits = EmulatorCore.Limits()
    ) throws -> EmulatorCore {
        EmulatorCore(
            paths: try options.map { try LinkSpecification(parsing: $0) }, seed: 1,
            origin: origin, limits: limits)
    }

    private func send(
        _ core: inout EmulatorCore, path: Int = 0, port: UInt16, _ bytes: [UInt8], _ now: Instant
    ) -> EmulatorAdmission {
        bytes.withUnsafeBytes {
            core.handleFromClient(
                path: path, address: .loopback(port: port), datagram: $0, now: now)
        }
    }

    private func poll(
        _ core: inout EmulatorCore, _ now: Instant
    ) -> (EmulatorCore.Delivery, [UInt8])? {
        var buffer = [UInt8](repeating: 0, count: 2048)
        let delivery = buffer.withUnsafeMutableBytes { core.pollDelivery(now: now, into: $0) }
        return delivery.map { ($0, Array(buffer[..<$0.count])) }
    }

    @Test func thereAndBack() throws {
        var core = try core(["delay=10", "fdelay=3,rdelay=4"], origin: at(100))
        guard case .new(let one, nil) = send(&core, port: 1111, [1, 2, 3], at(100)),
            case .new(let two, nil) = send(&core, path: 1, port: 1111, [4], at(100.001))
        else {
            Issue.record("two paths of one address are two clients")
            return
        }
        #expect(one != two)
        #expect(send(&core, port: 1111, [5], at(100.002)) == .known(one))
        #expect(core.nextTimeout == at(100.004))
        #expect(poll(&core, at(100.0039)) == nil)

        let first = try #require(poll(&core, at(100.02)))
        #expect(first.0.client == two && first.0.path == 1 && first.0.direction == .forward)
        #expect(first.0.time == at(100.004))
        #expect(first.1 == [4])
        let second = try #require(poll(&core, at(100.02)))
        #expect(second.0.client == one && second.1 == [1, 2, 3])
        #expect(try #require(poll(&core, at(100.02))).1 == [5])
        #expect(core.nextTimeout == nil)

        let reply: [UInt8] = [9, 8]
        reply.withUnsafeBytes { core.handleFromTarget(client: two, datagram: $0, now: at(100.02)) }
        #expect(core.nextTimeout == at(100.024))
        let back = try #require(poll(&core, at(100.03)))
        #expect(back.0.direction == .backward && back.0.client == two && back.1 == reply)
        #expect(back.0.address == .loopback(port: 1111))
        let counters = core.counters(path: 1, direction: .backward, now: at(100.03))
        #expect(counters.delivered == LinkCounters.Volume(packets: 1, bytes: 30))
    }

    @Test func idleClientsMakeRoom() throws {
        var limits = EmulatorCore.Limits()
        limits.clients = 2
        limits.clientIdle = .seconds(5)
        var core = try core(["delay=2000"], limits: limits)
        guard case .new(let first, nil) = send(&core, port: 1, [1], at(0)),
            case .new = send(&core, port: 2, [2], at(1))
        else {
            Issue.record("two clients fit")
            return
        }
        #expect(send(&core, port: 3, [3], at(4.9)) == .refused)
        #expect(core.refused == 1)
        #expect(poll(&core, at(4.9))?.1 == [1])
        [UInt8(7)].withUnsafeBytes {
            core.handleFromTarget(client: first, datagram: $0, now: at(4.9))
        }
        // Client 1 was answered at 4.9 s, so client 2 is the one idle longest.
        guard case .new(let third, let replaced?) = send(&core, port: 3, [3], at(6.5)) else {
            Issue.record("the idle client makes room")
            return
        }
        #expect(third.slot == replaced.slot && third != replaced)
        #expect(core.clientCount == 2)
        // Datagrams in flight for client 2 are not delivered to client 3, which has its slot.
        var seen: [[UInt8]] = []
        while let (_, bytes) = poll(&core, at(20)) { seen.append(bytes) }
        #expect(seen == [[7], [3]])
        #expect(core.stale == 1)
        [UInt8(7)].withUnsafeBytes {
            core.handleFromTarget(client: replaced, datagram: $0, now: at(20))
        }
        #expect(core.stale == 2)
        core.forget(third)
        #expect(core.clientCount == 1)
    }

    @Test func memoryIsBounded() throws {
        var limits = EmulatorCore.Limits()
        limits.packets = 100
        var core = try core(["delay=1000"], limits: limits)
        for _ in 0..<150 { _ = send(&core, port: 1, [1, 2], at(0)) }
        #expect(core.unstored == 50)
        var count = 0
        while poll(&core, at(2)) != nil { count += 1 }
        #expect(count == 100)
        let large = [UInt8](repeating: 1, count: 3000)
        _ = send(&core, port: 1, large, at(3))
        #expect(core.counters(path: 0, direction: .forward, now: at(3)).droppedSize.packets == 1)
        #expect(send(&core, path: 5, port: 1, [1], at(3)) == .refused)
        #expect(send(&core, path: -1, port: 1, [1], at(3)) == .refused)
    }

    /// Many datagrams through a bad path: each delivery is a datagram that was sent, once or
    /// twice, intact unless said to be corrupted; and all slots are free at the end.
    @Test func badPathIsHonest() throws {
        var core = try core([
            "rate=20,delay=10,jitter=5,reorder=1,loss=0.1,duplicate=0.1,corrupt=0.1"
        ])
        var arrivals: [Int: Int] = [:]
        var corrupted = 0
        var broken = 0
        func receive(_ now: Instant) {
            while let (delivery, bytes) = poll(&core, now) {
                if delivery.isCorrupted {
                    corrupted += 1
                    continue
                }
                let number = Int(bytes[0]) | Int(bytes[1]) << 8
                if bytes.count != 400 || bytes[2...].contains(where: { $0 != bytes[0] }) {
                    broken += 1
                }
                arrivals[number, default: 0] += 1
            }
        }
        for number in 0..<4000 {
            let now = at(Double(number) * 0.0005)
            receive(now)
            var bytes = [UInt8](repeating: UInt8(number & 255), count: 400)
            bytes[1] = UInt8(number >> 8)
            _ = send(&core, port: 1, bytes, now)
        }
        receive(at(10))
        let counters = core.counters(path: 0, direction: .forward, now: at(10))
        #expect(arrivals.values.reduce(0, +) + corrupted == counters.delivered.packets)
        #expect(corrupted == counters.corrupted.packets && corrupted > 300)
        #expect(broken == 0)
        #expect(arrivals.values.allSatisfy { $0 <= 2 })
        #expect(counters.droppedLoss.packets > 300)
        #expect(core.nextTimeout == nil)
        #expect(core.stale == 0 && core.unstored == 0 && core.refused == 0)
    }
}

import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// Flows of datagrams between real sockets, over two real sessions.
struct DatagramFlowTests {
    private static let patient = FlowOptions(deadline: .seconds(30))

    /// 10,000 datagrams of random sizes up to the largest, at most 16 on their way at once: each
    /// comes back once and unchanged.
    @Test func tenThousandDatagramsOfEverySize() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        let listener = try pair.listener(.target(echo.target), options: DatagramFlowTests.patient)
        let entry = listener.localAddress
        let program = try Program()
        let lost = try await blocking { () -> [String] in
            var random = SeededGenerator(seed: 3)
            var problems: [String] = []
            var number = 0
            while number < 10_000, problems.count < 3 {
                var sent: [[UInt8]: Int] = [:]
                for _ in 0..<16 {
                    // Mostly small ones; every size has its turn, and the limits are certain.
                    let size =
                        number % 1000 == 0
                        ? 65_507
                        : number % 1000 == 1
                            ? 0
                            : Int(random.next() % (number % 20 == 2 ? 65_508 : 1_473))
                    let shift = Int(random.next() % 251)
                    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: ($0 &* 7) ^ shift) }
                    sent[bytes, default: 0] += 1
                    if !program.send(bytes, to: entry) { problems.append("send of \(size)") }
                    number += 1
                }
                for datagram in try program.receive(16) {
                    sent[datagram.bytes, default: 0] -= 1
                    if datagram.remote != entry { problems.append("from \(datagram.remote)") }
                }
                for (bytes, count) in sent where count != 0 {
                    problems.append("\(count) of \(bytes.count) bytes at \(number)")
                }
            }
            return problems
        }
        #expect(lost == [])
        let counters = listener.counters
        #expect(counters.datagramsSent == 10_000 && counters.datagramsReceived == 10_000)
        #expect(counters.bytesSent == counters.bytesReceived)
        #expect(counters.dropped == 0 && counters.expired == 0 && counters.refused == 0)
        #expect(listener.flows().count == 1 && echo.askers.count == 1)
        listener.close()
        echo.stop()
        await pair.close()
    }

    @Test func eachSourceIsAFlow() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        let listener = try pair.listener(.target(echo.target), options: DatagramFlowTests.patient)
        let programs = try (0..<20).map { _ in try Program() }
        for (index, program) in programs.enumerated() {
            for round in 0..<3 {
                let bytes = [UInt8(index), UInt8(round)]
                let answer = try await program.ask(bytes, listener.localAddress)
                #expect(answer?.bytes == bytes && answer?.remote == listener.localAddress)
            }
        }
        #expect(echo.askers.count == 20)
        #expect(pair.client.flowCount == 20 && pair.remote.flowCount == 20)
        let flows = listener.flows()
        #expect(Set(flows.map(\.source)) == Set(programs.map { "\($0.address)" }))
        for flow in flows {
            #expect(flow.target == "\(echo.target)" && flow.datagrams?.datagramsSent == 3)
            #expect(flow.receivedBytes == 6 && flow.kind == .udp)
        }
        listener.close()
        #expect(await soon { pair.remote.flowCount == 0 && pair.client.flowCount == 0 })
        echo.stop()
        await pair.close()
    }

    /// A flow ends on both sides when it is idle; the next datagram begins another.
    @Test func idleFlowsEnd() async throws {
        let pair = try await DatagramPair(limits: DatagramLimits(idle: .seconds(8)))
        let echo = try Echo()
        let listener = try pair.listener(.target(echo.target), options: DatagramFlowTests.patient)
        let program = try Program()
        #expect(try await program.ask([1], listener.localAddress)?.bytes == [1])
        #expect(listener.flows().count == 1 && pair.remote.flowCount == 1)
        let isEmpty = await soon {
            listener.flows().isEmpty && pair.remote.flowCount == 0 && pair.client.flowCount == 0
        }
        #expect(isEmpty)
        #expect(listener.counters.datagramsSent == 1 && listener.counters.datagramsReceived == 1)
        #expect(try await program.ask([2], listener.localAddress)?.bytes == [2])
        #expect(echo.askers.count == 2)
        listener.close()
        echo.stop()
        await pair.close()
    }

    @Test func tableOfAListenerIsBounded() async throws {
        let pair = try await DatagramPair(limits: DatagramLimits(flowsOfListener: 4))
        let echo = try Echo()
        let listener = try pair.listener(.target(echo.target), options: DatagramFlowTests.patient)
        let programs = try (0..<7).map { _ in try Program() }
        for program in programs {
            #expect(try await program.ask([7], listener.localAddress)?.bytes == [7])
            #expect(listener.flows().count <= 4)
        }
        // The oldest made room for the newest.
        let sources = Set(listener.flows().map(\.source))
        #expect(sources == Set(programs.suffix(4).map { "\($0.address)" }))
        #expect(listener.totals.flows == 7 && listener.totals.open == 4)
        #expect(listener.counters.datagramsSent == 7)
        #expect(await soon { pair.remote.flowCount == 4 })
        listener.close()
        echo.stop()
        await pair.close()
    }

    @Test func peerMayOpenSoManyFlows() async throws {
        let pair = try await DatagramPair(limits: DatagramLimits(flowsOfSession: 2))
        let echo = try Echo()
        let listener = try pair.listener(.target(echo.target), options: DatagramFlowTests.patient)
        let programs = try (0..<3).map { _ in try Program() }
        #expect(try await programs[0].ask([1], listener.localAddress)?.bytes == [1])
        #expect(try await programs[1].ask([2], listener.localAddress)?.bytes == [2])
        _ = programs[2].send([3], to: listener.localAddress)
        #expect(await soon { listener.refusal != nil })
        #expect(listener.refusal?.code == .limitReached)
        #expect(
            listener.refusal?.text
                == "this client has 2 flows of datagrams open, the limit; to have more: serve "
                + "--client-flows")
        #expect(pair.remote.flowCount == 2 && echo.askers.count == 2)
        listener.close()
        echo.stop()
        await pair.close()
    }

    @Test func deniedTargetGetsNothing() async throws {
        let pair = try await DatagramPair(rules: .none)
        let echo = try Echo()
        let listener = try pair.listener(.target(echo.target), options: DatagramFlowTests.patient)
        let program = try Program()
        #expect(program.send([1], to: listener.localAddress))
        #expect(await soon { listener.refusal != nil })
        #expect(listener.refusal?.code == .denied)
        #expect(await soon { pair.client.flowCount == 0 && pair.remote.flowCount == 0 })
        // Until it asks again, its datagrams are dropped here.
        #expect(program.send([2], to: listener.localAddress))
        #expect(await soon { listener.counters.dropped == 1 })
        #expect(echo.askers.isEmpty && listener.flows().count == 1)
        listener.close()
        echo.stop()
        await pair.close()
    }

    @Test func nameWithoutAnAddressIsToldTo() async throws {
        let pair = try await DatagramPair()
        let target = try #require(ForwardTarget(host: "nowhere..invalid", port: 9))
        let listener = try pair.listener(.target(target), options: DatagramFlowTests.patient)
        #expect(try Program().send([1], to: listener.localAddress))
        #expect(await soon { listener.refusal != nil })
        #expect(listener.refusal?.code == .nameNotFound)
        #expect(listener.refusal?.text.contains("nowhere..invalid") == true)
        listener.close()
        await pair.close()
    }

    /// A closed port is counted, and the flow works as soon as a program listens there.
    @Test func refusedDatagramsAreCounted() async throws {
        let pair = try await DatagramPair()
        let place = try Program().address
        let router = pair.remote
        let socket = try TargetSocket(
            place, options: DatagramFlowTests.patient, router: router, limits: DatagramLimits())
        var ping: [UInt8] = [0, 0, 0, 9]
        ping.withUnsafeMutableBytes {
            socket.flow.deliver(
                UnsafeMutableRawBufferPointer(rebasing: $0[3...]), trafficClass: 0,
                now: MonotonicClock.now())
        }
        #expect(await soon { socket.flow.counters.refused == 1 })
        let echo = try Echo(place)
        ping.withUnsafeMutableBytes {
            socket.flow.deliver(
                UnsafeMutableRawBufferPointer(rebasing: $0[3...]), trafficClass: 0,
                now: MonotonicClock.now())
        }
        // Without a lease the answer has nowhere to go.
        #expect(await soon { socket.flow.counters.dropped == 1 })
        #expect(socket.flow.counters.datagramsReceived == 2 && echo.askers.count == 1)
        socket.close()
        echo.stop()
        await pair.close()
    }

    @Test(arguments: [SocketAddress.loopback(port: 0), SocketAddress(ipv6High: 0, low: 1, port: 0)])
    func trafficClassIsCarried(local: SocketAddress) async throws {
        let pair = try await DatagramPair()
        // Expedited forwarding with ECT(1) there, congestion experienced back.
        let echo = try Echo(local, answeringWith: 0x03)
        let listener = try pair.listener(
            .target(echo.target), options: DatagramFlowTests.patient, at: local)
        let program = try Program(local)
        let answer = try await program.ask([1], listener.localAddress, trafficClass: 0xb9)
        #expect(answer?.trafficClass == 0x03 && answer?.bytes == [1])
        _ = try await program.ask([2], listener.localAddress)
        #expect(echo.seenClasses == [0xb9, 0])
        listener.close()
        echo.stop()
        await pair.close()
    }

    /// A listener on all addresses answers from the one that was asked.
    @Test func answersComeFromTheAddressThatWasAsked() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        let listener = try pair.listener(
            .target(echo.target), options: DatagramFlowTests.patient, at: .any(.ipv4, port: 0))
        let asked = SocketAddress(ipv4: 0x7f00_0009, port: listener.localAddress.port)
        let answer = try await Program().ask([5], asked)
        #expect(answer?.remote == asked)
        listener.close()
        echo.stop()
        await pair.close()
    }

    /// Ordered flows hand over in order, and every datagram.
    @Test func orderedFlowsKeepTheirOrder() async throws {
        let pair = try await DatagramPair()
        let echo = try Echo()
        let options = FlowOptions(deadline: .seconds(30), ordered: .seconds(5))
        let listener = try pair.listener(.target(echo.target), options: options)
        let entry = listener.localAddress
        let program = try Program()
        #expect(try await program.ask([9], entry)?.bytes == [9])
        let numbers = try await blocking { () -> [Int] in
            var numbers: [Int] = []
            for start in stride(from: 0, to: 400, by: 40) {
                for number in start..<start + 40 {
                    // Large ones between small ones take longer.
                    let size = number % 5 == 0 ? 20_000 : 2
                    let front = [UInt8(number >> 8), UInt8(number & 255)]
                    _ = program.send(
                        front + [UInt8](repeating: 1, count: size - 2), to: entry)
                }
                numbers += try program.receive(40).map { Int($0.bytes[0]) << 8 | Int($0.bytes[1]) }
            }
            return numbers
        }
        #expect(numbers == Array(0..<400))
        #expect(listener.counters.late == 0 && listener.counters.datagramsReceived == 401)
        listener.close()
        echo.stop()
        await pair.close()
    }
}

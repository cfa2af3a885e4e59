import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// `udp` forwards as the command sets them up, with the client's and the server's part whole.
@Suite(.serialized, .timeLimit(.minutes(1))) struct DatagramForwardTests {
    @Test func aPortLeadsToATarget() async throws {
        let echo = try Echo()
        let pair = try await ForwardPair([
            "udp:0=\(echo.target),deadline=30s", "udp:0=\(echo.target),deadline=30s,ordered=50ms",
        ])
        for index in 0..<2 {
            let entry = SocketAddress.loopback(port: try pair.port(index))
            let program = try Program()
            for size in [0, 1, 1_400, 65_507] {
                let bytes = [UInt8](repeating: UInt8(index), count: size)
                #expect(try await program.ask(bytes, entry)?.bytes == bytes)
            }
            let totals = pair.forwarder.forwards[index].totals
            #expect(totals.open == 1 && totals.flows == 1 && totals.failed == 0)
            #expect(totals.sentBytes == 66_908 && totals.receivedBytes == 66_908)
            #expect(totals.datagrams.datagramsSent == 4 && totals.datagrams.dropped == 0)
        }
        #expect(pair.forwarder.flows().map(\.kind) == [.udp, .udp])
        let served = pair.service.flows()
        #expect(served.count == 2 && served.allSatisfy { $0.target == "\(echo.target)" })
        #expect(pair.service.totals.sentBytes == 2 * 66_908)
        echo.stop()
        await pair.close()
    }

    @Test func aPortInUseIsAnErrorAndNothingListens() throws {
        let taken = try Program()
        let free = try Program().address
        let specs = try [
            "udp:\(free.port)=127.0.0.1:9", "udp:\(taken.address.port)=127.0.0.1:9",
        ].map { try ForwardSpec(parsing: $0) }
        do {
            _ = try Forwarder(specs)
            Issue.record("the port is in use")
        } catch {
            #expect("\(error)".hasPrefix("forward udp:\(taken.address.port)=127.0.0.1:9: cannot"))
        }
        // The first one was closed again.
        _ = try Program(free)
    }

    @Test func theServerListensForDatagrams() async throws {
        let echo = try Echo()
        let pair = try await ForwardPair(
            [], reverse: ["udp:0=\(echo.target),deadline=30s", "udp:22=\(echo.target)"])
        let entry = SocketAddress.loopback(port: try await pair.reversePort())
        for number in 0..<3 as Range<UInt8> {
            #expect(try await Program().ask([number], entry)?.bytes == [number])
        }
        #expect(echo.askers.count == 3)
        // Both sides count what each of the sources sent and got.
        let totals = pair.forwarder.forwards[0].totals
        #expect(totals.open == 3 && totals.flows == 3 && totals.failed == 0)
        #expect(totals.sentBytes == 3 && totals.receivedBytes == 3)
        #expect(totals.datagrams.datagramsSent == 3 && totals.datagrams.expired == 0)
        #expect(
            pair.forwarder.flows().map(\.target) == Array(repeating: "\(echo.target)", count: 3))
        let served = pair.service.totals
        #expect(served.open == 3 && served.flows == 3 && served.sentBytes == 3)
        #expect(served.datagrams.datagramsReceived == 3)
        let flows = pair.service.flows()
        #expect(flows.map(\.kind) == [.udp, .udp, .udp])
        #expect(flows.map(\.flowClass) == [.media, .media, .media])
        let targets = pair.service.targets()
        #expect(targets.map(\.target) == ["peer of \(entry)"] && targets[0].totals.open == 3)
        guard case .refused(let result) = pair.forwarder.forwards[1].state else {
            Issue.record("\(pair.forwarder.forwards[1].state)")
            return
        }
        #expect(result.code == .denied)
        // With the lease the listener goes.
        pair.forwarder.detach()
        var isFree = false
        for _ in 0..<500 where !isFree {
            isFree = (try? Program(entry)) != nil
            try await Task.sleep(for: .milliseconds(4))
        }
        #expect(isFree)
        // What has ended stays in the counts.
        #expect(
            await soon {
                pair.forwarder.forwards[0].totals.open == 0 && pair.service.totals.open == 0
            })
        #expect(pair.forwarder.forwards[0].totals.sentBytes == 3)
        #expect(pair.service.totals.flows == 3 && pair.service.totals.sentBytes == 3)
        #expect(pair.service.targets().first?.totals.sentBytes == 3)
        echo.stop()
        await pair.close()
    }

    /// A source beyond the limit takes the place of another one; that is counted, and said once.
    @Test func replacedSourcesAreSaid() async throws {
        let echo = try Echo()
        let pair = try await ForwardPair(
            [], reverse: ["udp:0=\(echo.target),deadline=30s"], limits: ClientLimits(flows: 2))
        let entry = SocketAddress.loopback(port: try await pair.reversePort())
        let programs = try (0..<5).map { _ in try Program() }
        for (index, program) in programs.enumerated() {
            #expect(try await program.ask([UInt8(index)], entry)?.bytes == [UInt8(index)])
        }
        let totals = pair.service.totals
        #expect(totals.open == 2 && totals.flows == 5 && totals.replaced == 3)
        #expect(totals.failed == 0 && totals.datagrams.datagramsSent == 5)
        #expect(pair.failures.all == ["udp peer of \(entry) limit_reached replaced"])
        echo.stop()
        await pair.close()
    }

    /// RFC 1928, section 7: the association lives as long as its connection.
    @Test func socksAssociation() async throws {
        let echo = try Echo()
        let pair = try await ForwardPair(["socks:0,deadline=30s"])
        let port = try pair.port()
        let control = try #require(PlainSocket.connect(port))
        let reply = try await blocking {
            control.write([5, 1, 0] + [5, 3, 0, 1, 0, 0, 0, 0, 0, 0])
            return control.read(exactly: 2 + 10)
        }
        try #require(reply.count == 12)
        #expect(reply.prefix(10) == [5, 0, 5, 0, 0, 1, 127, 0, 0, 1])
        let relay = SocketAddress.loopback(port: UInt16(reply[10]) << 8 | UInt16(reply[11]))
        let target = echo.program.address
        let host = [1, 127, 0, 0, 1, UInt8(target.port >> 8), UInt8(target.port & 255)] as [UInt8]
        let program = try Program()
        let ask = [0, 0, 0] + host + [8, 9]
        #expect(try await program.ask(ask, relay)?.bytes == ask)
        #expect(pair.service.flows().map(\.target) == ["any"])
        control.finish()
        #expect(await soon { pair.service.flows().isEmpty && (try? Program(relay)) != nil })
        #expect(pair.forwarder.flows().isEmpty)
        echo.stop()
        await pair.close()
    }

    /// What the allowance does not grant is dropped, and a used-up cap admits no flow.
    @Test func theCapOfAClientHolds() async throws {
        let echo = try Echo()
        let pair = try await ForwardPair(
            ["udp:0=\(echo.target),deadline=30s"], limits: ClientLimits(byteCap: 5_000))
        let entry = SocketAddress.loopback(port: try pair.port())
        let program = try Program()
        let bytes = [UInt8](repeating: 3, count: 1_000)
        // There and back are two thousand each.
        for _ in 0..<2 { #expect(try await program.ask(bytes, entry)?.bytes == bytes) }
        #expect(try await program.ask(bytes, entry, patience: .milliseconds(300)) == nil)
        #expect(await soon { pair.service.totals.datagrams.dropped == 1 })
        #expect(pair.service.totals.receivedBytes == 3_000)
        #expect(pair.service.totals.sentBytes == 2_000)
        _ = try Program().send(bytes, to: entry)
        #expect(await soon { pair.forwarder.forwards[0].totals.failed == 1 })
        #expect(echo.askers.count == 1)
        echo.stop()
        await pair.close()
    }
}

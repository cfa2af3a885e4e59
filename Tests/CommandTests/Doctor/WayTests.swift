import PathNetwork
import PathTelemetry
import Testing

@testable import PathTransport
@testable import PathwiseCommand

/// What answers of servers say about translators and marks, for invented answers.
struct WayTests {
    private func way(_ remote: String, seen: String?, local: String = "10.0.0.2:50000")
        -> ReachProbe.Way
    {
        var way = ReachProbe.Way(remote: address(remote), local: address(local))
        way.answer = .server(.milliseconds(10))
        way.report = seen.map { ServerReport(source: address($0), mark: 0) }
        return way
    }

    private func address(_ text: String) -> SocketAddress {
        SocketAddress(parsing: text) ?? .loopback(port: 0)
    }

    @Test func mappings() {
        let one = way("192.0.2.1:7000", seen: "198.51.100.1:6000")
        let port = way("192.0.2.1:7001", seen: "198.51.100.1:6000")
        let host = way("192.0.2.9:7000", seen: "198.51.100.1:6000")
        let otherPort = way("192.0.2.1:7001", seen: "198.51.100.1:6001")
        let otherHost = way("192.0.2.9:7000", seen: "198.51.100.1:6001")
        #expect(NATChecks.mapping([one]) == .unknown)
        #expect(NATChecks.mapping([one, port]) == .sameForPorts)
        #expect(NATChecks.mapping([one, host]) == .endpointIndependent)
        #expect(NATChecks.mapping([one, port, host]) == .endpointIndependent)
        #expect(NATChecks.mapping([one, otherHost]) == .addressDependent)
        #expect(NATChecks.mapping([one, port, otherHost]) == .addressDependent)
        #expect(NATChecks.mapping([one, otherPort]) == .addressAndPortDependent)
        #expect(NATChecks.mapping([one, otherPort, host]) == .addressAndPortDependent)
    }

    @Test func findingsOfTranslators() throws {
        func what(_ ways: [ReachProbe.Way], second: ReachProbe.Way? = nil) -> [String] {
            NATChecks.findings(
                ProbedPath(name: "lte", interface: "wwan0", ways: ways, second: second)
            ).map { "\($0.level.rawValue) \($0.what)" }
        }
        #expect(
            what([way("192.0.2.1:7000", seen: nil)]) == [
                "note not checked: the server is older and does not tell the address that it sees"
            ])
        #expect(
            what([way("192.0.2.1:7000", seen: "10.0.0.2:50000")]) == [
                "ok no NAT: the server sees 10.0.0.2:50000 as this host does"
            ])
        let second = way("192.0.2.1:7000", seen: "198.51.100.2:50001", local: "10.0.0.2:50001")
        #expect(
            what([way("192.0.2.1:7000", seen: "198.51.100.1:50000")], second: second) == [
                "note a NAT shows 10.0.0.2:50000 as 198.51.100.1:50000, whether it depends on the "
                    + "server's address is not checked, as one address answers; it keeps the port; "
                    + "another socket leaves from another address of it, 198.51.100.2"
            ])
        var silent = way("192.0.2.1:7000", seen: nil)
        silent.answer = .silence
        #expect(what([silent]).isEmpty)
        // A socket whose address the system chooses is compared by its port.
        #expect(
            what([way("127.0.0.1:7000", seen: "127.0.0.1:50000", local: "[::]:50000")]) == [
                "ok no NAT: the server sees 127.0.0.1:50000 as this host does"
            ])
    }

    @Test(arguments: [
        ([0, 0, 5, 0], [0, 0, 0, 5], Finding.Level.ok, "ECN marks arrive: "),
        ([0, 0, 3, 1], [0, 0, 0, 4], .ok, "ECN marks arrive: "),
        ([5, 0, 0, 0], [5, 0, 0, 0], .note, "ECN marks are cleared on the way (bleached): "),
        ([0, 0, 5, 0], [0, 0, 5, 0], .note, "ECN marks are changed on the way: "),
        ([0, 5, 0, 0], [0, 0, 0, 5], .note, "ECN marks are changed on the way: "),
        ([0, 0, 0, 0], [0, 0, 0, 0], .note, "datagrams with ECN marks do not arrive: "),
        (
            [0, 0, 5, 0], [0, 0, 0, 0], .note, "datagrams with one of the ECN marks do not arrive: "
        ),
    ])
    func marks(capable: [Int], congested: [Int], level: Finding.Level, text: String) {
        func count(_ seen: [Int]) -> ReachProbe.MarkCount {
            var count = ReachProbe.MarkCount()
            count.sent = 5
            count.seen = seen
            return count
        }
        let finding = ECNChecks.finding(count(capable), count(congested), "dsl")
        #expect(finding.level == level)
        #expect(finding.what.hasPrefix(text), "\(finding.what)")
    }
}

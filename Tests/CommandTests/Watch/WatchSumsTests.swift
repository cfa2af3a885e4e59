import PathTelemetry
import PathTransport
import PathWatch
import Testing

@testable import Pathwise
@testable import PathwiseCommand

/// Sums of paths and forwards over sessions that come and go.
struct WatchSumsTests {
    private func path(
        _ number: UInt8, _ name: String, sent: UInt64, _ state: PathState = .active
    ) -> PathCounters {
        var statistics = PathStatistics()
        statistics.bytesSent = sent
        return PathCounters(
            path: PathID(rawValue: number), name: name, state: state, statistics: statistics,
            remote: .loopback(port: 1))
    }

    private func sent(_ sums: WatchSums, _ peer: String, _ path: String) -> UInt64? {
        sums.paths.sums[WatchSums.PathKey(peer: peer, path: path)]?.first
    }

    @Test func pathsAreCountedUnderTheirNames() {
        var sums = WatchSums()
        // The name of the client's path is not known at the first look.
        #expect(sums.take([path(1, "path1", sent: 10)], session: 1, peer: "van").isEmpty)
        let second = sums.take([path(1, "lte", sent: 30)], session: 1, peer: "van")
        #expect(second.map(\.name) == ["lte"] && second[0].value.sent == 30)
        #expect(second[0].value.state == .working)
        _ = sums.take([path(1, "lte", sent: 50, .suspect)], session: 1, peer: "van")
        #expect(sent(sums, "van", "lte") == 50 && sent(sums, "van", "path1") == nil)
        // It is removed, and its number has another path.
        let third = sums.take([path(1, "wifi", sent: 4, .standby)], session: 1, peer: "van")
        #expect(third[0].value.state == .standby && third[0].value.sent == 4)
        #expect(sent(sums, "van", "lte") == 50 && sent(sums, "van", "wifi") == 4)
        // Another session that ends before its second look.
        sums.forget(session: 1)
        let last = sums.take(
            [path(1, "lte", sent: 7, .closed)], session: 2, peer: "van", isLast: true)
        #expect(last[0].value.state == .absent)
        #expect(sent(sums, "van", "lte") == 57)
    }

    @Test func peersAreLimited() {
        var sums = WatchSums()
        for number in 0..<2000 {
            for _ in 0..<2 {
                _ = sums.take([path(0, "lte", sent: 1)], session: number, peer: "p\(number)")
            }
        }
        #expect(sums.paths.sums.count == 4 * WatchSums.peers + 1)
        #expect(sent(sums, WatchSums.others, WatchSums.others) == UInt64(2000 - 1024))
    }

    @Test func forwardsOfAClientAreOne() {
        var sums = WatchSums()
        func report(_ session: Int, _ kind: String, sent: UInt64) -> FlowReport {
            var report = FlowReport(kind: kind, target: "session \(session)", client: "van")
            report.bytesSent = sent
            return report
        }
        sums.take(
            [report(1, "forwards", sent: 5), report(1, "tcp", sent: 5)], isServer: true, name: "")
        sums.take([report(2, "forwards", sent: 6)], isServer: true, name: "")
        #expect(sums.flows.sums.count == 1)
        let key = WatchSums.FlowKey(peer: "van", kind: "", target: "")
        #expect(sums.flows.sums[key]?.first == 11)
        // One that ends keeps its sum, and a new one of the same number counts from zero.
        sums.forgetFlows(except: [])
        sums.take([report(1, "forwards", sent: 9)], isServer: true, name: "")
        #expect(sums.flows.sums[key]?.first == 20)
        // A client's forwards are told apart, under the name of its server.
        var own = WatchSums()
        own.take(
            [FlowReport(kind: "udp", target: "a"), FlowReport(kind: "tcp", target: "a")],
            isServer: false, name: "studio")
        #expect(own.flows.sums.keys.map(\.peer) == ["studio", "studio"])
    }
}

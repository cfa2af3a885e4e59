import PathTelemetry
import PathTransport
import Testing

@testable import PathNetwork

/// What a driver knows of the ways to its server.
@Suite struct KnownPathTests {
    private static let local = SocketAddress(ipv4: 0x0a00_0001, port: 0)
    private static let remote = SocketAddress(ipv4: 0x0a00_0002, port: 7000)
    private static let saved = SavedCapacity(bytes: 500_000, roundTrip: .milliseconds(80))
    private let way = KnownPath.Route(interface: "wwan0", local: local, remote: remote)

    /// Two paths over one way do not both start from what is known of it.
    @Test func oneConnectionTakesIt() {
        var known = KnownPaths([KnownPath(way, Self.saved, measuredAt: 1_000)])
        #expect(known.take(way, for: PathID(0), now: 1_100) == Self.saved)
        #expect(known.take(way, for: PathID(1), now: 1_100) == nil)
        #expect(known.takeAll() == [])
    }

    /// Any other address or interface is another way; another port of this host is not.
    @Test func anotherWayKnowsNothing() {
        let others = [
            KnownPath.Route(interface: "wlan0", local: Self.local, remote: Self.remote),
            KnownPath.Route(interface: nil, local: Self.local, remote: Self.remote),
            KnownPath.Route(
                interface: "wwan0", local: SocketAddress(ipv4: 0x0a00_0003, port: 0),
                remote: Self.remote),
            KnownPath.Route(
                interface: "wwan0", local: Self.local, remote: Self.remote.with(port: 7001)),
        ]
        for other in others {
            var known = KnownPaths([KnownPath(way, Self.saved, measuredAt: 1_000)])
            #expect(known.take(other, for: PathID(0), now: 1_000) == nil)
            #expect(known.takeAll().count == 1, "it stays for the way that it is of")
        }
        #expect(
            KnownPath.Route(
                interface: "wwan0", local: Self.local.with(port: 4321), remote: Self.remote) == way)
    }

    /// It holds for an hour, and not when the clock was set back.
    @Test(arguments: [(1_000, true), (4_600, true), (4_601, false), (999, false), (.min, false)])
    func itIsUsedForAnHour(now: Int64, isUsed: Bool) {
        var known = KnownPaths([KnownPath(way, Self.saved, measuredAt: 1_000)])
        #expect((known.take(way, for: PathID(0), now: now) != nil) == isUsed)
    }

    @Test func aPathGivesBackWhatItFound() {
        let before = KnownPath(way, Self.saved, measuredAt: 1_000)
        let other = SavedCapacity(bytes: 300_000, roundTrip: .milliseconds(90))
        var known = KnownPaths([before])
        _ = known.take(way, for: PathID(0), now: 1_100)
        known.give(PathID(0), (other, .seconds(30)), now: 2_000)
        known.give(PathID(0), (Self.saved, .zero), now: 2_000)
        #expect(known.takeAll() == [KnownPath(way, other, measuredAt: 1_970)], "once")
        #expect(known.takeAll() == [])

        known = KnownPaths([before])
        _ = known.take(way, for: PathID(0), now: 1_100)
        known.give(PathID(0), (Self.saved, nil), now: 2_000)
        #expect(known.takeAll() == [before], "what it was given, with its age")

        known = KnownPaths([before])
        _ = known.take(way, for: PathID(0), now: 1_100)
        known.give(PathID(0), nil, now: 2_000)
        #expect(known.takeAll() == [], "what did not hold is forgotten")
    }
}

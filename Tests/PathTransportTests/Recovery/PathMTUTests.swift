import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct PathMTUTests {
    /// Searches on a path that carries `limit` bytes; returns the probed sizes.
    private func search(_ mtu: inout PathMTU, limit: Int, now: Instant = .zero) -> [Int] {
        var sizes: [Int] = []
        while let size = mtu.probeSize(now: now), sizes.count < 100 {
            sizes.append(size)
            mtu.handleProbeSent(size)
            #expect(mtu.probeSize(now: now) == nil, "one probe at a time")
            if size <= limit {
                mtu.handleProbeAcknowledged(size, now: now)
            } else {
                mtu.handleProbeLost(size, now: now)
            }
        }
        return sizes
    }

    @Test func oneProbeWhereTheWayCarriesWhatTheInterfaceDoes() {
        var mtu = PathMTU(ceiling: 1472)
        #expect(search(&mtu, limit: 1472) == [1472])
        #expect(mtu.current == 1472 && mtu.timeout == .distantFuture)
    }

    @Test(arguments: [1200, 1201, 1280, 1372, 1440, 1471, 4000, 8999])
    func findsTheLimitWithinTheTolerance(limit: Int) {
        var mtu = PathMTU(ceiling: 9000)
        let probes = search(&mtu, limit: limit)
        #expect(mtu.current <= limit && mtu.current > limit - PathMTU.tolerance)
        // One guess, then a bisection whose failing sizes are probed three times.
        #expect(probes.count <= 1 + 3 * 9)
    }

    /// One loss in three of a size that works does not stop the search below it.
    @Test func randomLossIsNotALimit() {
        var mtu = PathMTU(ceiling: 1472)
        mtu.handleProbeSent(1472)
        mtu.handleProbeLost(1472, now: .zero)
        var losses = 0
        while let size = mtu.probeSize(now: .zero) {
            mtu.handleProbeSent(size)
            if losses % 3 != 2 {
                mtu.handleProbeLost(size, now: .zero)
                losses += 1
            } else {
                mtu.handleProbeAcknowledged(size, now: .zero)
                losses = 0
            }
        }
        #expect(mtu.current > 1472 - 2 * PathMTU.tolerance)
    }

    /// Small packets arrive and large ones do not: three rounds of that are a narrower path, three losses
    /// of one round are not, and neither are losses between which a large packet arrives.
    @Test func largePacketsThatVanish() {
        let rtt = TimeDelta.milliseconds(20)
        func time(_ round: Int64) -> Instant { .zero + rtt * round }
        var mtu = PathMTU(ceiling: 1472)
        _ = search(&mtu, limit: 1472)
        func loses(_ size: Int, _ round: Int64) -> Bool {
            mtu.handleLosses(smallest: size, rtt: rtt, now: time(round))
        }
        for _ in 0..<10 { #expect(!loses(1472, 1)) }
        mtu.handleArrived(largest: 400)
        #expect(!loses(1472, 2))
        mtu.handleArrived(largest: 1472)
        #expect(!loses(1300, 3) && !loses(1300, 4))
        // A small packet was lost too: that says nothing about sizes.
        #expect(!loses(100, 5))
        #expect(mtu.current == 1472)
        #expect(loses(1472, 6) && mtu.current == PathMTU.base)
        #expect(!loses(1472, 7))
        // The search begins again a second later, below the size that failed.
        let later = time(6) + .seconds(1)
        #expect(mtu.timeout == later)
        #expect(!search(&mtu, limit: 1272, now: later).contains(1472))
        #expect(mtu.current <= 1272 && mtu.current > 1272 - PathMTU.tolerance)
    }

    @Test func aRefusalByTheSystemCountsAtOnce() {
        var mtu = PathMTU(ceiling: 1472)
        _ = search(&mtu, limit: 1472)
        mtu.handleTooBig(limit: 1372, now: .zero)
        #expect(mtu.current == 1372)
        mtu.handleTooBig(limit: 0, now: .zero)
        #expect(mtu.current == PathMTU.base, "whatever an ICMP message claims")
    }

    // RFC 8899, section 4.3; search again after PMTU_RAISE_TIMER.
    @Test func aBlackHoleFallsBackAndTheSearchBeginsAgain() {
        var mtu = PathMTU(ceiling: 1472)
        _ = search(&mtu, limit: 1472)
        mtu.handleProbeTimeouts(2, now: .zero)
        #expect(mtu.current == 1472)
        mtu.handleProbeTimeouts(3, now: .zero)
        #expect(mtu.current == PathMTU.base)
        #expect(mtu.probeSize(now: .zero) == nil)
        let later = Instant.zero + .seconds(1)
        #expect(mtu.timeout == later)
        _ = search(&mtu, limit: 1400, now: later)
        #expect(mtu.current <= 1400 && mtu.current > 1400 - PathMTU.tolerance)
    }

    @Test func aLimitThatWasFoundIsTriedAgainAfterTenMinutes() throws {
        var mtu = PathMTU(ceiling: 1472)
        _ = search(&mtu, limit: 1300)
        #expect(mtu.timeout == Instant.zero + PathMTU.raiseInterval)
        _ = search(&mtu, limit: 1472, now: mtu.timeout)
        #expect(mtu.current > 1472 - PathMTU.tolerance)
    }
}

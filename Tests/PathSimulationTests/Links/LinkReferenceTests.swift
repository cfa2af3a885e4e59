import Testing

@testable import PathSimulation
@testable import PathTelemetry
@testable import PathTransport

/// Delivery logs (token and nanosecond of every packet), computed with the testbed's emulator.
///
/// Its code for one direction was given the same arrivals; not one nanosecond may differ.
@Suite struct LinkReferenceTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var options: String
        var seed: UInt64 = 1
        var path = 0
        var direction = LinkDirection.forward
        var packets: Int
        /// Mean time between arrivals, nanoseconds.
        var gap: UInt64
        var hash: UInt64
        var delivered: Int
        var bytes: Int
        var queue = 0
        var loss = 0
        var outage = 0
        var maximumQueue: Int
        var testDescription: String { options }
    }

    static let cases = [
        Case(
            options: "rate=20,rtt=20", packets: 20_000, gap: 400_000,
            hash: 0x86fa_f7ec_d68e_2aad, delivered: 20_000, bytes: 15_534_452,
            maximumQueue: 9642),
        Case(
            options: "rate=30,rtt=40,ge=0.0051:0.25", packets: 50_000, gap: 300_000,
            hash: 0x19ba_e2d3_7ac6_7b52, delivered: 49_127, bytes: 38_245_734, loss: 873,
            maximumQueue: 9172),
        Case(
            options: "rate=30,rtt=40,ge=0.0051:0.25", seed: 2, path: 1, direction: .backward,
            packets: 50_000, gap: 300_000, hash: 0x3f7e_a61b_f003_7ec5, delivered: 49_172,
            bytes: 38_283_882, loss: 828, maximumQueue: 9172),
        Case(
            options: "rate=20,rtt=20,down=2-4", packets: 20_000, gap: 300_000,
            hash: 0xb229_e8be_5790_5947, delivered: 13_006, bytes: 10_077_530, queue: 124,
            outage: 6870, maximumQueue: 151_476),
        Case(
            options: "rate=20,rtt=20,down=1-1.5/2,loss=0.01", seed: 3, packets: 20_000,
            gap: 300_000, hash: 0x330a_d3d0_d876_b5f0, delivered: 14_286, bytes: 11_079_718,
            queue: 15, loss: 156, outage: 5543, maximumQueue: 151_328),
        Case(
            options: "rate=20,rtt=20,queue=50p,rate@2=0.3,rate@4=20", packets: 20_000,
            gap: 300_000, hash: 0x52a7_9912_1252_b18b, delivered: 12_896, bytes: 10_015_646,
            queue: 7104, maximumQueue: 50_860),
        Case(
            options: "delay=50,jitter=10,reorder=1,loss=0.02", seed: 7, path: 2,
            packets: 20_000, gap: 300_000, hash: 0x4cc1_a10f_07cd_9e72, delivered: 19_598,
            bytes: 15_221_027, loss: 402, maximumQueue: 0),
        Case(
            options: "delay=50,jitter=10,loss=0.02,rate=40", seed: 7, path: 2,
            packets: 20_000, gap: 300_000, hash: 0x8bea_a1d6_425e_dcca, delivered: 19_598,
            bytes: 15_221_027, loss: 402, maximumQueue: 6279),
        Case(
            options: "netem=1,delay=30,jitter=5,loss=0.005,rate=40", packets: 20_000,
            gap: 150_000, hash: 0x07ab_31c8_031c_febe, delivered: 19_669, bytes: 15_272_020,
            queue: 253, loss: 78, maximumQueue: 800_735),
        Case(
            options: "netem=1,delay=30,jitter=5,loss=0.005", packets: 20_000, gap: 150_000,
            hash: 0xe4c8_374c_555a_0a85, delivered: 19_922, bytes: 15_472_235, loss: 78,
            maximumQueue: 201_431),
        Case(
            options: "rate=0,rtt=0", packets: 5000, gap: 10_000, hash: 0x0196_fa39_02be_02ee,
            delivered: 5000, bytes: 3_874_579, maximumQueue: 0),
    ]

    /// Normal jitter goes through the C library's logarithm and cosine.
    static let normalCases = [
        Case(
            options: "delay=50,jitter=normal:10,reorder=1", seed: 7, path: 2, packets: 20_000,
            gap: 300_000, hash: 0x4728_4116_1f46_4993, delivered: 20_000, bytes: 15_534_452,
            maximumQueue: 0),
        Case(
            options: "netem=1,delay=50,jitter=normal:20,loss=0.02,rate=20,queue=200000b",
            seed: 5, path: 1, direction: .backward, packets: 20_000, gap: 150_000,
            hash: 0x6f79_2b54_9d77_bad6, delivered: 9571, bytes: 5_906_441, queue: 10_038,
            loss: 391, maximumQueue: 200_000),
    ]

    static let traceFolder = "traces/mahimahi_cellular/"
    static let traceCases = [
        Case(
            options: "trace=\(traceFolder)ATT-LTE-driving-2016.down,rtt=40,queue=300000b",
            packets: 60_000, gap: 2_000_000, hash: 0x4908_2d04_7d17_5ff9, delivered: 51_787,
            bytes: 40_030_293, queue: 8213, maximumQueue: 301_475),
        Case(
            options: "trace=\(traceFolder)TMobile-LTE-short.down,rtt=40,queue=300000b",
            packets: 60_000, gap: 400_000, hash: 0xf732_ff56_7aeb_65ca, delivered: 52_258,
            bytes: 40_236_530, queue: 7742, maximumQueue: 301_486),
        Case(
            options: "trace=\(traceFolder)TMobile-LTE-short.down,rtt=40,queue=30p,"
                + "ge=0.01:0.3:0.001:0.9,loss=0.001", seed: 9,
            packets: 60_000, gap: 300_000, hash: 0x041a_85b8_b1ac_7d8c, delivered: 45_280,
            bytes: 35_167_796, queue: 13_138, loss: 1582, maximumQueue: 31_837),
    ]

    @Test(arguments: cases) func matches(_ reference: Case) throws {
        let (link, hash) = try replay(reference)
        check(link.counters, reference)
        #expect(hash.value == reference.hash)
    }

    /// The counts hold wherever losses are drawn apart from the C library's rounding.
    @Test(arguments: normalCases) func matchesWithNormalJitter(_ reference: Case) throws {
        let (link, _) = try replay(reference)
        #expect(link.counters.delivered.packets == reference.delivered)
        #expect(link.counters.droppedLoss.packets == reference.loss)
        #expect(link.counters.droppedQueue.packets == reference.queue)
    }

    @Test(.enabled(if: sharedFolder != nil, "\(isSharedAbsent)"), arguments: traceCases)
    func matchesOnTraces(_ reference: Case) throws {
        let (link, hash) = try replay(reference)
        check(link.counters, reference)
        #expect(hash.value == reference.hash)
    }

    private func check(_ counters: LinkCounters, _ reference: Case) {
        #expect(counters.delivered.packets == reference.delivered)
        #expect(counters.delivered.bytes == reference.bytes)
        #expect(counters.droppedQueue.packets == reference.queue)
        #expect(counters.droppedLoss.packets == reference.loss)
        #expect(counters.droppedOutage.packets == reference.outage)
        #expect(counters.maximumQueueBytes == reference.maximumQueue)
    }

    /// Offers packets of random size at random times and hashes what arrives.
    private func replay(_ reference: Case) throws -> (Link, LogHash) {
        var link = try link(
            reference.options, seed: reference.seed, path: reference.path,
            direction: reference.direction)
        var hash = LogHash()
        func drain(_ now: Instant) {
            while let delivery = link.popDelivery(now: now) {
                hash.add(UInt64(delivery.token))
                hash.add(UInt64(delivery.time.nanoseconds))
            }
        }
        var state: UInt64 = 12345
        var now = Instant.zero
        for index in 0..<reference.packets {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let random = state >> 33
            now += TimeDelta(nanoseconds: Int64(((random & 0xffff) * reference.gap) >> 15))
            let size = 64 + Int((random >> 16) % 1437)
            drain(now)
            _ = link.handleSend(
                bytes: size - SocketAddress.Family.ipv4.headerBytes, token: index, now: now)
        }
        drain(.distantFuture)
        return (link, hash)
    }
}

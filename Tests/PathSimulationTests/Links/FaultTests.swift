import Glibc
import Testing

@testable import PathSimulation
@testable import PathTelemetry

/// Tests the catalogue of faults: the options of each one, and that none affects another.
@Suite struct FaultTests {
    /// A value with an effect for each option of a fault.
    private static let values = [
        "down": "0.2-0.4", "ge": "0.02:0.3", "loss": "0.05", "jitter": "5", "reorder": "1",
        "duplicate": "0.2", "corrupt": "0.2", "fading": "100:20", "delays": delays,
        "aggregate": "20",
    ]

    /// A file of recorded delays.
    private static let delays: String = {
        let name = "/tmp/pathwise-fault-delays-\(getpid())"
        if let file = fopen(name, "we") {
            fputs("interval 100ms\n5\n9\nlost\n7\n", file)
            fclose(file)
        }
        return name
    }()

    @Test func everyOptionIsFoundByItsKey() throws {
        let keys = LinkOption.all.map(\.key)
        #expect(Set(keys).count == keys.count)
        for option in LinkOption.all {
            #expect(LinkOption.named(option.key)?.form == option.form)
            #expect(option.form.contains("=") && !option.help.isEmpty)
        }
        #expect(LinkOption.named("rate@5")?.form == "rate@S=MBPS")
        #expect(LinkOption.named("ratesS") == nil && LinkOption.named("@") == nil)
        #expect(LinkSpecification.forms.count == LinkOption.all.count + 2)
        #expect(
            Set(LinkFaults.options.map { String($0.form.prefix { $0 != "=" }) })
                == Set(FaultTests.values.keys), "a new fault wants a value in this test")
    }

    /// The fate of each of 4,000 packets: lost or not, and when it arrives for the first time.
    private func fates(_ options: String) throws -> [TimeDelta?] {
        var link = try link(options, seed: 7)
        var fates = [TimeDelta?](repeating: nil, count: 4000)
        for token in fates.indices {
            let now = at(Double(token) * 0.001)
            _ = link.handleSend(bytes: 500, token: token, now: now)
        }
        while let arrival = link.popDelivery(now: .distantFuture) {
            if !arrival.isDuplicate { fates[arrival.token] = arrival.time - at(0) }
        }
        return fates
    }

    /// The draws of one fault do not change those of another, unless they share the testbed's
    /// stream.
    @Test func faultsDrawApart() throws {
        let plain = try fates("delay=10,loss=0.05,jitter=5,reorder=1")
        #expect(plain.count { $0 == nil } > 150)
        for key in ["duplicate", "corrupt"] {
            let value = try #require(FaultTests.values[key])
            #expect(
                try fates("delay=10,loss=0.05,jitter=5,reorder=1,\(key)=\(value)") == plain,
                "\(key)")
        }
    }

    /// Each single fault changes the fate of packets, and each one can be set in code and read.
    @Test func eachFaultActs() throws {
        let plain = try fates("delay=10")
        for (key, value) in FaultTests.values where key != "reorder" {
            var link = try link("delay=10,\(key)=\(value)", seed: 7)
            var damaged = 0
            var copies = 0
            for token in 0..<4000 {
                let sent = link.handleSend(
                    bytes: 500, token: token, now: at(Double(token) * 0.001))
                if sent == .accepted(copies: 2) { copies += 1 }
            }
            while let arrival = link.popDelivery(now: .distantFuture) {
                if arrival.damage != nil { damaged += 1 }
            }
            let moved = try fates("delay=10,\(key)=\(value)") != plain
            #expect((damaged > 0) == (key == "corrupt"), "\(key)")
            #expect((copies > 0) == (key == "duplicate"), "\(key)")
            #expect(
                moved
                    == ["down", "ge", "loss", "jitter", "fading", "delays", "aggregate"].contains(
                        key),
                "\(key)")
        }
        var parameters = LinkParameters()
        parameters.loss = 0.25
        parameters.jitter = .uniform(width: 2)
        parameters.reorders = true
        #expect(parameters.faults[RandomLoss.self].probability == 0.25)
        #expect(parameters.faults[DelayJitter.self].reorders)
        #expect(parameters != LinkParameters() && parameters.burstLoss == nil)
    }
}

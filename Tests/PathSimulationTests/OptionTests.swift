import Testing

@testable import PathSimulation
@testable import PathTelemetry

@Suite struct OptionTests {
    @Test func everyKey() throws {
        let text =
            "rate=20,rate@10=0.3,rate@20=1e2,queue=30p,rtt=25,jitter=normal:5,reorder=1,loss=0.01,"
            + "ge=0.0051:0.25:0.1:0.9,down=10-15;20-21.5/4,duplicate=0.02,corrupt=0.03,name=dsl,"
            + "mtu=1400"
        let path = try LinkSpecification(parsing: text)
        #expect(path.name == "dsl")
        #expect(path.forward == path.backward)
        let link = path.forward
        #expect(link.rateMegabits == 20)
        #expect(
            link.rateSteps == [
                .init(at: .seconds(10), megabits: 0.3), .init(at: .seconds(20), megabits: 100),
            ])
        #expect(link.intake.queue == .packets(30))
        #expect(link.delayMilliseconds == 12.5)
        #expect(link.jitter == .normal(deviation: 5))
        #expect(link.reorders)
        #expect(link.loss == 0.01)
        #expect(
            link.burstLoss == .init(toBad: 0.0051, toGood: 0.25, lossGood: 0.1, lossBad: 0.9))
        #expect(
            link.outages == [
                .init(start: .seconds(10), end: .seconds(15)),
                .init(
                    start: .seconds(20), end: .milliseconds(21_500), period: .seconds(4)),
            ])
        #expect(link.duplication == 0.02)
        #expect(link.corruption == 0.03)
        #expect(link.intake.maximumPacket == 1400)
        #expect(!link.isNetem)
    }

    @Test func prefixesAndOrder() throws {
        let path = try LinkSpecification(
            parsing: "rate=20,rrate=5,fdelay=3,rrtt=8,fdown=1-2,rcorrupt=0.5,freorder=1")
        #expect(path.forward.rateMegabits == 20)
        #expect(path.backward.rateMegabits == 5)
        #expect(path.forward.delayMilliseconds == 3)
        #expect(path.backward.delayMilliseconds == 4)
        #expect(path.forward.outages.count == 1)
        #expect(path.backward.outages.isEmpty)
        #expect(path.forward.corruption == 0)
        #expect(path.backward.corruption == 0.5)
        #expect(path.forward.reorders && !path.backward.reorders)
        #expect(try LinkSpecification(parsing: "rate=5,rate=7").forward.rateMegabits == 7)
    }

    @Test func netemSetsItsQueue() throws {
        #expect(try LinkSpecification(parsing: "netem=1").forward.intake.queue == .packets(1000))
        #expect(
            try LinkSpecification(parsing: "netem=1,queue=2000p").forward.intake.queue
                == .packets(2000))
        #expect(
            try LinkSpecification(parsing: "queue=2000p,netem=1").forward.intake.queue
                == .packets(1000))
        #expect(try LinkSpecification(parsing: "rate=1").forward.intake.queue == .bytes(150_000))
        #expect(try LinkSpecification(parsing: "queue=9000").forward.intake.queue == .bytes(9000))
    }

    @Test(arguments: [
        ("", "give at least one"), (",,", "give at least one"), ("rate", "no '='"),
        ("speed=5", "no such key"), ("ffrate=5", "no such key"), ("=5", "no such key"),
        ("rate@SECONDS=5", "rate@SECONDS=5"), ("rate=", "0 for unlimited or 0.001"),
        ("rate=-1", "0 for unlimited or 0.001"), ("rate=nan", "Mbit/s"), ("rate=inf", "Mbit/s"),
        ("rate=1e9", "1000000.0 Mbit/s"), ("rate=5,rate@1=0", "down= makes a stop"),
        ("rate=5,rate@2=3,rate@1=4", "ascending order"), ("rate@1=4", "needs a rate="),
        ("queue=5x", "150000b"), ("queue=-5", "150000b"), ("queue=+5", "150000b"),
        ("queue=b", "150000b"), ("queue=99999999999999999999", "150000b"),
        ("queue=1000001p", "1000p"), ("delay=600001", "600000.0 milliseconds"),
        ("jitter=normal:", "milliseconds"), ("jitter=gamma:3", "milliseconds"),
        ("reorder=2", "use 1 or 0"), ("netem=yes", "use 1 or 0"), ("loss=1.5", "probability"),
        ("loss=1%", "probability"), ("ge=0.1", "P:R"), ("ge=0.1:0.2:0.3", "P:R"),
        ("ge=0.1:2", "probability"), ("down=5", "START-END"), ("down=5-5", "after the start"),
        ("down=6-5", "after the start"), ("down=1-2/0.5", "longer than the outage"),
        ("down=1-2;", "START-END"), ("duplicate=-0.1", "probability"), ("mtu=20", "68 to 65535"),
        ("name=", "1 to 32"), ("name=a b", "1 to 32"), ("a=10.0.0.1/24", "has no addresses"),
        ("aqm=red", "fq-codel"), ("aqm=codel:5", "fq-codel"), ("aqm=codel:0:100", "above 0"),
        ("aqm=codel:50:20", "not below"), ("aqm=drop-tail:5:100", "fq-codel"),
        ("netem=1,aqm=codel", "leave one"), ("police=0", "Mbit/s"), ("police=5:100", "burst"),
        ("police=5:6:7", "MBPS:BYTES"), ("aggregate=-1", "milliseconds"),
        ("rates=/no/such/file", "cannot read"), ("trace=/no/such/file", "cannot read"),
        ("trace=/", "cannot read"),
    ])
    func refusals(_ text: String, _ expected: String) throws {
        let error = try #require(throws: SimulationError.self) {
            try LinkSpecification(parsing: text)
        }
        #expect(error.description.contains(expected), "\(error)")
        #expect(!error.description.contains("\n"))
    }

    @Test func refusalsNameKeyAndValue() throws {
        let error = try #require(throws: SimulationError.self) {
            try LinkSpecification(parsing: "rate=20,floss=2")
        }
        #expect(
            error.description
                == "link option 'loss=2': use a probability from 0 to 1, as 0.01 for 1 %")
        let control = SimulationError.unknownOption(
            key: "\u{1b}[31m\n", value: String(repeating: "x", count: 500))
        #expect(!control.description.unicodeScalars.contains { $0.value < 32 })
        #expect(control.description.count < 600)
    }

    @Test func listsAreBounded() {
        let many = (1...4097).map { "rate@\($0)=5" }.joined(separator: ",")
        #expect(throws: SimulationError.self) { try LinkSpecification(parsing: "rate=5," + many) }
        let down = "down=" + (1...4097).map { "\($0)-\($0).5" }.joined(separator: ";")
        #expect(throws: SimulationError.self) { try LinkSpecification(parsing: down) }
        let long = "rate=5," + String(repeating: ",", count: 70_000)
        #expect(throws: SimulationError.self) { try LinkSpecification(parsing: long) }
    }

    @Test func traceText() throws {
        func parse(_ text: String) throws -> [UInt32] {
            try CapacityTrace(parsing: Array(text.utf8), name: "t").milliseconds
        }
        #expect(try parse("0\n0\n3\r\n 7 \n\n7") == [0, 0, 3, 7, 7])
        for bad in ["", "0\n0", "5\n4", "5 6", "5\nx", "-5", "4294967296", "00000000005", "1.5"] {
            #expect(throws: SimulationError.self) { try parse(bad) }
        }
        #expect(CapacityTrace(milliseconds: []) == nil)
        #expect(CapacityTrace(milliseconds: [0]) == nil)
        #expect(CapacityTrace(milliseconds: [2, 1]) == nil)
        let error = try #require(throws: SimulationError.self) { try parse("1\n2\nthree\n") }
        #expect(error.description.contains("line 3"))
    }

    /// Mutated options either parse or are refused, and links from parsed options carry packets.
    @Test(arguments: 1...4) func mutatedOptions(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array(
            "0123456789.,=:;/-@+eEfrbpnaNi \u{0}\u{301}rate=down=ge=queue=".unicodeScalars)
        var parsed = 0
        for _ in 0..<(1500 * fuzzScale) {
            var text = Array(LinkInvariantTests.randomOptions(&random).unicodeScalars)
            for _ in 0..<(1 + random.next() % 3) {
                let place = Int(random.next() % UInt64(text.count))
                let scalar = alphabet[Int(random.next() % UInt64(alphabet.count))]
                switch random.next() % 4 {
                case 0: text[place] = scalar
                case 1: text.insert(scalar, at: place)
                case 2: if text.count > 1 { text.remove(at: place) }
                default:
                    let end = min(text.count, place + 12)
                    text.insert(contentsOf: text[place..<end], at: place)
                }
            }
            var string = String.UnicodeScalarView()
            string.append(contentsOf: text)
            guard let path = try? LinkSpecification(parsing: String(string)) else { continue }
            parsed += 1
            var link = Link(path.forward, seed: seed, path: 0, direction: .forward)
            for token in 0..<20 {
                _ = link.handleSend(bytes: 900, token: token, now: at(Double(token) * 0.1))
            }
            while link.popDelivery(now: .distantFuture) != nil {}
            #expect(link.counters.queued.packets == 0)
        }
        #expect(parsed > 50 * fuzzScale && parsed < 1450 * fuzzScale, "\(parsed)")
    }

    @Test func mutatedTraces() {
        var random = SeededGenerator(seed: 5)
        let alphabet = Array("0123456789\n\r\t x-".utf8)
        var parsed = 0
        for _ in 0..<(2000 * fuzzScale) {
            let text = (0..<Int(random.next() % 12)).map { _ in
                alphabet[Int(random.next() % UInt64(alphabet.count))]
            }
            guard let trace = try? CapacityTrace(parsing: text, name: "t") else { continue }
            parsed += 1
            #expect(trace.meanMegabits > 0)
        }
        #expect(parsed > 20 * fuzzScale)
    }
}

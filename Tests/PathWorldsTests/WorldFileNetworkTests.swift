@testable import PathSimulation
import PathTelemetry
import Testing

@testable import PathWorlds

/// Shared bottlenecks and cross traffic in files of worlds.
@Suite struct WorldFileNetworkTests {
    static let sound = """
        duration = "10s"

        [[link]]
        name = "wifi"
        rate = "100mbit"
        delay = "2ms"
        via = "home"

        [[link]]
        name = "cable"
        delay = "1ms"
        via = "street"

        [[link]]
        name = "lte"
        rate = "30mbit"

        [[bottleneck]]
        name = "home"
        rate = "20mbit"
        queue = "60kB"
        via = "street"

        [bottleneck.down]
        rate = "50mbit"

        [[bottleneck]]
        name = "street"
        rate = "200mbit"

        [[outage]]
        links = ["street", "lte"]
        gap = "5s"
        shortest = "0.5s"
        longest = "1s"

        [[cross]]
        kind = "cubic"
        link = "home"
        rtt = "40ms"
        start = "2s"
        flows = 2

        [[cross]]
        name = "camera"
        kind = "udp"
        link = "lte"
        direction = "down"
        rate = "4mbit"
        size = 1000
        on = "1s"
        off = "3s"
        stop = "9s"

        [[link]]
        name = "dish"
        rate = "10mbit"
        aqm = "fq-codel"
        aqm-target = "15ms"
        aqm-interval = "200ms"
        police = "50mbit"
        police-burst = "30kB"
        aggregate = "4ms"

        [link.reallocation]
        every = "3s"
        offset = "2s"
        up = ["5mbit", "20mbit"]
        down = ["50mbit", "280mbit"]
        delay = ["11ms", "25ms"]
        loss = "30%"
        pause = "100ms"

        [[workload]]
        kind = "bulk"
        """

    @Test func everyKeyIsRead() throws {
        let world = try WorldFileTests.parse(WorldFileNetworkTests.sound)
        #expect(world.bottlenecks.map(\.name) == ["home", "street"])
        #expect(world.routes == [[0, 1], [1], [], []])
        #expect(world.bottlenecks[0].specification.forward.rateMegabits == 20)
        #expect(world.bottlenecks[0].specification.backward.rateMegabits == 50)
        #expect(world.bottlenecks[0].specification.forward.drawsByTime)
        #expect(world.cross.map(\.name) == ["cubic-1.1", "cubic-1.2", "camera"])
        #expect(world.cross.map(\.hop) == [4, 4, 2])
        #expect(
            world.cross[0].roundTrip == .milliseconds(40) && world.cross[0].start == .seconds(2))
        let camera = world.cross[2]
        #expect(camera.direction == .backward && camera.packetBytes == 1000)
        #expect(camera.bitsPerSecond == 4e6 && camera.stop == .seconds(9))
        #expect(camera.pattern == .init(on: .seconds(1), off: .seconds(3)))
        let network = world.network(seed: 3)
        #expect(network.links.count == 4 && network.bottlenecks.count == 2)
        #expect(network.bottlenecks[1].forward.outages == network.links[2].forward.outages)
        #expect(!network.bottlenecks[1].forward.outages.isEmpty)
        #expect(network.bottlenecks[0].forward.outages.isEmpty)
    }

    @Test func queuesAndReallocation() throws {
        let world = try WorldFileTests.parse(WorldFileNetworkTests.sound)
        let dish = world.links[3].specification.forward
        var settings = QueueDiscipline.CoDelSettings()
        settings.target = .milliseconds(15)
        settings.interval = .milliseconds(200)
        #expect(
            dish.intake.discipline == .fairCoDel(settings)
                && dish.intake.queue == .packets(10_240))
        #expect(dish.intake.policer == Policer.Settings(megabits: 50, burstBytes: 30_000))
        #expect(dish.aggregation == .milliseconds(4))
        let one = world.network(seed: 1).links[3]
        #expect(one == world.network(seed: 1).links[3] && one != world.network(seed: 2).links[3])
        // At the start, and at 2, 5 and 8 s; a pause comes with each but the first.
        let rates = one.backward.rateSteps
        #expect(rates.map { $0.at.seconds.rounded() } == [0, 2, 5, 8])
        #expect(rates.allSatisfy { (50...280).contains($0.megabits) })
        #expect(Set(rates.map(\.megabits)).count == 4)
        #expect(one.forward.rateSteps.allSatisfy { (5...20).contains($0.megabits) })
        let phases = one.forward.phases
        #expect(phases.map { ($0.at.seconds * 10).rounded() } == [0, 20, 21, 50, 51, 80, 81])
        #expect(
            phases.map { $0.faults[RandomLoss.self].probability } == [0, 0.3, 0, 0.3, 0, 0.3, 0])
        #expect(phases.allSatisfy { (11...25).contains($0.delayMilliseconds) })
        #expect(phases[1].delayMilliseconds == phases[2].delayMilliseconds)
    }

    /// The text that replaces another, the line of the error, its key, and a part of the message.
    static let faults: [(String, String, Int, String, String)] = [
        ("via = \"home\"", "via = \"hom\"", 7, "link[1].via", "home, street"),
        ("name = \"home\"", "name = \"lte\"", 19, "bottleneck[1].name", "there already"),
        (
            "name = \"street\"\nrate = \"200mbit\"", "name = \"street\"\nvia = \"home\"", 29,
            "bottleneck[2].via", "a cycle: home -> street -> home"
        ),
        ("rate = \"200mbit\"", "via = \"street\"", 29, "bottleneck[2].via", "street -> street"),
        ("queue = \"60kB\"", "price = 3", 21, "bottleneck[1].price", "no such key"),
        ("links = [\"street\", \"lte\"]", "links = [\"road\"]", 32, "outage[1].links", "street"),
        ("kind = \"cubic\"", "kind = \"reno\"", 38, "cross[1].kind", "\"cubic\""),
        ("kind = \"cubic\"", "", 37, "cross[1].kind", "missing"),
        ("link = \"home\"\nrtt", "link = \"cable\"\nrtt", 39, "cross[1].link", "no rate"),
        ("link = \"home\"\nrtt", "link = \"hut\"\nrtt", 39, "cross[1].link", "wifi, cable"),
        ("link = \"lte\"\n", "", 44, "cross[2].link", "missing"),
        ("rtt = \"40ms\"", "rtt = \"0s\"", 40, "cross[1].rtt", "from 0.0001"),
        ("rtt = \"40ms\"", "rate = \"4mbit\"", 40, "cross[1].rate", "no such key"),
        ("flows = 2", "flows = 65", 42, "cross[1].flows", "1 to 64"),
        ("flows = 2", "flows = 64", 44, "cross[2].flows", "together"),
        ("name = \"camera\"", "name = \"cubic-1.1\"", 45, "cross[2].name", "there already"),
        ("rate = \"4mbit\"", "", 44, "cross[2].rate", "missing"),
        ("rate = \"4mbit\"", "rate = \"11000mbit\"", 49, "cross[2].rate", "at most"),
        ("direction = \"down\"", "direction = \"both\"", 48, "cross[2].direction", "second"),
        ("off = \"3s\"", "", 51, "cross[2].on", "both on and off"),
        ("aqm = \"fq-codel\"", "aqm = \"red\"", 58, "link[4].aqm", "\"codel\""),
        ("aqm-target = \"15ms\"\n", "", 59, "link[4].aqm-interval", "both"),
        ("aqm-target = \"15ms\"", "aqm-target = \"300ms\"", 58, "link[4].aqm", "not below"),
        ("aqm = \"fq-codel\"\n", "", 58, "link[4].aqm-target", "with aqm"),
        ("police = \"50mbit\"\n", "", 61, "link[4].police-burst", "police ="),
        (
            "police-burst = \"30kB\"", "police-burst = \"30B\"", 62, "link[4].police-burst",
            "from 1500"
        ),
        ("aggregate = \"4ms\"", "aggregate = \"4\"", 63, "link[4].aggregate", "its unit"),
        (
            "name = \"dish\"\nrate = \"10mbit\"", "name = \"dish\"\ntrace = \"none.x\"", 57,
            "link[4].trace", "none.x'"
        ),
        ("every = \"3s\"", "every = \"0.5s\"", 66, "link[4].reallocation.every", "from 1"),
        ("offset = \"2s\"", "offset = \"4s\"", 67, "link[4].reallocation.offset", "longer"),
        ("up = [\"5mbit\", ", "up = [", 68, "link[4].reallocation.up", "lowest"),
        ("up = [\"5mbit\", ", "up = [\"50mbit\", ", 68, "link[4].reallocation.up", "lowest"),
        ("delay = [\"11ms\", ", "delay = [\"11\", ", 70, "link[4].reallocation.delay", "lowest"),
        ("pause = \"100ms\"", "pause = \"3s\"", 72, "link[4].reallocation.pause", "shorter"),
        ("rate = \"10mbit\"\n", "", 64, "link[4].reallocation", "with a rate"),
        (
            "pause = \"100ms\"", "[[link.change]]\nat = \"2s\"", 65, "link[4].reallocation",
            "leave out"
        ),
        (
            "rate = \"30mbit\"", "rate = \"30mbit\"\n[[link.change]]\nat = \"1s\"\nnetem = true",
            19,
            "link[3].change[1].netem", "cannot change"
        ),
        ("stop = \"9s\"", "start = \"9s\"\nstop = \"9s\"", 54, "cross[2].stop", "later"),
    ]

    @Test(arguments: WorldFileNetworkTests.faults.indices)
    func whatIsWrongIsNamed(index: Int) {
        WorldFileTests.expectNamed(
            WorldFileNetworkTests.faults[index], in: WorldFileNetworkTests.sound)
    }

    /// A bottleneck that no link passes is a mistake.
    @Test func unusedBottleneck() {
        let text = WorldFileNetworkTests.sound.replacing(
            "via = \"home\"\n\n[[link]]", with: "\n[[link]]")
        do throws(WorldError) {
            _ = try WorldFileTests.parse(text)
            Issue.record("it is accepted")
        } catch {
            #expect("\(error)".contains("no link passes home"), "\(error)")
        }
    }
}

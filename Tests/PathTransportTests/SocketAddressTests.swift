import PathTransport
import Testing

@testable import PathTelemetry

struct SocketAddressTests {
    @Test(arguments: [
        ("1.2.3.4:5000", "1.2.3.4:5000"),
        ("255.255.255.255:65535", "255.255.255.255:65535"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("127.0.0.1:05000", "127.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("[::]:1", "[::]:1"),
        ("[fe80::1%2]:5", "[fe80::1%2]:5"),
        ("[2001:DB8:0:0:1:0:0:1]:80", "[2001:db8::1:0:0:1]:80"),
        ("[2001:db8:0:1:1:1:1:1]:80", "[2001:db8:0:1:1:1:1:1]:80"),
        ("[1:2:3:4:5:6:7::]:80", "[1:2:3:4:5:6:7:0]:80"),
        ("[1:0:0:0:0:0:0:0]:80", "[1::]:80"),
        ("[::ffff:10.1.2.3]:7", "10.1.2.3:7"),
        ("[::ffff:a01:203]:7", "10.1.2.3:7"),
        ("[64:ff9b::192.0.2.33]:7", "[64:ff9b::c000:221]:7"),
        ("[1:2:3:4:5:6:1.2.3.4]:7", "[1:2:3:4:5:6:102:304]:7"),
    ])
    func readsAndWrites(text: String, canonical: String) throws {
        let address = try #require(SocketAddress(parsing: text))
        #expect(address.description == canonical)
        #expect(SocketAddress(parsing: canonical) == address)
    }

    @Test(arguments: [
        "", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3:5", "1.2.3.4.5:6",
        "256.1.1.1:5", "01.2.3.4:5", "1.2.3.4:5 ", " 1.2.3.4:5", "1.2.3.4:5000x", "::1", "::1:5000",
        "[::1]", "[::1]:", "[::1:5", "[:1]:5", "[1:]:5", "[1:::2]:5", "[1::2::3]:5",
        "[1:2:3:4:5:6:7]:5", "[1:2:3:4:5:6:7:8:9]:5", "[1:2:3:4:5:6:7:8::]:5", "[12345::]:5",
        "[g::]:5", "[1:2:3:4:5:6:7:1.2.3.4]:5", "[::1.2.3]:5", "[fe80::1%]:5", "[fe80::1%eth0]:5",
        "[fe80::1%4294967296]:5", "host:5", "[]:5", "1.2.3.4:99999999999999999999",
    ])
    func refuses(text: String) {
        #expect(SocketAddress(parsing: text) == nil)
    }

    @Test func portMayBeLeftOutWithADefault() {
        #expect(SocketAddress(parsing: "1.2.3.4", defaultPort: 9)?.description == "1.2.3.4:9")
        #expect(SocketAddress(parsing: "1.2.3.4:8", defaultPort: 9)?.description == "1.2.3.4:8")
        #expect(SocketAddress(parsing: "[::1]", defaultPort: 9)?.description == "[::1]:9")
        #expect(SocketAddress(parsing: "::1", defaultPort: 9)?.description == "[::1]:9")
        #expect(SocketAddress(parsing: "fe80::1%3", defaultPort: 9)?.scope == 3)
    }

    @Test func mappedAddressEqualsTheIPv4Address() {
        let mapped = SocketAddress(ipv6High: 0, low: 0xffff_0a01_0203, port: 7, scope: 4)
        let plain = SocketAddress(ipv4: 0x0a01_0203, port: 7)
        #expect(mapped == plain)
        #expect(mapped.hashValue == plain.hashValue)
        #expect(mapped.family == .ipv4)
        #expect(mapped.scope == 0)
    }

    @Test func bytesAreInNetworkOrder() throws {
        let four = SocketAddress(ipv4: 0x0102_0304, port: 0x1388).bytes
        let expectedFour: [UInt8] =
            [4, 0, 0x13, 0x88, 0, 0, 0, 0, 1, 2, 3, 4] + .init(repeating: 0, count: 12)
        #expect((0..<24).map { four[$0] } == expectedFour)
        let six = try #require(SocketAddress(parsing: "[fe80::1:203%258]:5")).bytes
        let expectedSix: [UInt8] =
            [6, 0, 0, 5, 0, 0, 1, 2, 0xfe, 0x80] + .init(repeating: 0, count: 11) + [1, 2, 3]
        #expect((0..<24).map { six[$0] } == expectedSix)
    }

    @Test func kindsOfAddress() throws {
        func parsed(_ text: String) throws -> SocketAddress {
            try #require(SocketAddress(parsing: text, defaultPort: 1))
        }
        #expect(try parsed("127.3.2.1").isLoopback && parsed("::1").isLoopback)
        #expect(try !parsed("128.0.0.1").isLoopback && !parsed("::2").isLoopback)
        #expect(try parsed("169.254.9.9").isLinkLocal && parsed("febf::1").isLinkLocal)
        #expect(try !parsed("169.253.9.9").isLinkLocal && !parsed("fec0::1").isLinkLocal)
        #expect(try parsed("239.0.0.1").isMulticast && parsed("ff02::1").isMulticast)
        #expect(try !parsed("223.0.0.1").isMulticast && !parsed("fe02::1").isMulticast)
        #expect(SocketAddress.any(.ipv6, port: 3).isUnspecified)
        #expect(SocketAddress.loopback(port: 3).with(port: 4).description == "127.0.0.1:4")
    }

    @Test func everyAddressSurvivesItsText() {
        var generator = SeededGenerator(seed: 0x5ad)
        for _ in 0..<5_000 {
            var high = generator.next()
            var low = generator.next()
            // Runs of zero groups are where the short form is decided.
            for group in 0..<4 {
                if generator.uniform() < 0.5 { high &= ~(0xffff << UInt64(16 * group)) }
                if generator.uniform() < 0.5 { low &= ~(0xffff << UInt64(16 * group)) }
            }
            let port = UInt16(truncatingIfNeeded: generator.next())
            let scope = generator.uniform() < 0.3 ? UInt32(truncatingIfNeeded: generator.next()) : 0
            let six = SocketAddress(ipv6High: high, low: low, port: port, scope: scope)
            #expect(SocketAddress(parsing: six.description) == six)
            let four = SocketAddress(ipv4: UInt32(truncatingIfNeeded: low), port: port)
            #expect(SocketAddress(parsing: four.description) == four)
        }
    }

    @Test func changedTextNeverTraps() {
        let seeds = [
            "1.2.3.4:5000", "[::1]:5000", "[fe80::1%2]:5", "[1:2:3:4:5:6:1.2.3.4]:7", "::1",
        ]
        let alphabet = Array("0123456789abcdefF:.[]%/ \u{e9}".unicodeScalars)
        var generator = SeededGenerator(seed: 77)
        var accepted = 0
        for round in 0..<40_000 {
            var text = Array(seeds[round % seeds.count].unicodeScalars)
            for _ in 0...Int(generator.next() % 4) {
                let place = Int(generator.next() % UInt64(text.count + 1))
                let scalar = alphabet[Int(generator.next() % UInt64(alphabet.count))]
                switch generator.next() % 3 {
                case 0: text.insert(scalar, at: place)
                case 1 where place < text.count: text[place] = scalar
                default: if place < text.count, text.count > 1 { text.remove(at: place) }
                }
            }
            var string = ""
            string.unicodeScalars.append(contentsOf: text)
            guard let address = SocketAddress(parsing: string, defaultPort: 1) else { continue }
            accepted += 1
            #expect(SocketAddress(parsing: address.description) == address)
        }
        #expect(accepted > 1_000)
    }
}

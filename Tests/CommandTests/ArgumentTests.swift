import Testing

@testable import PathTelemetry
@testable import PathTransport
@testable import PathwiseCommand

struct ArgumentTests {
    @Test func times() throws {
        #expect(try TimeDelta(argument: "150ms") == .milliseconds(150))
        #expect(try TimeDelta(argument: "1.5min") == .seconds(90))
        #expect(try TimeDelta(argument: "20us") == .microseconds(20))
        #expect(try TimeDelta(secondsArgument: "20") == .seconds(20))
        for text in ["", "150", "ms", "-1s", "1e3s", "1 s", "1d", "1..2s", "999999999h", "٣s"] {
            #expect(throws: SyntaxProblem.self, "\(text)") { try TimeDelta(argument: text) }
        }
    }

    @Test func rates() throws {
        #expect(try RateArgument.bytesPerSecond("20mbit") == 2_500_000)
        #expect(try RateArgument.bytesPerSecond("1.5gbit") == 187_500_000)
        #expect(try RateArgument.bytesPerSecond("8bit") == 1)
        for text in ["20", "20mb", "0mbit", "-1mbit", "infmbit", "nanbit", "9999999gbit"] {
            #expect(throws: SyntaxProblem.self, "\(text)") {
                try RateArgument.bytesPerSecond(text)
            }
        }
    }

    @Test func sizesAndShares() throws {
        #expect(try SizeArgument.bytes("1500") == 1_500)
        #expect(try SizeArgument.bytes("20MB") == 20_000_000)
        #expect(try SizeArgument.bytes("64KiB") == 65_536)
        #expect(throws: SyntaxProblem.self) { try SizeArgument.bytes("10000TB") }
        #expect(try ShareArgument.share("0.2") == 0.2)
        #expect(try ShareArgument.share("20%") == 0.2)
        for text in ["1.2", "120%", "-0.1", "x"] {
            #expect(throws: SyntaxProblem.self, "\(text)") { try ShareArgument.share(text) }
        }
    }

    @Test func paths() throws {
        let plain = try PathArgument(parsing: "dsl=eth0")
        #expect(plain.name == "dsl")
        #expect(plain.source == .interface("eth0"))
        #expect(plain.remote == nil)
        #expect(plain.traits == PathTraits())

        let full = try PathArgument(
            parsing: "lte=192.0.2.7>example.net:5000,weight=2,price=3.5,limit=20mbit,"
                + "kind=cellular,backup")
        let address = try #require(SocketAddress(parsing: "192.0.2.7:0"))
        #expect(full.source == .address(address))
        #expect(full.remote == "example.net:5000")
        #expect(
            full.traits
                == PathTraits(
                    weight: 2, pricePerGB: 3.5, rateLimit: 2_500_000, isBackup: true,
                    kind: .cellular))

        let six = try #require(SocketAddress(parsing: "[2001:db8::7]:0"))
        #expect(try PathArgument(parsing: "a=2001:db8::7").source == .address(six))
        #expect(try PathArgument(parsing: "a=[2001:db8::7]").source == .address(six))
    }

    @Test(arguments: [
        ("", "it has no NAME="), ("dsl", "it has no NAME="), ("=eth0", "a path's name has"),
        ("a b=eth0", "a path's name has"), ("a=", "neither an interface's name nor an address"),
        ("a=averyveryverylongname", "neither an interface's name nor an address"),
        ("a=192.0.2.1:80", "must have no port"), ("a=eth0>host", "after '>' write HOST:PORT"),
        ("a=eth0,weight=0", "above 0"), ("a=eth0,weight=nan", "above 0"),
        ("a=eth0,price=-1", "0 or more"), ("a=eth0,limit=20", "write a rate as"),
        ("a=eth0,kind=wire", "give one of unknown, wired, wifi, cellular, starlink"),
        ("a=eth0,backup=1", "takes no value"), ("a=eth0,colour=red", "is not known"),
        ("a=eth0,", "is not known"), ("lo", "write lo=lo,"),
        ("lo>host:9", "write lo=lo>host:9,"), ("none0", "'none0' is not an interface of this host"),
        ("192.0.2.7", "write path1=192.0.2.7,"),
    ])
    func badPaths(text: String, reason: String) {
        do throws(SyntaxProblem) {
            let path = try PathArgument(parsing: text)
            Issue.record("\(text) gave \(path)")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
        }
    }

    @Test func pathsTogether() throws {
        let one = try PathArgument(parsing: "a=eth0")
        try PathArgument.check([one])
        #expect(throws: SyntaxProblem.self) { try PathArgument.check([one, one]) }
        let many = try (0..<17).map { try PathArgument(parsing: "p\($0)=eth0") }
        #expect(throws: SyntaxProblem.self) { try PathArgument.check(many) }
    }

    @Test func anyTextIsParsedOrRefused() {
        var generator = SeededGenerator(seed: 3)
        let letters = Array("a=eth0>:,.%[]/weight=price=limit=backup1920ms\u{e9}\0")
        for _ in 0..<20_000 {
            let length = Int(generator.next() % 40)
            let text = String(
                (0..<length).map { _ in letters[Int(generator.next() % UInt64(letters.count))] })
            if let path = try? PathArgument(parsing: text) {
                #expect(!path.name.isEmpty && text.hasPrefix(path.name + "="))
            }
            _ = try? TimeDelta(argument: text)
            _ = try? SizeArgument.bytes(text)
            _ = try? RateArgument.bytesPerSecond(text)
        }
    }
}

import PathNetwork
import PathTelemetry
import PathTransport
import Testing

@testable import PathForward

/// What people write as forwards and rules.
@Suite struct SpecificationTests {
    private func spec(_ text: String) throws -> (String, String) {
        let spec = try ForwardSpec(parsing: text)
        return ("\(spec.kind) \(spec.listen)", spec.target.map { "\($0)" } ?? "-")
    }

    @Test func forwardsAreRead() throws {
        #expect(try spec("udp:51820") == ("udp 127.0.0.1:51820", "127.0.0.1:51820"))
        #expect(try spec("tcp:8443") == ("tcp 127.0.0.1:8443", "localhost:8443"))
        #expect(try spec("tcp:8443=10.0.0.5:443") == ("tcp 127.0.0.1:8443", "10.0.0.5:443"))
        #expect(try spec("udp:0.0.0.0:9=studio:10") == ("udp 0.0.0.0:9", "studio:10"))
        #expect(try spec("tcp:[::1]:9=[2001:db8::1]:10") == ("tcp [::1]:9", "[2001:db8::1]:10"))
        #expect(try spec("socks:1080") == ("socks 127.0.0.1:1080", "-"))
        #expect(try spec("http:[::]:3128") == ("http [::]:3128", "-"))
        #expect(try spec("tcp:0=localhost:22") == ("tcp 127.0.0.1:0", "localhost:22"))
    }

    @Test func optionsOfAForwardOverrideThoseOfTheCommand() throws {
        var defaults = FlowOptions(deadline: .milliseconds(300), flowClass: .interactive)
        defaults.ordered = .milliseconds(20)
        let spec = try ForwardSpec(
            parsing: "udp:9000=studio:10080,deadline=120ms", defaults: defaults)
        #expect(
            spec.options
                == FlowOptions(
                    deadline: .milliseconds(120), flowClass: .interactive,
                    ordered: .milliseconds(20)))
        #expect(try ForwardSpec(parsing: "udp:9").options == FlowOptions())
        let copying = try ForwardSpec(parsing: "udp:9,redundancy=2.5%").options
        #expect(copying.redundancyPermille == 25 && copying.redundancy == 0.025)
    }

    @Test(arguments: [
        ("", "tcp:PORT"), ("tcp", "tcp:PORT"), ("sctp:5", "tcp:PORT"), ("tcp:", "PORT, ADDRESS"),
        ("tcp:70000", "0 to 65535"), ("tcp:host:5", "no name"), ("tcp:5=", "the target is"),
        ("tcp:5=host", "the target is"), ("tcp:5=host:0", "the target is"),
        ("tcp:5=a b:1", "the target is"), ("tcp:0", "port 0"), ("socks:5=host:1", "no target"),
        ("tcp:5,", "NAME=VALUE"), ("tcp:5,class=fast", "class=bulk"),
        ("udp:5,deadline=2", "deadline=120ms"), ("udp:5,deadline=0ms", "deadline=120ms"),
        ("udp:5,deadline=2h", "deadline=120ms"), ("udp:5,ordered=11s", "ordered=50ms"),
        ("udp:5,redundancy=10", "redundancy=10%"), ("udp:5,redundancy=101%", "redundancy=10%"),
        ("udp:5,redundancy=-1%", "redundancy=10%"), ("udp:5,redundancy=nan%", "redundancy=10%"),
        ("udp:5,colour=red", "the options are"), ("tcp:5=[::1:1", "the target is"),
    ])
    func malformedForwardsSayWhatToWrite(text: String, fix: String) {
        let error = #expect(throws: ForwardError.self) { try ForwardSpec(parsing: text) }
        let words = error.map { "\($0)" } ?? ""
        #expect(words.contains(fix) && words.contains("'\(text)'"), "\(words)")
    }

    /// An option that would do nothing is refused, and not ignored.
    @Test(arguments: [
        ("tcp:5,deadline=120ms", "deadline= is for datagrams, and tcp: carries connections"),
        ("http:5,ordered=50ms", "ordered= is for datagrams, and http: carries connections"),
        ("tcp:5,redundancy=10%", "redundancy= is for datagrams, and tcp: carries connections"),
    ])
    func optionsWithoutEffectAreRefused(text: String, problem: String) throws {
        let error = #expect(throws: ForwardError.self) { try ForwardSpec(parsing: text) }
        #expect(error.map { "\($0)".contains(problem) } == true, "\(String(describing: error))")
        // A proxy carries both; and defaults of a whole command do not refuse a forward.
        let options = "deadline=120ms,ordered=50ms,class=media"
        let socks = try ForwardSpec(parsing: "socks:5,\(options)").options
        #expect(
            socks
                == FlowOptions(
                    deadline: .milliseconds(120), flowClass: .media, ordered: .milliseconds(50)))
        #expect(try ForwardSpec(parsing: "tcp:5", defaults: socks).options == socks)
    }

    /// A class counts for datagrams too; without one they are before bulk ones, and connections are
    /// bulk.
    @Test func classesOfDatagrams() throws {
        let plain = try ForwardSpec(parsing: "socks:5").options
        #expect(plain.flowClass == .bulk && plain.datagramClass == .media)
        for name in StreamPriority.allCases {
            let options = try ForwardSpec(parsing: "udp:5,class=\(name.name)").options
            #expect(options.datagramClass == name && options.flowClass == name)
        }
    }

    @Test func proxiesDoNotListenAtThePeer() throws {
        #expect(throws: ForwardError.self) { try ForwardSpec(parsing: "socks:1", isReverse: true) }
        #expect(try ForwardSpec(parsing: "tcp:1=a:2", isReverse: true).isReverse)
    }

    @Test func rulesAllowWhatTheySay() throws {
        let cases: [(rule: String, allowed: [String], denied: [String])] = [
            ("10.0.0.5:443", ["10.0.0.5:443"], ["10.0.0.5:444", "10.0.0.6:443", "[::1]:443"]),
            (
                "10.0.0.0/8:80-90", ["10.255.1.1:80", "10.0.0.1:90"],
                ["11.0.0.1:80", "10.0.0.1:91"]
            ),
            ("0.0.0.0/0:*", ["1.2.3.4:5"], ["[2001:db8::1]:5", "0.0.0.0:5", "224.0.0.1:5"]),
            ("[2001:db8::/33]:*", ["[2001:db8:7fff::1]:1"], ["[2001:db8:8000::1]:1"]),
            ("[2001:db8::/65]:1", ["[2001:db8::7fff:0:0:1]:1"], ["[2001:db8::8000:0:0:1]:1"]),
            ("[::1]:*", ["[::1]:22"], ["[::2]:22", "127.0.0.1:22"]),
            ("*:443", ["1.2.3.4:443", "[2001:db8::1]:443"], ["1.2.3.4:80", "[::]:443"]),
            ("localhost:22", ["127.0.0.1:22"], ["127.0.0.2:22", "127.0.0.1:23"]),
        ]
        for (text, allowed, denied) in cases {
            let rule = try AllowRule(parsing: text)
            #expect("\(rule)" == text)
            let rules = ForwardRules(connecting: [rule], listening: [])
            for place in allowed {
                #expect(rules.allowConnecting(to: try address(place)), "\(text) \(place)")
            }
            for place in denied {
                #expect(!rules.allowConnecting(to: try address(place)), "\(text) \(place)")
            }
        }
    }

    /// What a denial says to write is a rule, and allows what was denied.
    @Test(arguments: ["10.0.0.5:443", "[2001:db8::1]:22", "localhost:10080"])
    func aDenialNamesWhatPermits(text: String) throws {
        let target = try ForwardTarget(parsing: text)
        let denial = ForwardRules().denial(of: target, at: [], "it")
        #expect(denial.code == .denied)
        let words = denial.text.split(separator: " ").map(String.init)
        let place = try #require(words.firstIndex(of: "--forward-allow"))
        let rule = try AllowRule(parsing: String(words[place + 1].dropLast()))
        let rules = ForwardRules(connecting: [rule], listening: [])
        let host = text.hasPrefix("localhost") ? "127.0.0.1:10080" : text
        #expect(rules.allowConnecting(to: try address(host)), "\(denial.text)")
    }

    @Test(arguments: ["10.0.0.5:80", "0.0.0.0:8080", "[::]:22", "192.0.2.1:0", "[::1]:1"])
    func aDenialNamesWhatPermitsListening(text: String) throws {
        let place = try address(text)
        let denial = ForwardRules.denial(ofListeningOn: place)
        let words = denial.text.split(separator: " ").map(String.init)
        let index = try #require(words.firstIndex(of: "--reverse-allow"))
        let rule = try AllowRule(parsing: String(words[index + 1].dropLast()))
        let rules = ForwardRules(connecting: [], listening: [rule])
        #expect(rules.allowListening(on: place), "\(denial.text)")
    }

    @Test func noneIsNoRule() throws {
        #expect(try AllowRule.rules(parsing: "none").isEmpty)
        #expect(try AllowRule.rules(parsing: "none:80").map(\.description) == ["none:80"])
        #expect(throws: ForwardError.self) { try AllowRule.rules(parsing: "all") }
    }

    /// No rule opens what this side keeps back, and the reason is not that a rule is missing.
    @Test func withheldAddressesPassNoRule() throws {
        var rules = ForwardRules(connecting: [try AllowRule(parsing: "*:*")], listening: [])
        let page = try address("127.0.0.1:9471")
        rules.withheld = [page]
        #expect(!rules.allowConnecting(to: page))
        #expect(rules.allowConnecting(to: try address("127.0.0.1:9472")))
        let denial = rules.denial(of: ForwardTarget(page), at: [page], "it")
        #expect(denial.code == .denied && denial.text.contains("--http-token"), "\(denial.text)")
        #expect(!denial.text.contains("--forward-allow"))
    }

    @Test func noOptionPermitsWhatIsNoHost() throws {
        for text in ["0.0.0.0:80", "224.0.0.1:80", "127.0.0.1:0"] {
            let denial = ForwardRules().denial(of: try ForwardTarget(parsing: text), at: [], text)
            #expect(!denial.text.contains("--forward-allow"), "\(denial.text)")
        }
    }

    /// An IPv4 address in the form of IPv6 is the IPv4 address, for the rules too.
    @Test func mappedAddressesPassNoRule() throws {
        let rules = ForwardRules(connecting: [try AllowRule(parsing: "[::/0]:*")])
        #expect(!rules.allowConnecting(to: try address("[::ffff:10.0.0.1]:80")))
    }

    @Test func defaultsReachTheLoopbackOnly() throws {
        let rules = ForwardRules()
        for place in ["127.0.0.1:22", "127.9.9.9:1", "[::1]:443"] {
            #expect(rules.allowConnecting(to: try address(place)))
        }
        for place in ["10.0.0.1:22", "0.0.0.0:22", "[::]:22", "[::2]:22", "127.0.0.1:0"] {
            #expect(!rules.allowConnecting(to: try address(place)), "\(place)")
        }
        for place in ["127.0.0.1:1024", "127.0.0.1:0", "[::1]:65535"] {
            #expect(rules.allowListening(on: try address(place)), "\(place)")
        }
        for place in ["127.0.0.1:1023", "0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080"] {
            #expect(!rules.allowListening(on: try address(place)), "\(place)")
        }
        let open = ForwardRules(listening: [try AllowRule(parsing: "*:80")])
        #expect(open.allowListening(on: try address("0.0.0.0:80")))
        #expect(!ForwardRules.none.allowConnecting(to: try address("127.0.0.1:22")))
    }

    @Test(arguments: [
        "", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:5-4", "10.0.0.1:70000", "10.0.0.1/8:1",
        "10.0.0.0/33:1", "2001:db8::1:443", "[2001:db8::/129]:1", "[10.0.0.1]:5", "a b:5", ":5",
        "host/8:5", "10.0.0.0/:1", "*.example:5", "[fe80::1]", "10.0.0.1:+5",
    ])
    func malformedRulesAreRefused(text: String) {
        let error = #expect(throws: ForwardError.self) { try AllowRule(parsing: text) }
        #expect(error.map { "\($0)" }?.contains("'\(text)' is not a rule; ") == true)
    }

    @Test(arguments: [4, 5] as [UInt64])
    func mutantsOfForwardsAndRulesAreReadOrRefused(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let forwards = [
            "udp:9000=studio:10080,deadline=120ms,ordered=50ms",
            "tcp:[::1]:8443=[2001:db8::5]:443", "socks:0.0.0.0:1080",
        ]
        let rules = ["10.0.0.0/8:80-90", "[2001:db8::/32]:*", "studio:10080"]
        var (read, refused) = (0, 0)
        for index in 0..<Fuzz.count(10_000) {
            let sample = index % 2 == 0 ? forwards[index / 2 % 3] : rules[index / 2 % 3]
            let text = String(decoding: Fuzz.mutate(Array(sample.utf8), &generator), as: UTF8.self)
            do {
                if index % 2 == 0 {
                    let spec = try ForwardSpec(parsing: text)
                    #expect(FlowOptions.deadlines.contains(spec.options.deadline))
                    #expect(spec.listen.address != nil)
                } else {
                    let rule = try AllowRule(parsing: text)
                    #expect(try AllowRule(parsing: "\(rule)") == rule, "seed \(seed): \(text)")
                }
                read += 1
            } catch {
                refused += 1
            }
        }
        #expect(read > 1000 && refused > 1000, "seed \(seed)")
    }

    private func address(_ text: String) throws -> SocketAddress {
        try #require(SocketAddress(parsing: text))
    }

    /// What a denial proposes must help: no rule allows an address of no host, also if it is a text, as 0,
    /// that only the resolver takes for one.
    @Test(arguments: [
        ("0", "0.0.0.0:80", false), ("0.0.0.0", "0.0.0.0:80", false),
        ("224.0.0.1", "224.0.0.1:80", false), ("10.1", "10.0.0.1:80", true),
    ])
    func denialsProposeRulesThatHelp(host: String, address: String, helps: Bool) throws {
        let target = try #require(ForwardTarget(host: host, port: 80))
        let found = try #require(SocketAddress(parsing: address))
        #expect(try Resolver.resolve(host: host, port: 80) == [found])
        let text = ForwardRules.none.denial(of: target, at: [found], address).text
        #expect(text.contains("to permit it: serve --forward-allow \(target)") == helps, "\(text)")
        #expect(text.contains("no rule can") == !helps, "\(text)")
    }
}

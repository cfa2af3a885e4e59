import Glibc
import PathForward
import PathTelemetry
import PathTransport
import Testing

@testable import Pathwise
@testable import PathwiseCommand

/// The file of a server's clients, and seeded mutants of all files of the state folder.
struct ClientsFileTests {
    private let key: String

    init() throws { key = try PrivateKey.generate().publicKey.base64 }

    private func read(_ text: String) throws -> [ServedClient] {
        let file = ClientsFile(Array(text.utf8), file: "/s/clients")
        #expect(file.problems.isEmpty)
        return file.clients
    }

    @Test func aLineHasRules() throws {
        let shared = try PresharedKey.generate()
        let other = try PrivateKey.generate().publicKey.base64
        let clients = try read(
            """
            # people
            van \(key) allow=10.0.0.0/8:443 allow=studio:* rate=20mbit cap=50GB/week  # LTE
            home\t\(other)  psk=\(shared.base64) listen=0.0.0.0:8080\r

            """)
        #expect(clients.map(\.name) == ["van", "home"])
        #expect(clients[0].rules.connecting?.map(\.description) == ["10.0.0.0/8:443", "studio:*"])
        #expect(clients[0].rules.listening == nil)
        #expect(clients[0].rate == 2.5e6)
        #expect(clients[0].cap == ByteCap(bytes: 50_000_000_000, period: .week))
        #expect(clients[0].presharedKey == nil)
        #expect(clients[1].rules.connecting == nil)
        #expect(clients[1].rules.listening?.map(\.description) == ["0.0.0.0:8080"])
        #expect(clients[1].presharedKey?.base64 == shared.base64)
    }

    @Test func noneIsNoRule() throws {
        let clients = try read("van \(key) allow=none listen=none")
        #expect(clients[0].rules.connecting == [] && clients[0].rules.listening == [])
    }

    @Test(arguments: [
        ("van", "line 1: a client has a name and a public key; write both"),
        ("van nokey", "line 1: 'nokey' is not a public key; "),
        ("\nva/n KEY", "line 2: 'va/n' cannot be a name; write 1 to 32 of a-z"),
        ("\n.. KEY", "line 2: '..' cannot be a name; write 1 to 32 of a-z"),
        ("van KEY\nvan KEY", "line 2: a client above has the same key; remove one of the two"),
        ("van KEY\nvan OTHER", "line 2: a second client is called 'van'; choose another name"),
        ("van KEY rate=fast", "line 1: rate= 'fast': write a rate as 500kbit"),
        ("van KEY cap=1x", "line 1: cap= '1x': write a size and day, week or month"),
        ("van KEY allow=nowhere", "line 1: 'nowhere' is not a rule; write HOST:PORT"),
        ("van KEY psk=x", "line 1: psk= needs the 44 characters"),
        ("van KEY admin", "line 1: 'admin' is not known; write allow=, listen=, rate=, cap="),
    ])
    func aBadLineIsNamed(text: String, problem: String) throws {
        let other = try PrivateKey.generate().publicKey.base64
        let content = text.replacing("KEY", with: key).replacing("OTHER", with: other)
        let file = ClientsFile(Array(content.utf8), file: "/s/clients")
        #expect(
            file.problems.map { "\($0)".contains("/s/clients, \(problem)") } == [true], "\(text)")
        // A line that is wrong admits nobody.
        #expect(file.clients.count == content.split(separator: "\n").count - 1)
    }

    /// The good lines count whatever the others are; and a key whose line is wrong is not let in by
    /// another line with other rules.
    @Test func goodLinesCount() throws {
        let keys = try (0..<3).map { _ in try PrivateKey.generate().publicKey }
        let text = """
            one \(keys[0].base64) rate=1mbit
            two \(keys[1].base64) allow=nowhere
            three nokey
            four \(keys[2].base64)
            five \(keys[1].base64)
            one
            """
        let file = ClientsFile(Array(text.utf8), file: "c")
        #expect(file.clients.map(\.name) == ["one", "four"])
        #expect(
            file.problems.map { "\($0)".prefix(9) } == [
                "c, line 2", "c, line 3", "c, line 5", "c, line 6",
            ])
        #expect(keys.allSatisfy { file.has($0) })
        // Neither a name nor a key of a wrong line is given to somebody else.
        #expect(file.adding(try PrivateKey.generate().publicKey, name: "two").name == "two-2")
    }

    @Test func aClientIsAddedAtTheEnd() throws {
        let text = "# mine\nvan \(key)   rate=1mbit # keep this"
        let file = ClientsFile(Array(text.utf8), file: "f")
        let new = try PrivateKey.generate().publicKey
        let (content, name) = file.adding(new, name: "van")
        #expect(name == "van-2")
        #expect(String(decoding: content, as: UTF8.self) == "\(text)\nvan-2 \(new.base64)\n")
        let long = String(repeating: "a", count: 32)
        let full = ClientsFile(Array("\(long) \(key)\n".utf8), file: "f")
        #expect(full.adding(new, name: long).name == String(repeating: "a", count: 30) + "-2")
        // The first content has no client, and takes one.
        let empty = ClientsFile(Array(ClientsFile.template.utf8), file: "f")
        #expect(empty.clients.isEmpty)
        let (grown, _) = empty.adding(new, name: "a")
        #expect(ClientsFile(grown, file: "f").clients.count == 1)
    }

    @Test func namesOfHosts() {
        #expect(InviteText.plainName("van.example.org", or: "x") == "van")
        #expect(InviteText.plainName("my van", or: "x") == "my-van")
        #expect(InviteText.plainName("", or: "x") == "x")
        #expect(InviteText.plainName("...", or: "x") == "x")
        #expect(InviteText.plainName(String(repeating: "ü", count: 99), or: "x").utf8.count == 32)
    }

    /// Each mutant is read, or refused with the file and the line; PATHWISE_FUZZ sets their number.
    @Test func mutants() throws {
        let secret = try PrivateKey.generate().base64
        let files = [
            "van \(key) allow=10.0.0.0/8:443 rate=20mbit cap=50GB psk=\(secret)\n# a\nb \(secret)\n",
            "\(key) expires=1764500000 name=van\n\(secret) expires=1\n",
            "server \(key)\naddress 192.0.2.1:7000\naddress [::1]:1\nkey \(secret)\npsk \(secret)\n",
        ]
        let words = [
            "=", " ", "\n", "#", "allow=", "listen=*:*", "rate=", "cap=", "psk=", "expires=",
            "name=", "server ", "address ", "key ", key, secret, "\0", "\u{1b}[2J",
        ]
        let count = getenv("PATHWISE_FUZZ").flatMap { Int(String(cString: $0)) } ?? 6_000
        var accepted = 0
        for index in 0..<count {
            var mutator = TextMutator(words: words, seed: UInt64(index) &* 77 &+ 3)
            let mutant = mutator.mutant(of: files[index % 3])
            var problems: [any Error] = []
            switch index % 3 {
            case 0:
                let file = ClientsFile(mutant, file: "/s/f")
                #expect(Set(file.clients.map(\.name)).count == file.clients.count)
                #expect(Set(file.clients.map(\.key)).count == file.clients.count)
                #expect(file.clients.allSatisfy { ($0.rate ?? 1).isFinite })
                problems = file.problems
            case 1: problems = PendingTokens(mutant, file: "/s/f").problems
            default:
                do {
                    let profile = try ClientProfile(mutant, name: "s", file: "/s/f")
                    #expect((1...16).contains(profile.addresses.count))
                } catch {
                    problems = [error]
                }
            }
            if problems.isEmpty { accepted += 1 }
            for problem in problems {
                let text = CommandFailure(problem)
                #expect(text.status == .configuration, "mutant \(index): \(text.message)")
                #expect(text.message.hasPrefix("/s/f, line "), "mutant \(index): \(text.message)")
                #expect(text.message.utf8.count < 600, "mutant \(index)")
                #expect(!text.message.utf8.contains { $0 < 32 }, "mutant \(index)")
                #expect(!text.message.contains(secret), "mutant \(index)")
            }
        }
        #expect(accepted > count / 50 && accepted < count)
    }
}

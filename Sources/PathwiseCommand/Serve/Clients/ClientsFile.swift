import PathForward
import PathTelemetry
import PathTransport
import Pathwise

/// What a client may connect to and listen on; nil where nothing is said.
struct ClientRules: Sendable {
    var connecting: [AllowRule]?
    var listening: [AllowRule]?

    /// These rules, completed by those for everybody and then by the default.
    func completed(by general: ClientRules) -> ForwardRules {
        let standard = ForwardRules()
        return ForwardRules(
            connecting: connecting ?? general.connecting ?? standard.connecting,
            listening: listening ?? general.listening ?? standard.listening)
    }
}

/// A client of a server, as its line in the file `clients` says.
struct ServedClient: Sendable {
    var name: String
    var key: PublicKey
    /// All words of its line, to notice a change.
    var words: [String]
    var presharedKey: PresharedKey?
    /// What its line says about targets and listeners.
    var rules = ClientRules()
    /// Bytes per second of its forwards, both ways together; nil for no limit.
    var rate: Double?
    /// Bytes of its forwards, both ways together, in a day, week or month; nil for no limit.
    var cap: ByteCap?
}

/// The file `clients` of the state folder: a line for each client, which a person can edit.
///
/// docs/formats.md, "State folder".
struct ClientsFile {
    static let fileName = "clients"
    /// What the file had before it named nobody any more.
    static let lastName = "clients.last"
    /// The first content of the file.
    static let template = """
        # The clients of this server, one a line: NAME PUBLIC-KEY, then what differs for it:
        #   allow=HOST:PORT    it may connect to this, instead of --forward-allow; repeat for more
        #   listen=ADDR:PORT   it may listen on this, instead of --reverse-allow; repeat for more
        #   allow=none, listen=none   it may connect to nothing, listen nowhere
        #   rate=20mbit        limit of its forwards, both ways together
        #   cap=50GB/month     its forwards end after so many bytes, both ways together, until the
        #                      next day, week or month begins
        #   psk=KEY            its pre-shared key, from 'pathwise keygen --psk'
        # 'pathwise join' adds a line. A running server takes changes at once; a line with a mistake
        # admits nobody, and the server's log says what to correct.

        """
    private static let limit = 10_000

    private(set) var clients: [ServedClient] = []
    /// What is wrong with each line that is no client; such a line admits nobody.
    private(set) var problems: [StateError] = []
    let content: [UInt8]
    /// Of all lines, also of those with a mistake.
    private var names: Set<String> = []
    private(set) var keys: Set<PublicKey> = []

    /// Reads the file.
    ///
    /// - Throws: `StateError` if it is missing, cannot be read, or is far too large.
    init(_ folder: StateFolder) throws(StateError) {
        guard let content = try folder.read(ClientsFile.fileName) else {
            throw .missing(folder.file(ClientsFile.fileName))
        }
        self.init(content, file: folder.file(ClientsFile.fileName))
    }

    init(_ content: [UInt8], file: String) {
        self.content = content
        for line in StateLines(content, file: file) {
            do throws(StateError) {
                guard clients.count < ClientsFile.limit else {
                    throw line.problem(
                        "there are more than \(ClientsFile.limit) clients; remove some")
                }
                clients.append(try read(line))
            } catch {
                problems.append(error)
            }
        }
    }

    /// Whether some line has this key.
    func has(_ key: PublicKey) -> Bool { keys.contains(key) }

    /// Reads a line.
    ///
    /// Its key is taken even if the rest is wrong, so that no other line admits the client with
    /// other rules.
    private mutating func read(_ line: StateLines.Line) throws(StateError) -> ServedClient {
        guard line.words.count >= 2 else {
            throw line.problem("a client has a name and a public key; write both")
        }
        let key = try line.publicKey(line.words[1])
        let isNewKey = keys.insert(key).inserted
        let name = try line.name(line.words[0])
        let isNewName = names.insert(name).inserted
        guard isNewKey else {
            throw line.problem("a client above has the same key; remove one of the two lines")
        }
        guard isNewName else {
            throw line.problem("a second client is called '\(name)'; choose another name")
        }
        return try ClientsFile.client(line)
    }

    private static func client(_ line: StateLines.Line) throws(StateError) -> ServedClient {
        var client = ServedClient(
            name: try line.name(line.words[0]), key: try line.publicKey(line.words[1]),
            words: line.words)
        for word in line.words.dropFirst(2) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? String(parts[1]) : ""
            switch parts[0] {
            case "allow":
                client.rules.connecting = (client.rules.connecting ?? []) + (try rules(value, line))
            case "listen":
                client.rules.listening = (client.rules.listening ?? []) + (try rules(value, line))
            case "rate":
                do throws(SyntaxProblem) {
                    client.rate = try RateArgument.bytesPerSecond(value)
                } catch {
                    throw line.problem("rate= \(line.shown(value)): \(error)")
                }
            case "cap":
                do throws(SyntaxProblem) {
                    client.cap = try ByteCap(argument: value)
                } catch {
                    throw line.problem(
                        "cap= \(line.shown(value)): write a size and day, week or month, as "
                            + "50GB/month or 500MB/day")
                }
            case "psk":
                guard let key = PresharedKey(base64: value) else {
                    throw line.problem(
                        "psk= needs the 44 characters that 'pathwise keygen --psk' prints")
                }
                client.presharedKey = key
            default:
                throw line.problem(
                    "\(line.shown(word)) is not known; write allow=, listen=, rate=, cap= or "
                        + "psk=")
            }
        }
        return client
    }

    private static func rules(
        _ text: String, _ line: StateLines.Line
    ) throws(StateError) -> [AllowRule] {
        do throws(ForwardError) { return try AllowRule.rules(parsing: text) } catch {
            guard text.utf8.count < 40 else {
                throw line.problem(
                    "\(line.shown(text)) is not a rule; write HOST:PORT or NETWORK:PORTS")
            }
            throw line.problem("\(error)")
        }
    }

    /// A name for one more client: the wanted one, or one with a number if it is taken.
    func freeName(_ wanted: String) -> String {
        var name = wanted
        var number = 2
        while names.contains(name) {
            let suffix = "-\(number)"
            name = wanted.prefix(32 - suffix.count) + suffix
            number += 1
        }
        return name
    }

    /// The file with one more client, whose name is changed if it is taken.
    func adding(_ key: PublicKey, name wanted: String) -> (content: [UInt8], name: String) {
        let name = freeName(wanted)
        var content = content
        if let last = content.last, last != UInt8(ascii: "\n") { content.append(10) }
        content += Array("\(name) \(key.base64)\n".utf8)
        return (content, name)
    }
}

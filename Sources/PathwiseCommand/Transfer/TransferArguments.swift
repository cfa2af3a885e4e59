import ArgumentParser
import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

/// The common options of `send` and `receive`.
struct TransferOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The pre-shared key of both sides.", valueName: "file"))
    var psk: String?

    @Option(
        help: ArgumentHelp(
            "Record decisions and outcomes to a new trace file.", valueName: "trace"))
    var record: String?

    @Option(
        help: ArgumentHelp(
            "End the connection after this time without a packet from the peer (default: 10s). "
                + "The lower value of both sides counts.",
            valueName: "time"))
    var idleTimeout: String?

    @Option(
        help: ArgumentHelp(
            "Congestion control: model-based (default) or cubic.", valueName: "name"))
    var congestion: String?

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    func presharedKey() throws -> PresharedKey? {
        try psk.map { try KeyFile.readPresharedKey(from: $0) }
    }

    func connection() throws -> ConnectionConfiguration {
        try ConnectionArgument.configuration(
            idleTimeout: idleTimeout, option: "--idle-timeout", congestion: congestion)
    }

    func recorder() throws -> SessionRecorder? { try ConnectionArgument.recorder(record) }
}

/// Settings of connections from options.
enum ConnectionArgument {
    /// How long `serve` and `forward` keep a session without a packet, unless they are told otherwise.
    static let hold = "15min"

    /// - Parameter option: the name of the option with the time, for errors.
    static func configuration(
        idleTimeout: String?, option: String, congestion: String?
    ) throws -> ConnectionConfiguration {
        var configuration = ConnectionConfiguration()
        if let text = idleTimeout {
            let time: TimeDelta
            do {
                time = try TimeDelta(argument: text)
            } catch {
                throw CommandFailure("\(option) '\(text)': \(error)", .usage)
            }
            guard time >= .milliseconds(500), time <= .seconds(3600) else {
                throw CommandFailure(
                    "\(option) '\(text)' is out of range; give 500ms to 1h", .usage)
            }
            configuration.parameters.idleTimeout = time
        }
        if let name = congestion {
            guard let algorithm = CongestionAlgorithm(rawValue: name) else {
                let known = CongestionAlgorithm.allCases.map(\.rawValue).joined(separator: " or ")
                throw CommandFailure("--congestion '\(name)' is not known; use \(known)", .usage)
            }
            configuration.congestion = algorithm
        }
        return configuration
    }

    /// Opens the trace if one is requested; `ServiceRecording` has the meaning of the text.
    static func recorder(_ record: String?) throws -> SessionRecorder? {
        try ServiceRecording(record, try RecordingRules())?.recorder
    }
}

/// A public key as base64, or as the name of a file that holds it.
enum PeerKeyArgument {
    static func parse(_ text: String, option: String) throws -> PublicKey {
        if let key = PublicKey(base64: text) { return key }
        guard access(text, R_OK) == 0, let file = fopen(text, "re") else {
            throw CommandFailure(
                "\(option) '\(text)' is neither a public key (44 characters of base64) nor a file "
                    + "with one; print it with 'pathwise pubkey' on the other side", .usage)
        }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        let content = fgets(&line, 255, file).map { String(cString: $0) } ?? ""
        let word = content.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        guard let key = PublicKey(base64: word) else {
            throw CommandFailure(
                "\(text) holds no public key; it should be one line of 44 characters of base64",
                .dataError)
        }
        return key
    }

    /// The label of a key's owner in the log: the file's name without an extension, or the key's
    /// first characters.
    static func label(of key: PublicKey, argument: String) -> String {
        guard PublicKey(base64: argument) == nil,
            let file = argument.split(separator: "/").last,
            let stem = file.split(separator: ".").first
        else { return String(key.base64.prefix(8)) }
        return "\(EscapedText(String(stem)))"
    }
}

/// The interfaces of this host that become paths automatically.
struct InterfaceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An interface to leave out, as eth1 or 'tun*'; repeat for each.", valueName: "name"))
    var excludeInterface: [String] = []

    /// The names, checked.
    func excluded() throws(CommandFailure) -> [String] {
        for name in excludeInterface where name.isEmpty || name.utf8.count > 64 {
            throw CommandFailure(
                "--exclude-interface '\(name)': give the name of an interface, as eth1 or 'tun*'",
                .usage)
        }
        return excludeInterface
    }

    /// The message if no interface can be used.
    static func noneUsable(
        _ planner: PathPlanner, _ interfaces: [NetworkInterface]
    ) -> CommandFailure {
        let leftOut = planner.leftOut(interfaces)
        return CommandFailure(
            leftOut.isEmpty
                ? "no network interface is usable; connect one, or name paths with --path"
                : "no network interface is usable except those that are left out "
                    + "(\(leftOut.joined(separator: ", "))); name the one to use, as "
                    + "--path \(leftOut[0])=\(leftOut[0])",
            .unavailable)
    }
}

/// Resolves addresses with ports.
enum AddressArgument {
    /// Returns all addresses of a server for `--to`.
    static func server(_ text: String) throws -> [SocketAddress] {
        do throws(NetworkError) { return try Resolver.resolve(server: text) } catch {
            throw CommandFailure("--to '\(text)': \(error)", ExitStatus(error))
        }
    }

    /// The first address.
    static func resolve(_ text: String, option: String) throws -> SocketAddress {
        let addresses: [SocketAddress]
        do throws(NetworkError) { addresses = try Resolver.resolve(text) } catch {
            throw CommandFailure("\(option) '\(text)': \(error)", ExitStatus(error))
        }
        guard let address = addresses.first else {
            throw CommandFailure("\(option) '\(text)' has no address", .unavailable)
        }
        return address
    }
}

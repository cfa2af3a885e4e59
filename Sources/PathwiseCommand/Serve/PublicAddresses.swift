import PathNetwork
import PathTransport
import Pathwise

/// The addresses under which clients reach a server; tokens have them.
struct PublicAddresses {
    /// The name of the file in which a server keeps them for `invite`.
    static let fileName = "addresses"

    /// HOST:PORT each.
    var list: [String]
    /// Where they come from, and how to change them.
    var hint: String
    /// Why other hosts cannot reach any of them; nil if nothing is known against them.
    var warning: String?

    /// The addresses that the user gave, checked; names are not looked up.
    static func given(_ texts: [String]) throws -> PublicAddresses? {
        guard !texts.isEmpty else { return nil }
        guard texts.count <= JoinToken.addressLimit else {
            throw CommandFailure(
                "--public: \(texts.count) addresses; a token has at most \(JoinToken.addressLimit)",
                .usage)
        }
        for text in texts {
            let isPlain = text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
            guard isPlain, let target = try? Resolver.split(text), target.port != 0 else {
                throw CommandFailure(
                    "--public '\(text)' is not HOST:PORT; write vpn.example:7000 or "
                        + "[2001:db8::1]:7000", .usage)
            }
        }
        return PublicAddresses(list: texts, hint: "from --public")
    }

    /// The addresses that a server listens on; a wildcard stands for all addresses of its host.
    init(listening: [SocketAddress]) {
        list = listening.prefix(JoinToken.addressLimit).map(\.description)
        let whose = listening.allSatisfy(\.isLoopback) ? ", which only this host reaches" : ""
        hint = "from --listen\(whose); give others with --public HOST:PORT"
    }

    private init(list: [String], hint: String, warning: String? = nil) {
        self.list = list
        self.hint = hint
        self.warning = warning
    }

    /// These addresses as they are at this moment: a wildcard becomes those of this host that are
    /// valid beyond the link, or its loopback if it has no other.
    func now() throws -> PublicAddresses {
        do throws(NetworkError) {
            return expanded(try InterfaceWatcher.list())
        } catch {
            throw SessionError.network(error)
        }
    }

    /// - Parameter interfaces: of this host.
    func expanded(_ interfaces: [NetworkInterface]) -> PublicAddresses {
        let parsed = list.map { SocketAddress(parsing: $0) }
        let wildcards = parsed.compactMap { $0 }.filter(\.isUnspecified)
        guard let first = wildcards.first else { return self }
        var found = zip(list, parsed).filter { $0.1?.isUnspecified != true }.map(\.0)
        let own = interfaces.filter { !PathPlanner.leadsToContainers($0) }
        for wildcard in wildcards {
            for entry in own.flatMap(\.addresses) where !entry.isTemporary {
                let address = entry.address.with(port: wildcard.port)
                if address.family == wildcard.family, !found.contains(address.description) {
                    found.append(address.description)
                }
            }
        }
        let hint = "all addresses of this host; give others with --public HOST:PORT"
        guard found.isEmpty else {
            return PublicAddresses(
                list: Array(found.prefix(JoinToken.addressLimit)), hint: hint)
        }
        let loopback =
            first.family == .ipv4
            ? SocketAddress.loopback(port: first.port)
            : SocketAddress(ipv6High: 0, low: 1, port: first.port)
        return PublicAddresses(
            list: [loopback.description], hint: "no network is up",
            warning:
                "this host has no address beyond its loopback now, so a client on another host "
                + "cannot join with this token; run 'pathwise invite' when the network is up, or "
                + "give --public HOST:PORT")
    }

    // MARK: the file

    /// Keeps the addresses for `invite`, wildcards as such.
    func save(in folder: StateFolder) throws {
        let text = "# Where clients reach the server; it writes this when it starts.\n"
        let content = Array((text + list.map { $0 + "\n" }.joined()).utf8)
        try folder.changing { try folder.write(content, to: PublicAddresses.fileName) }
    }

    /// The addresses of the server that last ran with this folder, with its wildcards; nil if none
    /// did.
    static func saved(in folder: StateFolder) throws -> PublicAddresses? {
        guard let content = try folder.read(fileName) else { return nil }
        var list: [String] = []
        for line in StateLines(content, file: folder.file(fileName)) {
            guard line.words.count == 1, (try? Resolver.split(line.words[0])) != nil,
                list.count < JoinToken.addressLimit
            else {
                throw line.problem(
                    "write one HOST:PORT a line, at most \(JoinToken.addressLimit); "
                        + "or give --public")
            }
            list.append(line.words[0])
        }
        guard !list.isEmpty else { return nil }
        return PublicAddresses(
            list: list, hint: "as the server has them; give others with --public HOST:PORT")
    }
}
